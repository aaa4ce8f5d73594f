"""Render takes of songs, see `training.compose.takes`.

    python -m training.takes --out data/takes --songs 250

Then `training.tokens --data data/takes`, as with other songs, and `training.model --takes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from training.compose import Song
from training.compose.takes import liberties_of, take, takes_of
from training.render import RATE, Audio, block_offset, describe, master, mix, tilt, write

SECONDS = 13.0  # of a take
FIRST = 800_000  # seed of the first song
CAPTIONS = 3  # of each take, beside the plain ones


def render(songs: Sequence[Song]) -> list[Audio]:
    """Render takes of one length through one master: what is louder in one of them stays so."""
    samples = round(songs[0].seconds * RATE)
    mixes = [tilt(block_offset(mix(song, samples)), song.brightness) for song in songs]
    return np.split(master(np.concatenate(mixes)), len(songs))


def write_takes(seed: int, out: Path, count: int) -> None:
    """Compose, render and write one song's takes, each an int16 .npy and a .json; the last one's comes last."""
    takes = takes_of(seed, SECONDS, count)
    songs = [take(seed, SECONDS, liberties_of(seed), **one) for one in takes]
    for number, (song, one, audio) in enumerate(zip(songs, takes, render(songs), strict=True)):
        facts = describe(song)
        write(out, f"{seed:07d}-{number}", audio, {**facts, "captions": facts["captions"][:CAPTIONS], "take": one})


def main(
    out: Annotated[Path, typer.Option(help="Folder for the takes.")],
    songs: Annotated[int, typer.Option(min=1, help="How many songs.")] = 250,
    takes: Annotated[int, typer.Option(min=2, help="Of each song.")] = 5,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Render takes of songs."""
    out.mkdir(parents=True, exist_ok=True)
    seeds = range(FIRST, FIRST + songs)
    missing = [seed for seed in seeds if not (out / f"{seed:07d}-{takes - 1}.json").exists()]
    with ProcessPoolExecutor(jobs) as pool:
        list(pool.map(partial(write_takes, out=out, count=takes), missing))


if __name__ == "__main__":
    typer.run(main)
