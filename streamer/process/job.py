"""What an engine's process is to run."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from osc.values import Value
from streamer.control.change import Change
from streamer.errors import UserError
from streamer.process.events import Event, Facts, Noted, Report
from streamer.process.heap import free_memory
from streamer.process.newborn import NEEDED

if TYPE_CHECKING:
    from musicgen import MusicGen
    from streamer.engine.beginning import Excerpt

Tell = Callable[[Event], None]
"""Takes an event to the parent, from any thread."""


SMALL = 2**29
"""Bytes of weights that a spare may always load a second time."""

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

    def prepare(self, values: Mapping[str, Value], over: float = 0.0) -> Sequence[Noted]:
        """Do the slow part of changes ahead of them, on other threads than `read`; what is to be said of them.

        over: seconds in which they are reached.
        """
        ...

    def give_time(self, seconds: float) -> None:
        """How long the next blocks may wait for anybody else."""
        ...

    def state(self) -> bytes:
        """Where it stands, for the factory of a successor; asked for only where the job has a loader."""
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
        For the factory. Successors get others in their place that the factory named as "settled", among its facts: what
        the first process chose or measured, and a successor must not find otherwise.
    imports : tuple of str
        Modules to import before the word to start. A standby imports those too that the factory named as its
        "imports", among its facts: what turned out to be needed.
    opening : mapping
        Further arguments for the first process alone: what its successors are not to repeat.
    loader : str
        "package.module:function" of what can be done ahead, called as ``function(**arguments)``; what it returns goes
        to the factory as `loaded`. A spare has done it before it is needed, where the fact "spare" is true, and its
        factory gets a `state` to go on from, if there is one; one that it cannot use is a `ValueError`.
    """

    factory: str
    rate: int
    channels: int
    arguments: Mapping[str, Value] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    opening: Mapping[str, Value] = field(default_factory=dict)
    loader: str = ""

    def settled(self, facts: Facts) -> Job:
        """What a successor of the process that told these facts is to run."""
        return replace(self, arguments={**self.arguments, **facts.get("settled", {})})


@dataclass(frozen=True)
class Opened:
    """A model, and what is told of it."""

    model: MusicGen
    facts: Facts


def music(
    model: str,
    rate: int,
    channels: int,
    backend: str = "auto",
    threads: int | None = None,
    excerpt: Excerpt | None = None,
    stems: bool = False,
    anchor: str = "card",
    chunk_frames: int = 1,
) -> Job:
    """The job of playing a MusicGen model, see `streamer.engine.loading.load`, on from an excerpt of a file.

    With `stems` melodies are followed without drums and bass, see `streamer.engine.melodies.Melodies`. More frames in
    a chunk take less of the processor, and what changes is heard later by as much.
    """
    arguments: dict[str, Value] = {"model": model, "backend": backend, "threads": threads or 0, "stems": stems}
    arguments |= {"anchor": anchor, "chunk_frames": chunk_frames}
    opening: dict[str, Value] = {"strict": True}
    if excerpt is not None:
        opening |= {"path": str(excerpt.path), "start": excerpt.start, "end": excerpt.end or 0.0}
    return Job(
        "streamer.process.job:play_model",
        rate,
        channels,
        arguments,
        NEEDED,
        opening,
        loader="streamer.process.job:load_model",
    )


def load_model(model: str, backend: str, threads: int, anchor: str, **_: Value) -> Opened:
    """The loader behind `music`; 0 threads are None.

    Raises
    ------
    UserError
        When the model cannot be loaded.
    """
    from musicgen.backends import advice
    from musicgen.load.hub import find_folder
    from streamer.engine.core import defaults
    from streamer.engine.loading import load

    loaded = load(model, backend, threads or None, anchor=anchor)
    folder, stepping = find_folder(model), loaded.backend
    computed = {"backend": stepping.name, "threads": stepping.threads, "advice": advice(stepping.name)}
    facts = {"model": loaded.name, "licence": loaded.licence, "defaults": defaults(loaded), **computed}
    facts |= {"content": content(folder), "versions": versions(), "spare": has_room(weights(folder))}
    facts["settled"] = {"backend": stepping.name}
    facts["frame_rate"] = loaded.frame_rate
    return Opened(loaded, facts)


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
    loaded: Opened | None = None,
    state: bytes = b"",
    path: str = "",
    start: float = 0.0,
    end: float = 0.0,
    strict: bool = False,
    chunk_frames: int = 1,
) -> tuple[Source, Facts]:
    """The factory behind `music`; 0 threads are None, and so is an end of 0.

    Raises
    ------
    UserError
        When the model cannot be loaded or the file to go on from not be read. Where it is strict also when the melody
        cannot be followed: else it is left out, and that is reported.
    """
    from streamer.audio.input import open_input
    from streamer.engine.beginning import Excerpt, read_beginning
    from streamer.engine.core import Core
    from streamer.engine.melodies import Melodies
    from streamer.engine.standing import Standing

    def report(sentence: str) -> None:
        tell(Report(sentence))

    loaded = loaded or load_model(model, backend, threads, anchor)
    own = loaded.model
    beginning = read_beginning(Excerpt(Path(path), start, end or None), own) if path else None
    melodies = Melodies(own, stems=stems, open_input=open_input, report=report)
    try:
        melodies.prepare(str(values.get("melody", "")))
    except UserError as error:
        if strict:
            raise
        report(f"{error}: the music goes on without a melody")
        values = {**values, "melody": ""}
    core = Core(
        own,
        values,
        sample_rate=rate,
        channels=channels,
        chunk_frames=chunk_frames,
        beginning=beginning,
        melodies=melodies,
        tell=tell,
        goes_on=Standing.from_bytes(state) if state else None,
        live=True,
    )
    imports = [name for name in sys.modules if name.partition(".")[0] in ("musicgen", "streamer")]
    return core, {"imports": imports, **loaded.facts}


def weights(folder: Path) -> int:
    """Bytes of a model's weights."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".th"))


def has_room(size: int) -> bool:
    """Whether a second process may load so many bytes of weights: few always, more where memory is plenty."""
    free = free_memory()
    return size < SMALL or (free is not None and free > 3 * size)


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
