"""Let a trained nano play, a minute at a time: what it strays into is what it has to find back from.

    python -m training.stray --model musicgen/models/nano --out runs/stray
    python -m training.model --stray runs/stray ...

None of it is a target: `training.model` has it heard before a song of the style that was asked for, and asks for that
song alone.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicgen import MusicGen
from training import loop
from training.captions import caption
from training.compose import STYLES, compose
from training.evaluate.playing import Take, play

SEED = 70_000  # of the first stream, and of the song whose caption it plays
SETTLED = 100  # frames: what is played first is hardly astray


class Stray(NamedTuple):
    """A stream's codes, int16 (frames, codebooks), and the style it was asked for."""

    style: str
    codes: NDArray[np.int16]


def takes(count: int, frames: int) -> list[Take]:
    """``count`` streams of as many frames, each prompted with a caption of a song of its own; styles take turns."""
    return [
        Take(((0, caption(compose(seed, 8.0), np.random.default_rng(seed))),), frames, seed)
        for seed in range(SEED, SEED + count)
    ]


def play_share(model: Path, out: Path, count: int, frames: int) -> None:
    """This worker's share of the streams."""
    nano = MusicGen.load(str(model), threads=1)
    play(nano, takes(count, frames)[loop.rank() :: loop.workers()], out, batch=16)


def load(folder: Path) -> list[Stray]:
    """The streams without their beginnings."""
    styles = json.loads((folder / "index.json").read_text())
    return [Stray(style, np.ascontiguousarray(np.load(folder / name).T[SETTLED:])) for name, style in styles.items()]


def main() -> None:
    """Read the command line and play."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("musicgen/models/nano"), help="an exported folder")
    parser.add_argument("--out", type=Path, default=Path("runs/stray"))
    parser.add_argument("--streams", type=int, default=96)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    count, frames, out = arguments.streams, arguments.frames, arguments.out
    loop.launch(play_share, arguments.workers, arguments.model, out, count, frames)
    styles = {take.path(out).name: STYLES[take.seed % len(STYLES)] for take in takes(count, frames)}
    (out / "index.json").write_text(json.dumps(styles))


if __name__ == "__main__":
    main()
