"""Whether music comes again: half minutes of what was heard, held against each other.

`benchmarks.background` writes down what is heard, and asks. What counts as the same music, and why:
`streamer.surfaces.programme.passages`.
"""

from __future__ import annotations

import numpy as np

from streamer.surfaces.programme.passages import ALIKE, LENGTH, PIECE, STEP, Heard, piece, shown

APART = 60.0
"""Seconds from a half minute to the one that is held against it, at the least."""
_TOGETHER = 1024  # pieces that are held in memory at once


def repetition(heard: Heard) -> dict[str, object]:
    """How often half minutes come again a minute later or more; every second of what was heard, (rows, notes), begins
    one."""
    second, apart = round(1.0 / STEP), round(APART / STEP)
    notes = shown(heard)
    count = len(notes) - LENGTH + 1
    if count <= apart:
        raise SystemExit(f"Let it play for longer: nothing comes again within {APART + PIECE:g} s.")
    asked = np.arange(0, count, second)
    most, where = np.zeros(len(asked), np.float32), asked.copy()
    for first in range(0, len(asked), _TOGETHER):
        some = asked[first : first + _TOGETHER]
        held = np.stack([piece(notes, int(start)) for start in some])
        for begin in range(int(some[0]) + apart, count, _TOGETHER):
            later = np.arange(begin, min(begin + _TOGETHER, count))
            alike = held @ np.stack([piece(notes, int(start)) for start in later]).T
            alike[later < some[:, None] + apart] = -1.0
            best = alike.max(axis=1)
            better = best > most[first : first + len(some)]
            where[first : first + len(some)][better] = later[alike.argmax(axis=1)[better]]
            most[first : first + len(some)][better] = best[better]
    again, pair = most >= ALIKE, int(most.argmax())
    return {
        "kind": "repetition",
        "hours": round(len(heard) * STEP / 3600, 3),
        "pieces": len(asked),
        "repetitions": int(again.sum()),
        "later_than_5_min": int((again & (where - asked > 300 / STEP)).sum()),
        "alike_from": ALIKE,
        "alike_most": round(float(most.max()), 3),
        "alike_most_at_s": [round(float(asked[pair]) * STEP, 1), round(float(where[pair]) * STEP, 1)],
        "alike_median": round(float(np.median(most)), 3),
    }
