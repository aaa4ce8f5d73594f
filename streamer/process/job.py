"""What an engine's process is to run."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from osc.tree import Value
from streamer.control.change import Change
from streamer.errors import UserError
from streamer.process.events import Event, Facts, Noted, Report

if TYPE_CHECKING:
    from streamer.engine.beginning import Excerpt

Tell = Callable[[Event], None]
"""Takes an event to the parent, from any thread."""


_PART = 2**20  # bytes


class Source(Protocol):
    """What makes the sound: `streamer.engine.core.Core`, or anything that makes blocks of audio."""

    @property
    def values(self) -> Mapping[str, Value]:
        """What is played now, by name."""
        ...

    @property
    def frontier(self) -> int:
        """The sample of the output from which a prompt that comes now is heard."""
        ...

    @property
    def pulse(self) -> tuple[float, float]:
        """Beats a minute, and the beats that have passed at the frontier."""
        ...

    def change(self, change: Change) -> None:
        """Take over a change, from any thread: at the next frame boundary, or at its frame."""

    def stands(self, names: Iterable[str]) -> dict[str, Value]:
        """What is played from the next boundary on, by name; from any thread."""
        ...

    def frame_at(self, sample: float, values: Mapping[str, Value]) -> float:
        """The frame at which values have to change to be heard from a sample of the output on."""
        ...

    def prepare(self, values: Mapping[str, Value]) -> Sequence[Noted]:
        """Do the slow part of changes ahead of them, on other threads than `read`; what is to be said of them."""
        ...

    def read(self, samples: int) -> NDArray[np.float32]:
        """The next block, (samples, channels). A `UserError` is its end: another process would fare no better."""
        ...


@dataclass(frozen=True)
class Job:
    """What a process runs. Code is named, never sent.

    Parameters
    ----------
    factory : str
        "package.module:function", called there as ``function(tell, values, rate, channels, **arguments)``; it returns a
        `Source` and a dict of facts about it for the parent. `tell` takes the source's events.
    rate, channels : int
        Of the audio.
    arguments : mapping
        For the factory.
    imports : tuple of str
        Modules to import before the word to start. A standby imports those too that the factory named as its
        "imports", among its facts: what turned out to be needed.
    opening : mapping
        Further arguments for the first process alone: what its successors are not to repeat.
    """

    factory: str
    rate: int
    channels: int
    arguments: Mapping[str, Value] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    opening: Mapping[str, Value] = field(default_factory=dict)


def music(
    model: str,
    rate: int,
    channels: int,
    backend: str = "auto",
    threads: int | None = None,
    excerpt: Excerpt | None = None,
    stems: bool = False,
    anchor: str = "card",
) -> Job:
    """The job of playing a MusicGen model, see `streamer.engine.loading.load`, on from an excerpt of a file.

    With `stems` melodies are followed without drums and bass, see `streamer.engine.melodies.Melodies`.
    """
    imports = ("streamer.engine.core", "streamer.engine.loading", "musicgen.load.checkpoint")
    arguments: dict[str, Value] = {"model": model, "backend": backend, "threads": threads or 0, "stems": stems}
    arguments |= {"anchor": anchor}
    opening: dict[str, Value] = {"strict": True}
    if excerpt is not None:
        opening |= {"path": str(excerpt.path), "start": excerpt.start, "end": excerpt.end or 0.0}
    return Job("streamer.process.job:play_model", rate, channels, arguments, imports, opening)


def play_model(
    tell: Tell,
    values: Mapping[str, Value],
    rate: int,
    channels: int,
    model: str,
    backend: str,
    threads: int,
    stems: bool,
    anchor: str,
    path: str = "",
    start: float = 0.0,
    end: float = 0.0,
    strict: bool = False,
) -> tuple[Source, Facts]:
    """The factory behind `music`; 0 threads are None, and so is an end of 0.

    Raises
    ------
    UserError
        When the model cannot be loaded or the file to go on from not be read. Where it is strict also when the melody
        cannot be followed: else it is left out, and that is reported.
    """
    from musicgen.backends import advice
    from musicgen.load.hub import find_folder
    from streamer.audio.input import open_input
    from streamer.engine.beginning import Excerpt, read_beginning
    from streamer.engine.core import Core, defaults
    from streamer.engine.loading import load
    from streamer.engine.melodies import Melodies

    def report(sentence: str) -> None:
        tell(Report(sentence))

    loaded = load(model, backend, threads or None, anchor=anchor)
    beginning = read_beginning(Excerpt(Path(path), start, end or None), loaded) if path else None
    melodies = Melodies(loaded, stems=stems, open_input=open_input, report=report)
    try:
        melodies.prepare(str(values.get("melody", "")))
    except UserError as error:
        if strict:
            raise
        report(f"{error}: the music goes on without a melody")
        values = {**values, "melody": ""}
    core = Core(loaded, values, sample_rate=rate, channels=channels, beginning=beginning, melodies=melodies, tell=tell)
    stepping = loaded.backend
    computed = {"backend": stepping.name, "threads": stepping.threads, "advice": advice(stepping.name)}
    facts = {"model": loaded.name, "licence": loaded.licence, "defaults": defaults(loaded), **computed}
    imports = [name for name in sys.modules if name.partition(".")[0] in ("musicgen", "streamer")]
    return core, {"imports": imports, "content": content(find_folder(model)), "versions": versions(), **facts}


def versions() -> dict[str, str]:
    """Of what computes, by the names of distributions."""
    found = {}
    for name in ("musicgen-streamer", "torch", "numpy", "soxr", "onnxruntime"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def content(folder: Path) -> str:
    """A hash of a model's files: of weights their sizes, beginnings and ends, since gigabytes would take minutes."""
    seen = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".safetensors", ".bin", ".th", ".json"):
            with path.open("rb") as file:
                size = file.seek(0, 2)
                seen.update(f"{path.name} {size}\n".encode())
                for start in (0, max(0, size - _PART)):
                    file.seek(start)
                    seen.update(file.read(_PART))
    return seen.hexdigest()
