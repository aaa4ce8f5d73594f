"""The engine with controls in its own process, for scripts and renders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.control.controls import Controls
from streamer.control.table import accept
from streamer.engine.beginning import Beginning
from streamer.engine.core import Core, defaults
from streamer.engine.events import Applied, Event, Moved, Refused
from streamer.engine.melodies import Melodies
from streamer.engine.model import Model

Batch = Sequence[tuple[str, Value | None]]
LogEntry = tuple[float, Batch]
"""A frame, and what changes before it is made, see `streamer.control.change.Frame`."""


class Engine(Core):
    """Music as blocks of any size, see `Core`, steered by controls.

    Parameters
    ----------
    model : musicgen.MusicGen
        What plays. Its sampling defaults become those of the controls that nobody has set.
    controls : Controls
        What it is steered by. Changes are heard from the next frame boundary on; of several values the last counts.
    log : iterable of (frame, batch), optional
        Changes to be made before exactly these frames, counted as in `frames_done`.
    sample_rate, channels, chunk_frames, level, beginning, melodies, tell
        See `Core`.

    Raises
    ------
    UserError
        For an output that nobody can listen to, and a melody that cannot be followed.
    """

    def __init__(
        self,
        model: Model,
        controls: Controls,
        *,
        sample_rate: int | None = None,
        channels: int = 2,
        chunk_frames: int = 1,
        log: Iterable[LogEntry] = (),
        level: bool = True,
        beginning: Beginning | None = None,
        melodies: Melodies | None = None,
        tell: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self.controls = controls
        controls.adopt(**defaults(model))

        def hear(event: Event) -> None:
            self._show(event)
            tell(event)

        super().__init__(
            model,
            controls.values(),
            sample_rate=sample_rate,
            channels=channels,
            chunk_frames=chunk_frames,
            level=level,
            beginning=beginning,
            melodies=melodies,
            tell=hear,
        )
        for frame, batch in log:
            self.change(Change(accept(batch), Frame(frame), self))
        controls.follow(self.change)

    def _show(self, event: Event) -> None:
        """What the controls do not know yet."""
        if isinstance(event, Applied) and event.at is not None and not event.over:
            self.controls.settle(event.values, event.origin)
        elif isinstance(event, Moved):
            self.controls.settle(event.values)
        elif isinstance(event, Refused):
            self.controls.retract(event.values, event.stands)
