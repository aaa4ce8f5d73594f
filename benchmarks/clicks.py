"""How much a sound clicks at given places, against others: whether a change of anchor can be heard.

A click is a short, wide burst: it stands out of what is around it in the second difference, which grows with the square
of frequency. The measure of a place is the loudest 2 ms of its second difference against the median of those around it,
in dB, so that the music's own level does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, mannwhitneyu

WINDOW = 0.002
"""Seconds."""
AROUND = 0.25
"""Seconds before and behind a place that it is compared with."""

Audio = NDArray[np.float32]
Levels = NDArray[np.float64]


def prominence(sound: Audio, places: Sequence[int], length: int, rate: int) -> Levels:
    """What stands out at each place, dB; places too near to an end of the sound are left out.

    Parameters
    ----------
    sound
        (samples,)
    places
        Their first samples.
    length
        Of a place, samples.
    rate
        Samples a second.
    """
    window, around = round(WINDOW * rate), round(AROUND * rate)
    curve = np.square(np.diff(np.asarray(sound, np.float64), 2, prepend=0.0, append=0.0))
    found = []
    for place in places:
        if place < around or place + length + around > len(curve):
            continue
        whole = curve[place - around : place + length + around]
        energy = whole[: len(whole) // window * window].reshape(-1, window).mean(1) + 1e-18
        first = around // window
        here = energy[first : first + -(-length // window) + 1]
        found.append(10 * np.log10(here.max() / np.median(energy)))
    return np.array(found)


def elsewhere(places: Sequence[int], count: int, hop: int, length: int, samples: int, seed: int) -> list[int]:
    """So many random places on the same grid of frames that touch none of the given ones."""
    grid = np.arange(0, samples - length, hop) + (places[0] % hop if places else 0)
    far = np.array([all(abs(place - other) >= 2 * length for other in places) for place in grid], bool)
    free = grid[far]
    chosen: list[int] = np.random.default_rng(seed).choice(free, min(count, len(free)), replace=False).tolist()
    return chosen


def compare(joins: Levels, others: Levels) -> dict[str, Any]:
    """Both distributions, and whether they are one.

    Returns
    -------
    dict
        ``joins`` and ``elsewhere``: how many, and quantiles in dB. ``louder_at_joins``: how often a join stands out
        more than another place, 0.5 if it does not matter which; with ``standard_error`` where it does not, and the
        two-sided ``p`` of Mann and Whitney (1947). ``outstanding``: the share of joins above the 95 % quantile of the
        other places, 0.05 where they are alike, with ``outstanding_p``, the chance of so many or more (binomial): some
        joins may click while most do not.
    """
    report: dict[str, Any] = {"joins": _quantiles(joins), "elsewhere": _quantiles(others)}
    if len(joins) and len(others):
        test = mannwhitneyu(joins, others)
        n, m = len(joins), len(others)
        report["louder_at_joins"] = round(float(test.statistic) / (n * m), 4)
        report["standard_error"] = round(float(np.sqrt((n + m + 1) / (12 * n * m))), 4)
        report["p"] = round(float(test.pvalue), 4)
        above = int(np.count_nonzero(joins > np.quantile(others, 0.95)))
        report["outstanding"] = round(above / n, 4)
        report["outstanding_p"] = round(float(binomtest(above, n, 0.05, "greater").pvalue), 4)
    return report


def _quantiles(levels: Levels) -> dict[str, float]:
    if not len(levels):
        return {"places": 0}
    marks = {"median_db": 0.5, "p90_db": 0.9, "p99_db": 0.99, "most_db": 1.0}
    return {"places": len(levels)} | {name: round(float(np.quantile(levels, q)), 2) for name, q in marks.items()}
