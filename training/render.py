"""Render songs: a GM soundfont and own synths, mixed, compressed, loudness-normalised; and data sets of them.

``python -m training.render --hours 16 --out data/songs`` is resumable: songs already there are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyloudnorm
import typer
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d
from scipy.signal import butter, oaconvolve, sosfilt

from training.captions import caption
from training.compose import Song, Track, compose, drumkit, liberties, synth
from training.compose.groove import DRUMS
from training.compose.takes import take

RATE = 32000
FRAME = 640
LOUDNESS = -16.0
PEAK = 0.95
HELD_OUT = 1_000_000
TICK = 64
Audio = NDArray[np.float32]

SOUNDFONTS = ("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3", "/usr/share/sounds/sf3/default-GM.sf3")
ROOMS = {"room": (0.5, 6000.0), "plate": (1.2, 7500.0), "hall": (2.6, 4500.0)}


def soundfont_path() -> Path:
    """Return the GM soundfont: ``$SOUNDFONT``, else Debian's FluidR3Mono.

    Raises
    ------
    FileNotFoundError
        If there is none; the message names the package.
    """
    named = os.environ.get("SOUNDFONT")
    for path in (Path(named),) if named else (Path(name) for name in SOUNDFONTS):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"No soundfont at {named or SOUNDFONTS[0]}: run `apt install fluidr3mono-gm-soundfont` or set SOUNDFONT."
    )


@lru_cache(maxsize=1)
def sampler() -> tuple[Any, int]:
    """Load the soundfont once a process: (synth, soundfont id)."""
    import tinysoundfont

    player = tinysoundfont.Synth(samplerate=RATE, gain=-6.0)
    return player, player.sfload(str(soundfont_path()), max_voices=128)


def play_sampled(program: int, drums: bool, track: Track, samples: int) -> Audio:
    """Play a track from the soundfont: float32 ``(samples,)``. Events fall on ticks of 64 samples (2 ms)."""
    player, font = sampler()
    player.sounds_off()
    player.program_select(track.channel, font, 128 if drums else 0, program, drums)
    events: list[tuple[int, int, int]] = []
    for note in track.notes:
        begin = round(note.start * RATE) // TICK * TICK
        end = begin + max(TICK, round(note.duration * RATE) // TICK * TICK)
        events += [(begin, note.pitch, note.velocity), (end, note.pitch, 0)]
    buffer = np.zeros((samples, 2), np.float32)
    view = buffer.data.cast("B")
    now = 0
    for at, pitch, velocity in sorted(events, key=lambda event: (event[0], event[2])):
        at = min(at, samples)
        if at > now:
            player.generate_simple(at - now, buffer=view[8 * now : 8 * at])
            now = at
        if velocity:
            player.noteon(track.channel, pitch, velocity)
        else:
            player.noteoff(track.channel, pitch)
    if now < samples:
        player.generate_simple(samples - now, buffer=view[8 * now :])
    player.sounds_off()
    mono: Audio = buffer.mean(axis=1)
    return mono


def play_track(track: Track, samples: int) -> Audio:
    """Play a track dry with the voice it names."""
    kind, _, name = track.voice.partition(" ")
    if kind == "synth":
        machine = drumkit.play if name in drumkit.KITS else synth.play
        return machine(name, track.notes, samples)
    return play_sampled(int(name), kind == "kit", track, samples)


def level(audio: Audio, decibels: float) -> Audio:
    """Scale a track so that the RMS of its sounding 50 ms blocks is `decibels` below full scale less 12 dB."""
    power = (audio[: len(audio) // 1600 * 1600].reshape(-1, 1600) ** 2).mean(axis=1)
    sounding = power[power > 1e-3 * power.max(initial=0.0)]
    if not len(sounding) or power.max() < 1e-12:
        return audio
    scaled: Audio = audio * np.float32(10 ** ((decibels - 12) / 20) / np.sqrt(sounding.mean()))
    return scaled


@lru_cache(maxsize=3)
def impulse(room: str) -> Audio:
    """Return a room's impulse response: decaying filtered noise of unit energy."""
    seconds, cutoff = ROOMS[room]
    t = np.arange(int(seconds * RATE)) / RATE
    tail = np.random.default_rng(len(room)).standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    tail *= np.minimum(t / 0.015, 1)
    tail = sosfilt(butter(1, [180.0, cutoff], "bandpass", fs=RATE, output="sos"), tail)
    unit: Audio = (tail / np.sqrt((tail**2).sum())).astype(np.float32)
    return unit


def duck_curve(song: Song, samples: int) -> Audio:
    """Return the sidechain's gain: down at every kick, back within a beat."""
    curve = np.ones(samples, np.float32)
    beat = int(60 / song.bpm * RATE)
    dip = 1 - song.duck * np.exp(-np.arange(beat) / (0.35 * beat)).astype(np.float32)
    dip[:64] = np.linspace(1, dip[64], 64)
    for track in song.tracks:
        if track.instrument == "drums":
            for note in track.notes:
                if note.pitch == DRUMS["kick"]:
                    start = round(note.start * RATE)
                    part = curve[start : start + beat]
                    np.minimum(part, dip[: len(part)], out=part)
    return curve


def mix(song: Song, samples: int) -> Audio:
    """Play and sum the song's tracks with ducking and reverb: float32 ``(samples,)``."""
    dry, wet = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
    curve = duck_curve(song, samples) if song.duck else None
    for track in song.tracks:
        audio = level(play_track(track, samples), track.level)
        if track.ducked and curve is not None:
            audio = audio * curve
        dry += audio
        wet += np.float32(track.send) * audio
    if song.room in ROOMS:
        dry += oaconvolve(wet, impulse(song.room))[:samples].astype(np.float32)
    return dry


def block_offset(audio: Audio) -> Audio:
    """Leave out what lies below 20 Hz: some of the soundfont's samples carry an offset as large as their sound."""
    blocked: Audio = sosfilt(butter(2, 20.0, "highpass", fs=RATE, output="sos"), audio).astype(np.float32)
    return blocked


def tilt(audio: Audio, brightness: float, corner: float = 1500.0) -> Audio:
    """Shelve everything above `corner` Hz by up to 5 dB down (-1) or up (1)."""
    low = sosfilt(butter(1, corner, fs=RATE, output="sos"), audio).astype(np.float32)
    shelved: Audio = low + (audio - low) * np.float32(10 ** (brightness * 5 / 20))
    return shelved


def compress(audio: Audio, threshold: float = -18.0, ratio: float = 2.0) -> Audio:
    """Compress softly: 10 ms blocks, 30 ms smoothing around each, `ratio` above `threshold` dB."""
    block = 320
    padded = np.pad(audio, (0, -len(audio) % block))
    power = uniform_filter1d((padded.reshape(-1, block) ** 2).mean(axis=1), 7)
    over = np.maximum(0, 10 * np.log10(power + 1e-12) - threshold)
    gain = 10 ** (-over * (1 - 1 / ratio) / 20)
    centres = np.arange(len(gain)) * block + block / 2
    return audio * np.interp(np.arange(len(audio)), centres, gain).astype(np.float32)


def limit(audio: Audio, peak: float = PEAK) -> Audio:
    """Limit to `peak` with 4 ms look-ahead on both sides; smooth, so it does not click."""
    if np.abs(audio).max(initial=0.0) <= peak:
        return audio
    need = np.minimum(1, peak / np.maximum(maximum_filter1d(np.abs(audio), 129), 1e-9))
    gain = uniform_filter1d(minimum_filter1d(need, 129), 129)
    return np.clip(audio * gain, -peak, peak).astype(np.float32)


def master(audio: Audio) -> Audio:
    """Compress and bring to -16 LUFS with peaks <= 0.95."""
    meter = pyloudnorm.Meter(RATE)
    audio = compress(audio / np.float32(max(1e-9, np.sqrt((audio**2).mean()))) * np.float32(0.125))
    for _ in range(3):
        loudness = meter.integrated_loudness(audio.astype(np.float64))
        if not np.isfinite(loudness) or abs(loudness - LOUDNESS) < 0.05:
            break
        audio = limit(audio * np.float32(10 ** ((LOUDNESS - loudness) / 20)))
    return audio


def render(song: Song) -> Audio:
    """Render a song: mono float32 ``(round(seconds * 32000),)`` at 32 kHz, -16 LUFS, peaks within +-0.95."""
    return master(tilt(block_offset(mix(song, round(song.seconds * RATE))), song.brightness))


def song_seconds(seed: int) -> float:
    """Return a data-set song's length: 14 to 22 s, whole 20 ms frames.

    A loop comes several times in that; a longer song says little that is new.
    """
    return int(np.random.default_rng([seed, 1]).integers(700, 1101)) * FRAME / RATE


def seeds(first: int, hours: float) -> Iterator[int]:
    """Count up seeds from `first` until their songs fill `hours`."""
    total = 0.0
    while total < hours * 3600:
        yield first
        total += song_seconds(first)
        first += 1


def describe(song: Song) -> dict[str, Any]:
    """Return a song's metadata with 12 captions (and 8 from held-out templates) for its JSON file."""
    rng = np.random.default_rng([song.seed, 2])
    return {
        "seed": song.seed,
        "seconds": song.seconds,
        "frames": round(song.seconds * RATE) // FRAME,
        "style": song.style,
        "bpm": song.bpm,
        "tonic": song.tonic,
        "mode": song.mode,
        "instruments": song.instruments,
        "moods": song.moods,
        "drums": song.has_drums,
        "liberties": [name for name, taken in song.liberties._asdict().items() if taken],
        "captions": [caption(song, rng) for _ in range(12)],
        "held_out_captions": [caption(song, rng, held_out=True) for _ in range(8)],
    }


def again(facts: dict[str, Any]) -> Song:
    """The song that `describe` told these facts of, composed once more."""
    taken = liberties.Liberties(**dict.fromkeys(facts.get("liberties", ()), True))
    if "take" in facts:
        return take(facts["seed"], facts["seconds"], taken, **facts["take"])
    return compose(facts["seed"], facts["seconds"], taken)


def write_song(seed: int, out: Path, free: bool = False) -> None:
    """Compose, render and write one song, whole or not at all: the JSON file last. A ``free`` one takes liberties."""
    song = compose(seed, song_seconds(seed), liberties.drawn(seed) if free else liberties.NONE)
    write(out, f"{seed:07d}", render(song), describe(song))


def write(out: Path, name: str, audio: Audio, facts: dict[str, Any]) -> None:
    """Write a song's sound, int16, and then what is known of it, each whole or not at all."""
    temporary = out / f".{name}.{os.getpid()}.tmp"
    with temporary.open("wb") as file:
        np.save(file, np.round(audio * 32767).astype(np.int16))
    temporary.replace(out / f"{name}.npy")
    temporary.write_text(json.dumps(facts))
    temporary.replace(out / f"{name}.json")


def main(
    out: Annotated[Path, typer.Option(help="Folder for the songs.")],
    hours: Annotated[float, typer.Option(min=0.0, help="Hours of music.")] = 16.0,
    seed: Annotated[int, typer.Option(min=0, max=HELD_OUT - 1, help="First seed.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    free: Annotated[bool, typer.Option("--free", help="Songs take liberties, for the score inputs.")] = False,
    held_out: Annotated[bool, typer.Option("--held-out", help="Use the seeds kept for validation.")] = False,
) -> None:
    """Render a data set: one int16 .npy (32 kHz mono) and one .json a song."""
    try:
        soundfont_path()
    except FileNotFoundError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    out.mkdir(parents=True, exist_ok=True)
    wanted = list(seeds(seed + HELD_OUT * held_out, hours))
    missing = [one for one in wanted if not (out / f"{one:07d}.json").exists()]
    columns = ("[progress.description]{task.description}", BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
        task = progress.add_task("songs", total=len(wanted), completed=len(wanted) - len(missing))
        work = partial(write_song, out=out, free=free)
        if jobs == 1:
            for one in missing:
                work(one)
                progress.advance(task)
            return
        with ProcessPoolExecutor(jobs) as pool:
            for _ in pool.map(work, missing, chunksize=4):
                progress.advance(task)


if __name__ == "__main__":
    typer.run(main)
