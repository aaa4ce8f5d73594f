"""Offline: the engine's music to sound files, as fast as the machine can."""

from __future__ import annotations

import math
import os
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile

from streamer.control.controls import Controls
from streamer.engine.beginning import Beginning
from streamer.engine.engine import Engine, LogEntry
from streamer.engine.events import Collapsed, Event, Noted, Refused
from streamer.engine.melodies import Melodies
from streamer.engine.model import Model
from streamer.engine.together import read_together
from streamer.errors import UserError, reason
from streamer.offline.drafts import Decode, Drafts
from streamer.sound.dynamics import Samples
from streamer.sound.files import is_folder, library_name
from streamer.sound.normalise import STRATEGIES, strategy


@dataclass(frozen=True)
class Format:
    """A kind of sound file, in libsndfile's names.

    Attributes
    ----------
    rates
        Samples a second that it can hold; none: any.
    """

    container: str
    subtype: str
    rates: tuple[int, ...] = ()


# 24 bits: below any hearing, read by every DAW; and unlike libsndfile's float WAV it holds no time stamp.
FORMATS = {
    ".wav": Format("WAV", "PCM_24"),
    ".flac": Format("FLAC", "PCM_24"),
    ".mp3": Format("MP3", "MPEG_LAYER_III", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)),
    ".ogg": Format("OGG", "VORBIS"),
    ".opus": Format("OGG", "OPUS", (8000, 12000, 16000, 24000, 48000)),
}
SAMPLE_BYTES = 3
WAV_BYTES = 2**32 - 2**12
"""What a WAV file's 32-bit sizes can tell, less room for its header."""
BEST_RATE = 48_000
"""For a format that cannot hold the model's own rate."""


def render(
    model: Model,
    controls: Controls,
    seconds: float,
    path: str | Path,
    progress: Callable[[float], None] | None = None,
    *,
    sample_rate: int | None = None,
    channels: int = 2,
    log: Iterable[LogEntry] = (),
    variations: int = 1,
    normalise: str | None = None,
    compressor: bool = False,
    beginning: Beginning | None = None,
    stems: bool = False,
    report: Callable[[str], None] | None = None,
    decode: Decode | None = None,
    overwrite: bool = True,
) -> list[Path]:
    """Write what the engine plays to a sound file: WAV and FLAC of 24 bits, MP3, Ogg Vorbis, Opus.

    The file appears when it is whole. Nothing is left of one that fails, and one that was there before stays till then.
    The same model, controls and log give identical WAV, FLAC and MP3 files on the same backend with the same kernels
    and the same threads; the native backend's samples do not depend on the number of threads. An Ogg file has a serial
    number of its own.

    Parameters
    ----------
    model : musicgen.MusicGen
    controls : Controls
    seconds : float
        Length, above 0; the file has exactly ``round(seconds * sample_rate)`` samples, and at least one.
    path : str or Path
        Ends in one of `FORMATS`.
    progress : callable, optional
        Called with the seconds done so far, about twice for each of them.
    sample_rate : int, optional
        Hz; unless given the model's own, or `BEST_RATE` where the format cannot hold that.
    channels, log, beginning
        See `Engine`. The beginning counts in the length.
    variations : int
        Pieces to make in one batch, with the seeds seed, seed + 1, ...; of several, path "a.wav" is written as
        "a-1.wav", "a-2.wav", ...
    normalise : str, optional
        Level of the whole piece, one of `streamer.sound.normalise.STRATEGIES`; it is then held in memory. Unless
        given the loudness follows the controls, as live.
    compressor : bool
        See `streamer.sound.normalise.loudness`.
    stems : bool
        Whether a melody is followed without its drums and bass, see `Melodies`.
    report : callable, optional
        Called with a sentence for each time that the guard brought the music back, and for what could not be done.
    decode : callable, optional
        What makes the sound of all frames together, see `streamer.offline.drafts.Decode`; the model's codec, as live,
        unless given. The guard has to be off: it could not hear what is decoded afterwards.
    overwrite : bool
        Whether a file that exists is replaced. Else the music goes beside it, under the next free name ("a-2.wav").

    Returns
    -------
    list of Path
        The files, as they were written.

    Raises
    ------
    UserError
        For a length or a path that cannot be, a melody that cannot be followed, a guard that cannot hear, and when a
        file cannot be written.
    """
    paths = targets(path, variations)
    for target in paths:
        check_path(target)
    check_seconds(seconds)
    kind = FORMATS[paths[0].suffix.lower()]
    if sample_rate is not None:
        check_rate(path, sample_rate)
    rate = sample_rate or _own_rate(kind, model.sample_rate)
    samples = max(1, round(seconds * rate))
    if kind.container == "WAV" and samples * channels * SAMPLE_BYTES > WAV_BYTES:
        raise UserError(f"{seconds:g} s are more than a WAV file can hold: write a .flac file instead")
    if beginning is not None:
        check_longer(seconds, len(beginning.sound) / model.sample_rate)
    changes = list(log)
    if decode is not None:
        _check_deaf_guard(controls, changes)
    melodies = Melodies(model, stems=stems, report=report)  # one for all variations

    with ExitStack() as ending:

        def engine(source: Any, own: Controls, number: int, tell: Callable[[str], None] | None) -> Engine:
            made = Engine(
                source,
                own,
                sample_rate=rate,
                channels=channels,
                log=changes,
                level=normalise is None,
                beginning=beginning,
                melodies=melodies,
                tell=_told(tell, number if variations > 1 else None),
            )
            ending.callback(made.close)
            return made

        drafts = Drafts(cast(Any, model)) if decode is not None else None
        engines = [engine(drafts or model, controls, 1, report)]
        # of the model's defaults, adopted by now
        others = _other_seeds(controls, variations)
        engines += [engine(drafts or model, own, number, report) for number, own in enumerate(others, 2)]
        started = [own.controls.values() for own in engines]  # the log changes them
        blocks = _blocks(engines, samples, progress)
        if drafts is not None and decode is not None:
            deque(blocks, maxlen=0)
            played = drafts.decoded(decode, [int(values["seed"]) for values in started])
            blocks = _side_by_side([engine(played, Controls(**values), 1, None) for values in started], samples)
        if normalise is not None:
            shape = strategy(normalise, compressor)
            whole = [np.concatenate(own) for own in zip(*blocks, strict=True)]
            blocks = _cut([shape(sound, rate) for sound in whole], rate // 2)
        return write(blocks, paths, kind, rate, channels, samples, overwrite)


def targets(path: str | Path, variations: int = 1) -> list[Path]:
    """The files that so many variations are written to.

    Raises
    ------
    UserError
        For a number of them below 1.
    """
    if variations < 1:
        raise UserError(f"{variations} variations are no music: choose 1 or more")
    path = Path(path)
    numbers = range(1, variations + 1)
    return [path] if variations == 1 else [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in numbers]


def check_path(path: str | Path) -> None:
    """Refuse a path that no sound file can be written to, before any work is done.

    Raises
    ------
    UserError
        For an unknown ending, a format that this libsndfile lacks, a folder that does not exist, and a path that is a
        folder.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        *most, last = FORMATS
        raise UserError(f"the file {target} has no known ending: name a file that ends in {', '.join(most)} or {last}")
    kind = FORMATS[target.suffix.lower()]
    if not soundfile.check_format(kind.container, kind.subtype):
        raise UserError(
            f"{target.suffix} files cannot be written by this machine's libsndfile "
            f"{soundfile.__libsndfile_version__}: install a newer soundfile package, or write a .flac file"
        )
    if not is_folder(target.parent):
        raise UserError(f"the folder {target.parent} does not exist: create it first, or choose another")
    if is_folder(target):
        raise UserError(f"the path {target} is a folder: name a file")
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"the folder {target.parent} may not be written to: choose another")


def check_seconds(seconds: float) -> None:
    """Refuse a length that is no length.

    Raises
    ------
    UserError
        For zero, a negative or an infinite number, and NaN.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise UserError(f"a length cannot be {seconds:g} seconds: choose a number above 0")


def check_longer(seconds: float, beginning: float) -> None:
    """Refuse a piece that ends before its beginning (seconds) does.

    Raises
    ------
    UserError
    """
    if seconds <= beginning:
        raise UserError(f"the beginning alone is {beginning:.2f} s long: choose more than {seconds:g} seconds")


def check_normalise(name: str | None) -> None:
    """Refuse a level that is none of `streamer.sound.normalise.STRATEGIES`.

    Raises
    ------
    UserError
    """
    if name is not None and name not in STRATEGIES:
        *most, last = STRATEGIES
        raise UserError(f"there is no normalisation '{name}': choose {', '.join(most)} or {last}")


def _check_deaf_guard(controls: Controls, changes: Sequence[LogEntry]) -> None:
    if controls.get("guard") or any(name == "guard" for _, batch in changes for name, _ in batch):
        raise UserError("the guard cannot hear music that is decoded after it is made: turn it off")


def check_rate(path: str | Path, rate: int) -> None:
    """Refuse a rate (samples a second) that a kind of file cannot hold.

    Raises
    ------
    UserError
    """
    kind = FORMATS[Path(path).suffix.lower()]
    if kind.rates and rate not in kind.rates:
        raise UserError(f"{kind.subtype} cannot hold {rate} Hz: choose one of {', '.join(map(str, kind.rates))}")


def _own_rate(kind: Format, own: int) -> int:
    return own if not kind.rates or own in kind.rates else BEST_RATE


def seeds(first: int, variations: int) -> list[int]:
    """Of so many variations: counting up, and after the largest that there is from 0."""
    return [(first + i) % 2**31 for i in range(variations)]


def _other_seeds(controls: Controls, variations: int) -> list[Controls]:
    values = controls.values()
    return [Controls(**(values | {"seed": seed})) for seed in seeds(int(controls.get("seed")), variations)[1:]]


def _told(report: Callable[[str], None] | None, variation: int | None) -> Callable[[Event], None]:
    """Reports what went wrong, and in which of several variations."""

    def tell(event: Event) -> None:
        if report is not None and isinstance(event, (Collapsed, Noted, Refused)):
            report(event.sentence if variation is None else f"Variation {variation}: {event.sentence}")

    return tell


def _blocks(
    engines: Sequence[Engine], samples: int, progress: Callable[[float], None] | None
) -> Iterator[list[Samples]]:
    """What the engines play, half a second at a time."""
    rate = engines[0].sample_rate
    for start in range(0, samples, rate // 2):
        count = min(rate // 2, samples - start)
        yield [engines[0].read(count)] if len(engines) == 1 else read_together(engines, count)
        if progress is not None:
            progress((start + count) / rate)


def _side_by_side(engines: Sequence[Engine], samples: int) -> Iterator[list[Samples]]:
    """What engines play that have no stream of a model to step in one batch."""
    for blocks in zip(*(_blocks([engine], samples, None) for engine in engines), strict=True):
        yield [block for own in blocks for block in own]


def _cut(sounds: Sequence[Samples], block: int) -> Iterator[list[Samples]]:
    for start in range(0, len(sounds[0]), block):
        yield [sound[start : start + block] for sound in sounds]


def write(
    blocks: Iterator[list[Samples]],
    paths: Sequence[Path],
    kind: Format,
    rate: int,
    channels: int,
    samples: int,
    overwrite: bool,
) -> list[Path]:
    """Write to files beside the real ones, which are replaced once all are whole; returns their names."""
    written = []
    with ExitStack() as undo:
        unfinished = [undo.enter_context(_unfinished(path)) for path in paths]
        with ExitStack() as closing:
            files = []
            for path, part in zip(paths, unfinished, strict=True):
                closing.enter_context(_explained(path, part))
                # Opened by Python first: where the system refuses, it says why, and libsndfile would not.
                part.open("xb").close()
                opened = soundfile.SoundFile(
                    library_name(part), "w", rate, channels, kind.subtype, format=kind.container
                )
                files.append(closing.enter_context(opened))
            for block in blocks:
                for file, path, part, sound in zip(files, paths, unfinished, block, strict=True):
                    with _explained(path, part):
                        file.write(sound)
        for path, part in zip(paths, unfinished, strict=True):
            with _explained(path, part):
                # libsndfile does not report every short write: a FLAC file can lack its last bytes without a word.
                if (found := soundfile.info(library_name(part)).frames) != samples:
                    raise OSError(f"only {found} of {samples} samples arrived")
        for path, part in zip(paths, unfinished, strict=True):
            with _explained(path, part):
                written.append(_publish(part, path, overwrite))
    return written


def _publish(part: Path, path: Path, overwrite: bool) -> Path:
    """Give a whole file its name; unless it may overwrite, the next one that no other file has taken meanwhile."""
    if overwrite:
        return part.replace(path)
    number = 1
    while True:
        name = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
        try:
            os.link(part, name)  # the one step that fails where the name is taken
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            if os.path.lexists(name):
                continue
            part.replace(name)
        return name


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A name in the same folder, so that the last step is a rename within one file system; nothing stays of it."""
    part = path.with_name(f".{uuid.uuid4().hex}.part")  # of the file's own name it may have no room for more
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path, part: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"the file {path} could not be written: {_reason(error, part)}") from error


def _reason(error: Exception, path: Path) -> str:
    """What stood in the way. libsndfile keeps the system's words to itself, so write once more to hear them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    try:
        with path.open("ab") as file:
            file.write(bytes(2**16))
    except OSError as cause:
        return reason(cause)
    return str(error)
