"""In time with others: one source of the beat at a time, and our own where it has gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from osc.values import Value
from streamer.control.controls import Controls
from streamer.control.pulse import Place, Pulse
from streamer.control.table import SYNCS
from streamer.reporting import Say
from streamer.threads import lasting

INTERNAL = SYNCS[0]
STEP = 0.02
"""Seconds between two looks at the source."""
STRAY = 0.0015
"""Seconds by which the source may be off from what the engine was told last."""
AGAIN = 5.0
"""Seconds after which the engine is told anew: a sound card's clock is not the system's."""
AWAY = 2.0
"""Seconds that a source is waited for before it is said to be missing."""
TOLD_BPM = 0.3
"""Beats a minute that a source has to change by before the prompts are worded anew."""
_OURS = object()  # the origin of what a source has us do


class Source(Protocol):
    """Who else counts beats. Asked by one thread."""

    def place(self, now: float) -> Place | None:
        """Where its beat is at a moment, monotonic seconds; None while it is away."""
        ...

    def playing(self) -> bool | None:
        """Whether its transport runs; None where nobody has said."""
        ...

    def offer(self, bpm: float | None = None, playing: bool | None = None) -> None:
        """Somebody here wants another tempo, or has played or stopped; whoever cannot tell others does nothing."""
        ...

    def leave(self) -> None:
        """It is not asked any more."""
        ...


class Sync:
    """Has the engine count as the source does that the controls name.

    Parameters
    ----------
    controls
        Their `sync` names the source, and their `tempo` follows it.
    sources : mapping
        By name; one that is not there is away for ever.
    lead : callable
        ``lead(pulse, moment)`` tells the engine what is heard at a moment, monotonic seconds.
    say
        Takes sentences about sources that come and go.
    """

    def __init__(
        self, controls: Controls, sources: Mapping[str, Source], lead: Callable[[Pulse, float], None], say: Say
    ) -> None:
        self._controls = controls
        self._sources = sources
        self._lead = lead
        self._say = say
        self._asked, self._since = INTERNAL, 0.0
        self._source = INTERNAL
        self._missed = False
        self._told: tuple[float, Place] | None = None
        self._bpm = 0.0
        self._playing: bool | None = None
        self._met = False  # whether it is known what the source did before we came
        self._offers: list[dict[str, float | bool]] = []
        self._closing = threading.Event()
        self._thread = lasting("sync", self._run, say)
        controls.listen(self._note)

    @property
    def source(self) -> str:
        """Where the beat comes from now."""
        return self._source

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Follow nobody any more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for source in self._sources.values():
            source.leave()

    def renew(self) -> None:
        """Another engine plays, and has been told nothing yet."""
        self._told = None

    def _note(self, changed: dict[str, Value], origin: object) -> None:
        if origin is _OURS:
            return
        if float(changed.get("tempo", 0.0)) > 0:
            self._offers.append({"bpm": float(changed["tempo"])})
        for action in ("play", "stop"):
            if action in changed:
                self._offers.append({"playing": action == "play"})

    def _run(self) -> None:
        while not self._closing.wait(STEP):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """See where the source is, and tell the engine."""
        asked = str(self._controls.get("sync"))
        if asked != self._asked:
            self._turn_to(asked, now)
        source = self._sources.get(asked)
        offers, self._offers = self._offers, []
        for offer in offers if source is not None else ():
            source.offer(**offer)  # type: ignore[union-attr, arg-type]
        place = source.place(now) if source is not None else None
        self._see(place is not None, now)
        if source is None or place is None:
            return
        if self._strays(place, now):
            self._lead(Pulse(*place), now)
            self._told = now, place
        self._follow(place, source.playing())

    def _turn_to(self, asked: str, now: float) -> None:
        if self._asked in self._sources:
            self._sources[self._asked].leave()
        self._let_go(now)
        self._asked, self._since, self._missed, self._bpm, self._playing = asked, now, False, 0.0, None
        self._met = False

    def _let_go(self, now: float) -> None:
        """The engine counts by itself, on from where it is."""
        if self._source != INTERNAL:
            self._lead(Pulse(), now)
        self._source, self._told = INTERNAL, None

    def _see(self, there: bool, now: float) -> None:
        """Say when a source comes, goes, or does not come."""
        asked = self._asked
        if there and self._source != asked:
            self._say(f"The beat comes from {asked} now.")
            self._source, self._missed = asked, False
        elif not there and self._source != INTERNAL:
            self._let_go(now)
            self._say(f"The beat of {asked} has gone: ours goes on as it was, until that is back.")
            self._missed = True
        elif not there and asked != INTERNAL and not self._missed and now - self._since > AWAY:
            self._missed = True
            self._say(f"Nothing is heard of {asked} yet: the beat is our own until then.")

    def _strays(self, place: Place, now: float) -> bool:
        """Whether the engine has to be told: it counts on by itself."""
        if self._told is None or now - self._told[0] > AGAIN:
            return True
        at, told = self._told
        expected = told.beat + (now - at) * told.bpm / 60
        return abs(place.beat - expected) * 60 / place.bpm > STRAY

    def _follow(self, place: Place, playing: bool | None) -> None:
        """Have the prompts ask for the source's tempo, and the gate follow its transport."""
        if abs(place.bpm - self._bpm) > TOLD_BPM:
            self._bpm = place.bpm
            whole = round(place.bpm)
            tempo = float(whole) if abs(place.bpm - whole) < TOLD_BPM else round(place.bpm, 1)
            if self._controls.get("tempo") != tempo:
                self._controls.apply([("tempo", tempo)], _OURS)
        before, self._playing = self._playing, playing
        if self._met and playing is not None and playing != before:
            self._controls.apply([("play" if playing else "stop", None)], _OURS)
        self._met = True
