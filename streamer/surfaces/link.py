"""Ableton Link as a source of time: tempo, beat and transport shared with every peer on the network.

The library (linkpython-extern, GPL) is imported when somebody asks for Link, and never before.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from streamer.control.pulse import Place
from streamer.control.tempo import BEATS_PER_BAR, FASTEST, SLOWEST, USUAL
from streamer.reporting import Say

_MICRO = 1e-6


class Link:
    """Joins the session while it is asked for its beat (see `streamer.surfaces.sync`), and leaves it with `leave`.

    Parameters
    ----------
    bpm : float
        Of a session that nobody else is in yet, until somebody sets another.
    say
        Takes the sentence where there is no library.
    """

    def __init__(self, say: Say, bpm: float = USUAL) -> None:
        self._say = say
        self._bpm = bpm
        self._link: Any = None
        self._missing = False
        self._ran = False  # whether anybody has played

    @property
    def peers(self) -> int:
        """Others in the session."""
        return int(self._link.numPeers()) if self._link is not None else 0

    def place(self, now: float) -> Place | None:
        """As `Source.place`."""
        if not self._joined():
            return None
        state = self._link.captureAppSessionState()
        bpm = float(state.tempo())
        if not SLOWEST <= bpm <= FASTEST:
            return None
        return Place(bpm, float(state.beatAtTime(self._micros(now), float(BEATS_PER_BAR))))

    def playing(self) -> bool | None:
        """As `Source.playing`: alone, and until somebody plays, nobody has said anything."""
        playing = self.peers > 0 and bool(self._link.captureAppSessionState().isPlaying())
        self._ran = self.peers > 0 and (self._ran or playing)
        return playing if self._ran else None

    def offer(self, bpm: float | None = None, playing: bool | None = None) -> None:
        """Tell the peers of another tempo, or of play and stop."""
        if not self._joined():
            return
        state, now = self._link.captureAppSessionState(), self._micros(time.monotonic())
        if bpm is not None:
            state.setTempo(min(max(bpm, SLOWEST), FASTEST), now)
        if playing is not None:
            state.setIsPlaying(playing, now)
        self._link.commitAppSessionState(state)

    def leave(self) -> None:
        """Leave the session."""
        if self._link is not None:
            self._link.enabled = False
            self._link = None

    def _joined(self) -> bool:
        if self._link is None and not self._missing:
            try:
                import link
            except ImportError:
                self._missing = True
                self._say(f"Ableton Link needs its library: run `{sys.executable} -m pip install linkpython-extern`.")
                return False
            self._link = link.Link(self._bpm)
            self._link.startStopSyncEnabled = True
            self._link.enabled = True
        return self._link is not None

    def _micros(self, moment: float) -> int:
        """A moment of the monotonic clock on Link's own."""
        before = time.monotonic()
        micros = int(self._link.clock().micros())
        between = (before + time.monotonic()) / 2
        return micros + round((moment - between) / _MICRO)
