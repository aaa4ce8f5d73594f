"""How many threads a step should use: measured, since neither cores nor memory tell it beforehand."""

import os
import time
from collections.abc import Callable

WORTH = 0.9  # more threads must take at most this share of the time of fewer
REPEATS = 5


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def best_threads(use: Callable[[int], None], step: Callable[[], object], most: int) -> int:
    """The smallest number of threads that the next larger one (1, 2, 4, ...) does not beat by a tenth.

    Parameters
    ----------
    use
        Sets the number of threads. It is called last with the number returned.
    step
        What to measure.
    most
        Never more than so many.
    """
    if most < 2:
        use(1)
        return 1
    best, least = 1, float("inf")
    count = 1
    while count <= most:
        use(count)
        taken = least_time(step)
        if taken > WORTH * least:
            break
        best, least = count, taken
        count *= 2
    use(best)
    return best


def least_time(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some runs, after one that does not count."""
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
