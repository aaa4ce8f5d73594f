"""What a hostile page may say over its WebSocket: endless, and the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from streamer.control.table import ACTIONS, PARAMETERS
from streamer.surfaces.commands import COMMANDS

POLITE = "width"
"""What it leaves alone, for whoever looks whether others still get through."""
PATHS = [own.path for own in PARAMETERS] + [own.name for own in ACTIONS] + [own.path for own in COMMANDS]
PATHS.remove(POLITE)
ODD = ["", "\0", "\x1b[2J", "../../etc/passwd", "💥" * 50, "/mg/volume", "#bundle", "\u202e", "x" * 1000, "-0", "NaN"]
NUMBERS = [0, -1, 2**31, 2**63, 10**400, 1e308, -1e-320, float("nan"), float("inf"), True, None]


def messages(seed: int) -> Iterator[str | bytes]:
    """Nonsense, near misses and mutants of what a page does say."""
    chance = random.Random(seed)
    kinds = [_nonsense, _deep, _near_miss, _near_miss, _mutant, _mutant]
    while True:
        yield chance.choice(kinds)(chance)


def _nonsense(chance: random.Random) -> str | bytes:
    data = chance.randbytes(chance.randrange(200))
    return data if chance.random() < 0.05 else data.decode("latin-1")


def _deep(chance: random.Random) -> str:
    depth = chance.choice([10, 500, 1000])
    return chance.choice(["[" * depth, "[" * depth + "]" * depth, '{"a":' * (depth // 5), '["volume",' + "[" * depth])


def _near_miss(chance: random.Random) -> str:
    values: list[object] = [chance.choice([*ODD, *NUMBERS, [], {}, [[]]]) for _ in range(chance.randrange(20))]
    return json.dumps([chance.choice([*PATHS, *ODD, 7, None]), *values])[:2000]


def _mutant(chance: random.Random) -> str:
    text = list(json.dumps([chance.choice(PATHS), chance.choice([*NUMBERS, "deep house"])])[:500])
    for _ in range(chance.randrange(1, 4)):
        text[chance.randrange(len(text))] = chance.choice('[]{}",:\\0-eE.\0 u')
    return "".join(text)
