"""Whether nano follows a tempo and a key that are asked for by parameter as well as those in a prompt.

    python -m benchmarks.wording --data SONGS --held-out OTHER_SONGS --out runs/wording

Every row plays the same styles, tempi and keys from the same seeds; only the words differ. The last row of each part is
`streamer.control.wording`. The judges are those of `training.evaluate`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from streamer.control.wording import NOTES, worded
from training import judge
from training.compose.arrange import STYLES, TABLE
from training.evaluate.__main__ import parser
from training.evaluate.material import NO_PULSE, key_number
from training.evaluate.playing import Take
from training.evaluate.studio import FRAMES, Studio

SECONDS = 10.0
EACH = 4
"""Clips a style."""

Words = Callable[[str, str], str]
"""A style and what is asked for, as a prompt."""

TEMPO_WORDS: dict[str, Words] = {
    "prompt: STYLE, N bpm": lambda style, bpm: f"{style}, {bpm} bpm",
    "prompt: STYLE at N bpm": lambda style, bpm: f"{style} at {bpm} bpm",
    "prompt: N bpm STYLE": lambda style, bpm: f"{bpm} bpm {style}",
    "parameter": lambda style, bpm: worded(style, tempo=float(bpm)),
}
KEY_WORDS: dict[str, Words] = {
    "prompt: STYLE in KEY": lambda style, key: f"{style} in {key}",
    "prompt: KEY STYLE": lambda style, key: f"{key} {style}",
    "parameter": lambda style, key: worded(style, key=key),
}


@dataclass(frozen=True)
class Asked:
    """A style and a tempo or a key."""

    style: str
    words: str
    number: float  # bpm, or the key's number


def tempi(seed: int) -> list[Asked]:
    """Whole tempi of each style's range, but for styles without a pulse."""
    rng = np.random.default_rng(seed)
    drawn = [(s, int(rng.integers(TABLE[s].bpm[0], TABLE[s].bpm[1] + 1))) for s in STYLES for _ in range(EACH)]
    return [Asked(style, str(bpm), bpm) for style, bpm in drawn if style not in NO_PULSE]


def keys(seed: int) -> list[Asked]:
    """Keys that the style is played in, every tonic as often."""
    rng = np.random.default_rng(seed)
    asked = []
    modes = {style: [mode for mode in ("major", "minor") if mode in TABLE[style].modes] for style in STYLES}
    for number, style in enumerate(s for s in STYLES for _ in range(EACH) if modes[s]):
        tonic, mode = 5 * number % 12, modes[style][int(rng.integers(len(modes[style])))]
        asked.append(Asked(style, f"{NOTES[tonic]} {mode}", key_number(tonic, mode)))
    return asked


def kept(studio: Studio, asked: Sequence[Asked], words: Words, tempo: bool) -> float:
    """The share of clips in which the judge hears what was asked for."""
    takes = [Take(((0, words(a.style, a.words)),), round(SECONDS * FRAMES), 500 + i) for i, a in enumerate(asked)]
    clips = [studio.sound(codes) for codes in studio.play(takes)]
    if tempo:
        hits = [judge.same_tempo(judge.tempo_of(clip), a.number) for clip, a in zip(clips, asked, strict=True)]
    else:
        with torch.no_grad():
            heard = studio.jury.key(torch.stack([judge.chroma(clip) for clip in clips])).argmax(1).tolist()
        hits = [key == a.number for key, a in zip(heard, asked, strict=True)]
    return sum(hits) / len(hits)


def main() -> None:
    """Play, judge, print a table."""
    arguments = parser().parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    studio = Studio(arguments)
    print("| asked for | words | kept | clips |\n|---|---|---|---|")
    for name, asked, wordings in (("tempo", tempi(1), TEMPO_WORDS), ("key", keys(2), KEY_WORDS)):
        for words, write in wordings.items():
            print(
                f"| {name} | {words} | {kept(studio, asked, write, name == 'tempo'):.0%} | {len(asked)} |", flush=True
            )
    print(f"model {studio.fingerprint}", file=sys.stderr)


if __name__ == "__main__":
    main()
