"""Loops as files: the sound with its loop points, tempo and bars, its stems, and a picture of its seam."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from osc.values import Value
from streamer.control.table import EFFECTS
from streamer.engine.beginning import Excerpt, read_beginning
from streamer.engine.prompts import blend_of
from streamer.engine.steering import start as start_stream
from streamer.errors import UserError
from streamer.offline.loops import Frames, Loop, make, make_of
from streamer.offline.places import Bars
from streamer.offline.render import FORMATS, check_normalise, check_path, check_rate, targets, write
from streamer.offline.stems import taken_apart
from streamer.sound.dynamics import Samples
from streamer.sound.effects import Amounts
from streamer.sound.files import check_new, is_file, seconds_of
from streamer.sound.normalise import strategy
from streamer.sound.riff import mark_loop
from streamer.sound.tags import tag_flac

if TYPE_CHECKING:
    from musicgen import MusicGen, Stream

STEMS = ("drums", "bass", "other", "vocals")
"""As Demucs names them."""
CONTEXT = 20.0
"""Seconds of a song before its bars that the model hears, at the most."""


@dataclass(frozen=True)
class Song:
    """Bars of a sound file that a loop is made of.

    Parameters
    ----------
    path : Path
        Of anything that libsndfile reads.
    at : float
        Seconds at which the first bar begins.
    """

    path: Path
    at: float

    def check(self, bars: Bars) -> None:
        """Refuse bars that are not in the file.

        Raises
        ------
        UserError
        """
        if not is_file(self.path):
            raise UserError(f"there is no file {self.path}: name a sound file to take bars from")
        length, end = seconds_of(self.path), self.at + bars.seconds
        if end > length + 0.01:
            raise UserError(
                f"the file {self.path} is {length:.2f} s long, and {bars.count} bars at {bars.bpm:g} bpm from "
                f"{self.at:g} s on end at {end:.2f} s: choose an earlier --at or fewer --bars"
            )

    def frames(self, bars: Bars, model: MusicGen) -> tuple[Frames, int]:
        """The tokens of the bars and of what comes before them, and the frame at which they begin."""
        there = math.floor((seconds_of(self.path) - self.at) * model.frame_rate + 1e-6)  # the file may end with them
        length = min(round(bars.seconds * model.frame_rate), there)
        end = self.at + length / model.frame_rate
        part = Excerpt(self.path, max(0.0, self.at - CONTEXT), end)
        frames: Frames = read_beginning(part, model, CONTEXT + bars.seconds + 1.0).frames
        return frames, max(0, frames.shape[1] - length)


def loop_targets(path: Path, variations: int) -> list[Path]:
    """The files that loops are written to, of several with a number each.

    Raises
    ------
    UserError
        For a kind of file that cannot loop.
    """
    files = targets(path, variations)
    if path.suffix.lower() not in (".wav", ".flac"):
        raise UserError(f"the file {path} would not go round to the sample: name one that ends in .wav or .flac")
    return files


def stem_of(path: Path, name: str) -> Path:
    """The file of a loop's stem: loop.wav, loop-drums.wav."""
    return path.with_name(f"{path.stem}-{name}{path.suffix}")


def picture_of(path: Path) -> Path:
    """The file of the picture of a loop's seam."""
    return path.with_suffix(".png")


def check_files(
    files: Sequence[Path],
    *,
    normalise: str = "peak",
    rate: int | None = None,
    force: bool = False,
    sources: Sequence[Path | None] = (),
    stems: bool = False,
    picture: bool = False,
) -> None:
    """Refuse what cannot be written, before any work is done.

    Raises
    ------
    UserError
        See `streamer.offline.render`; also for files that are there already, unless with force.
    """
    for file in files:
        check_path(file)
        beside = [stem_of(file, name) for name in STEMS if stems] + [picture_of(file)] * picture
        for own in (file, *beside):
            check_new(own, force=force, sources=sources)
        if rate is not None:
            check_rate(file, rate)
    check_normalise(normalise)


def write_loop(
    model: MusicGen,
    values: Mapping[str, Value],
    bars: Bars,
    path: Path,
    *,
    rate: int | None = None,
    normalise: str = "peak",
    beginning: Frames | None = None,
    song: tuple[Frames, int] | None = None,
    stems: bool = False,
    picture: bool = False,
    progress: Callable[[float], None] = lambda done: None,
) -> str:
    """Make a loop and write it, see `streamer.offline.loops.make`; how it was found, in words.

    Parameters
    ----------
    values : mapping
        Of the parameters, all of them; the tempo is worded into the prompts.
    rate : int, optional
        The model's own unless given.
    normalise : str
        One of `streamer.sound.normalise.STRATEGIES`.
    beginning : ndarray, int64, (K, F), optional
        Frames that every take goes on from.
    song : tuple, optional
        Of `Song.frames`: the loop is these bars.
    stems, picture : bool
        Whether they are written beside it.
    """
    rate = rate or model.sample_rate
    loop = _made(model, values, bars, rate, beginning, song, progress)
    sound = strategy(normalise, compressor=False)(loop.sound, rate)
    title = f"{values['prompt'] or path.stem}, {bars.bpm:g} bpm"
    parts = taken_apart(sound, bars) if stems else {}
    # one stem can be louder than all together: turned down with the others it is not cut off, and they still add up
    level = np.float32(1 / max([1.0, *(float(np.abs(part).max()) for part in parts.values())]))
    _write(path, sound * level, bars, rate, title, values)
    for name, part in parts.items():
        _write(stem_of(path, name), part * level, bars, rate, f"{title}: {name}", values)
    if picture:
        from streamer.offline.seam_picture import draw

        draw(sound, loop.seam, rate, bars, picture_of(path))
    return _told(loop, values, bars, rate)


def _made(
    model: MusicGen,
    values: Mapping[str, Value],
    bars: Bars,
    rate: int,
    beginning: Frames | None,
    song: tuple[Frames, int] | None,
    progress: Callable[[float], None],
) -> Loop:
    blend = blend_of(values)

    def start(seed: int) -> Stream:
        stream = cast(Any, start_stream(cast(Any, model), dict(values) | {"seed": seed}, blend))
        if beginning is not None:
            stream.continue_from(beginning, seed)
        return cast("Stream", stream)

    amounts = Amounts(*(float(values[name]) for name in EFFECTS))
    effects = None if amounts == Amounts() else amounts
    seed = int(values["seed"])
    if song is not None:
        return make_of(model, start, *song, bars, seed, rate=rate, effects=effects, progress=progress)
    return make(model, start, bars, seed, rate=rate, effects=effects, progress=progress)


def _write(path: Path, sound: Samples, bars: Bars, rate: int, title: str, values: Mapping[str, Value]) -> None:
    kind = FORMATS[path.suffix.lower()]
    write(iter([[sound]]), [path], kind, rate, sound.shape[1], len(sound), overwrite=True)
    if kind.container == "WAV":
        mark_loop(path, rate=rate, samples=len(sound), bpm=bars.bpm, beats=bars.beats, unit=bars.unit, bars=bars.count)
        return
    own = {"KEY": str(values["key"])} if values.get("key") else {}
    tags = {
        "TITLE": title,
        "BPM": f"{bars.bpm:g}",
        **own,
        "METRE": f"{bars.beats}/{bars.unit}",
        "BARS": str(bars.count),
        "LOOPSTART": "0",
        "LOOPLENGTH": str(len(sound)),
        "COMMENT": f"Loop of {bars.count} bars, seed {values['seed']}",
    }
    tag_flac(path, tags)


def _told(loop: Loop, values: Mapping[str, Value], bars: Bars, rate: int) -> str:
    cents = 1200 * math.log2(1 / loop.bent)
    own = f" (none at {bars.bpm * loop.bent:.4g} bpm)" if abs(cents) >= 5 else ""
    return f"seed {values['seed']}, pitch {cents:+.0f} cents{own}, seam at {loop.seam / rate:.3f} s"
