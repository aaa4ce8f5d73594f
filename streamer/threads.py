"""Threads that the music needs: what goes wrong in one is said, and the thread goes on.

Every thread of `streamer` is begun here, but for those of `streamer.reporting`, which this file needs itself: none dies
without a word (a test walks the source).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import ParamSpec

from streamer.reporting import Say, complain, explained, mention

P = ParamSpec("P")

SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds between a stumble and the next try; they double while it stumbles on."""
CALM_SECONDS = 60.0
"""The same fault is told again after so many."""


def lasting(name: str, run: Callable[[], None], say: Say = mention) -> threading.Thread:
    """A thread that calls `run` until it returns, and again whenever it raises; it is yet to be started.

    Parameters
    ----------
    name
        For the sentence about what went wrong.
    run
        Keeps its state outside of itself, so that it can be called again. It looks first whether it should end.
    say
        Takes the sentence: once, and after a minute again while the fault stays. It may raise.
    """
    return threading.Thread(target=_last, args=(name, run, say), name=name, daemon=True)


def shielded(function: Callable[P, None], say: Say = mention) -> Callable[P, None]:
    """A function that somebody else gave, as one that never raises: what it raises is said."""

    def call(*arguments: P.args, **named: P.kwargs) -> None:
        try:
            function(*arguments, **named)
        except Exception as error:
            say(f"What was to be told could not be taken in, and all else goes on ({explained(error)}).")

    return call


def fleeting(name: str, run: Callable[[], object]) -> threading.Thread:
    """A thread for one thing that may never come to its end; it is yet to be started."""
    return threading.Thread(target=run, name=name, daemon=True)


def _last(name: str, run: Callable[[], None], say: Say) -> None:
    told: dict[str, float] = {}
    pause, begun = SHORTEST_PAUSE, time.monotonic()
    while True:
        try:
            run()
            return
        except Exception as error:
            now = time.monotonic()
            pause = SHORTEST_PAUSE if now - begun > CALM_SECONDS else pause
            _tell_once(name, explained(error), told, now, say)
        time.sleep(pause)
        pause, begun = min(2 * pause, LONGEST_PAUSE), time.monotonic()


def _tell_once(name: str, fault: str, told: dict[str, float], now: float, say: Say) -> None:
    if now - told.get(fault, -CALM_SECONDS) < CALM_SECONDS:
        return
    if len(told) > 100:
        told.clear()
    told[fault] = now
    try:
        say(f"The thread {name!r} stumbled and goes on ({fault}).")
    except Exception:  # who listens is not ours
        complain(f"What reports raised an error of its own; it was to say: the thread {name!r} stumbled ({fault}).")
