"""Which prompts nano plays best: the table of docs/prompts.md, from which README takes its ten.

    python -m benchmarks.prompts --data SONGS --held-out OTHER_SONGS --out runs/prompts > docs/prompts.md

Each prompt is played from three seeds for 12 s with nano's own sampling, told the clock where it names a tempo, as the
instrument tells it. The judges of `training.evaluate`, fitted on
renders alone, say how sure they are of its style and which tempo they hear. A prompt is as good as its worst seed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from musicgen.score import unknown
from training import judge
from training.compose.arrange import STYLES
from training.evaluate.__main__ import parser
from training.evaluate.clocks import clock
from training.evaluate.measures import longest_silence, repetition
from training.evaluate.playing import Codes, Take, written
from training.evaluate.studio import FRAMES, Studio

SECONDS = 12.0
SEEDS = (11, 12, 13)
SILENCE = 1.5  # seconds: as long as the guard lets pass

PROMPTS: dict[str, tuple[str, ...]] = {
    "ambient": (
        "slow ambient pads, calm and wide",
        "dreamy ambient drone with soft bells",
        "dark ambient, strings and deep pad in D minor",
    ),
    "bossa nova": (
        "bossa nova, nylon guitar and soft drums, 120 bpm",
        "gentle bossa nova with flute, 130 bpm",
        "warm bossa nova, acoustic guitar, piano and bass, 126 bpm",
    ),
    "chiptune": (
        "chiptune, fast and happy, 150 bpm",
        "8-bit video game music, square lead, 140 bpm",
        "retro chiptune arpeggios in C major, 160 bpm",
    ),
    "drum and bass": (
        "drum and bass, rolling breakbeat, deep bass, 174 bpm",
        "liquid drum and bass with soft pads, 172 bpm",
        "dark drum and bass, heavy reese bass, 176 bpm",
    ),
    "folk guitar": (
        "gentle folk guitar, fingerpicked, 100 bpm",
        "solo acoustic guitar, warm folk picking in G major",
        "folk guitar and flute, calm, 96 bpm",
    ),
    "funk": (
        "funk with slap bass and clavinet guitar, 108 bpm",
        "groovy funk, brass stabs and organ, 112 bpm",
        "tight funk drums, electric guitar and bass, 104 bpm",
        "happy funk with electric piano, 110 bpm",
    ),
    "house": (
        "deep house, warm bass and organ, 122 bpm",
        "house with piano chords, driving, 124 bpm",
        "melodic house, pads and plucks, 120 bpm",
        "warm house, 122 bpm",
    ),
    "jazz trio": (
        "jazz trio, piano, upright bass and brushed drums, 130 bpm",
        "swinging jazz piano trio, 150 bpm",
        "smooth late night jazz trio, 110 bpm",
    ),
    "lo-fi hip hop": (
        "rainy lo-fi piano, 85 bpm",
        "lo-fi hip hop, mellow electric piano, soft drums, 80 bpm",
        "dusty lo-fi beat with electric piano and bass, 75 bpm",
        "chill lo-fi hip hop in A minor, 78 bpm",
    ),
    "orchestral": (
        "epic orchestral strings and brass",
        "cinematic orchestra, soaring strings in D minor",
        "gentle orchestral music with flute and strings",
    ),
    "reggae": (
        "reggae, offbeat guitar and organ, deep bass, 76 bpm",
        "dub reggae with heavy bass, 72 bpm",
        "sunny reggae with organ and guitar, 80 bpm",
    ),
    "rock": (
        "rock with electric guitar and loud drums, 130 bpm",
        "driving rock, distorted guitars and bass, 140 bpm",
        "heavy rock riff, drums and bass, 120 bpm",
    ),
    "solo piano": (
        "solo piano, gentle and slow",
        "calm solo piano in C major",
        "sad solo piano ballad in A minor",
    ),
    "synthwave": (
        "synthwave, retro 80s, arpeggiated bass, 104 bpm",
        "dark synthwave with analog lead, 110 bpm",
        "dreamy synthwave, pads and drum machine, 100 bpm",
    ),
    "techno": (
        "techno, driving kick, acid bass, 132 bpm",
        "dub techno, deep bass, 120 bpm",
        "hypnotic minimal techno, 128 bpm",
        "hard techno, dark and fast, 140 bpm",
    ),
    "trap": (
        "trap beat with 808 bass and fast hi-hats, 140 bpm",
        "dark trap, bells and deep 808, 144 bpm",
        "slow trap with piano and 808, 130 bpm",
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What the judges say of a prompt, over its seeds: the worst is what a musician may meet."""

    prompt: str
    style: str
    worst: float  # probability of the style, of the least sure seed
    mean: float
    tempi: tuple[float, ...]  # heard, bpm
    kept: bool  # whether every seed kept the tempo asked for, or none was
    clean: bool  # whether no seed fell silent or froze

    @property
    def good(self) -> bool:
        """Whether every seed is fit to be shown to a newcomer."""
        return self.kept and self.clean


def asked_tempo(prompt: str) -> float | None:
    """The tempo that a prompt names, bpm."""
    words = prompt.split()
    return float(words[words.index("bpm") - 1]) if "bpm" in words else None


def take(prompt: str, seed: int) -> Take:
    """What is played: a prompt, and the clock of the tempo that it names."""
    frames, bpm = round(SECONDS * FRAMES), asked_tempo(prompt)
    score = clock(bpm, frames) if bpm else unknown(frames)
    return Take(((0, prompt),), frames, seed, written(score))


def verdict(studio: Studio, prompt: str, style: str, codes: Sequence[Codes]) -> Verdict:
    """Judge the takes of one prompt, each int16 (codebooks, frames)."""
    clips = [studio.sound(take) for take in codes]
    with torch.no_grad():
        odds = studio.jury.style(torch.stack([judge.features(clip) for clip in clips])).softmax(1)
    sure = odds[:, STYLES.index(style)].tolist()
    tempi = tuple(judge.tempo_of(clip) for clip in clips)
    wanted = asked_tempo(prompt)
    kept = wanted is None or all(judge.same_tempo(tempo, wanted) for tempo in tempi)
    clean = all(longest_silence(clip) < SILENCE for clip in clips) and all(repetition(take) <= 0.9 for take in codes)
    return Verdict(prompt, style, min(sure), sum(sure) / len(sure), tempi, kept, clean)


def page(verdicts: Sequence[Verdict]) -> str:
    """The table, the best prompt first."""
    lines = [
        "# Prompts that nano plays well",
        "",
        f"Each prompt was played for {SECONDS:g} s from {len(SEEDS)} seeds, on the clock where it names a tempo, as",
        "the instrument plays it. Judges heard the takes: networks fitted on our renders, never on what",
        "nano plays. **Worst** is the probability of the style in the least sure of the takes, **tempo**",
        "whether every take kept the tempo asked for (within 4 %, octaves allowed), **clean** whether none",
        "fell silent or froze in a loop. Made by `python -m benchmarks.prompts`.",
        "",
        "| prompt | style | worst | mean | tempo | clean |",
        "|---|---|---|---|---|---|",
    ]
    for v in sorted(verdicts, key=lambda v: (v.good, v.worst), reverse=True):
        tempo = "" if asked_tempo(v.prompt) is None else "yes" if v.kept else "no"
        clean = "yes" if v.clean else "no"
        lines.append(f"| {v.prompt} | {v.style} | {v.worst:.2f} | {v.mean:.2f} | {tempo} | {clean} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Play, judge, print the page."""
    arguments = parser().parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    studio = Studio(arguments)
    wanted = [(prompt, style) for style, prompts in PROMPTS.items() for prompt in prompts]
    takes = [take(prompt, seed) for prompt, _ in wanted for seed in SEEDS]
    codes = studio.play(takes)
    verdicts = []
    for number, (prompt, style) in enumerate(wanted):
        verdicts.append(verdict(studio, prompt, style, codes[number * len(SEEDS) : (number + 1) * len(SEEDS)]))
        print(f"{number + 1}/{len(wanted)} {prompt}: {verdicts[-1].worst:.2f}", file=sys.stderr)
    print(page(verdicts), end="")


if __name__ == "__main__":
    main()
