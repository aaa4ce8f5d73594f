"""Beats as they come through a real port: a MIDI clock over JACK, and a peer of Ableton Link in another process.

What comes is kept with the moment at which it came, and played to an engine on a virtual clock by `benchmarks.clocks`.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.clocks import BEGINS, JITTER, Exact, Ticking
from streamer.control.pulse import Place
from streamer.control.tempo import BEATS_PER_BAR
from streamer.surfaces.midi.clock import TICK
from streamer.surfaces.midi.pll import TICKS
from tests.streamer.surfaces.test_link import Hall, Peer, until

LOOK = 0.02  # seconds
MORE = 1.0  # seconds beyond the stream


class Ported(Ticking):
    """The ticks of a process that sends them up to 5 ms early or late into JACK, as they came out here."""

    def __init__(self, bpm: float, seconds: float) -> None:
        import rtmidi

        self._came: list[float] = []
        name = f"ear {bpm:g}"
        ear: Any = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name)
        ear.ignore_types(timing=False)
        ear.set_callback(lambda event, _: self._came.append(time.monotonic()) if event[0][0] == TICK else None)
        ear.open_virtual_port("in")
        command = [sys.executable, "-m", "benchmarks.ports", name, str(bpm), str(seconds + MORE)]
        sent = subprocess.run(command, capture_output=True, text=True, check=True)
        time.sleep(MORE)
        ear.close_port()
        ear.delete()
        self._began, ticks = (float(word) for word in sent.stdout.split())
        if len(self._came) != ticks:
            raise SystemExit(f"{ticks:g} ticks were sent, and {len(self._came)} came")
        super().__init__(bpm)

    def _jittered(self) -> Iterator[float]:
        self._pll.locate(math.ceil(BEGINS * TICKS))
        yield from (came - self._began for came in self._came)
        yield math.inf


class Asked(Exact):
    """A peer of Link that has joined another's session, asked for its beat fifty times a second."""

    def __init__(self, bpm: float, seconds: float) -> None:
        super().__init__(bpm)
        hall = Hall(seconds + 120)
        try:
            leader = Peer(hall, bpm)
            peer = Peer(hall, 120.0)
            until(lambda: leader.ask()["peers"] == peer.ask()["peers"] == 1)
            leader.ask(f"tempo {bpm}")
            until(lambda: abs(peer.ask()["place"][0] - bpm) < 0.01)
            time.sleep(1.0)
            self._told = leader.ask()
            self._places = list(self._asked(peer, seconds + MORE))
            for one in (leader, peer):
                one.end()
        finally:
            hall.close()

    def _asked(self, peer: Peer, seconds: float) -> Iterator[tuple[float, Place]]:
        """Moments of the stream, and the beat there, its bars counted as the stream counts them."""
        tempo, beat = self._told["place"]
        began = self._told["now"] + (BEGINS - beat) % BEATS_PER_BAR * 60 / tempo
        time.sleep(max(0.0, began - time.monotonic()))
        now = began
        while now < began + seconds:
            told = peer.ask()
            now = told["now"]
            bpm, here = told["place"]
            bars = round((here - BEGINS - (now - began) * tempo / 60) / BEATS_PER_BAR)
            yield now - began, Place(bpm, here - bars * BEATS_PER_BAR)
            time.sleep(LOOK)

    def place(self, now: float) -> Place | None:
        at = int(np.searchsorted([moment for moment, _ in self._places], now, side="right")) - 1
        if at < 0:
            return None
        moment, place = self._places[at]
        return Place(place.bpm, place.beat + (now - moment) * place.bpm / 60)


def send(ear: str, bpm: float, seconds: float) -> None:
    """Send a clock into the port of a listener; say when the beat was `BEGINS`, and how many ticks it was."""
    import rtmidi

    out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "drum machine")
    until(lambda: any(ear in port for port in out.get_ports()))
    out.open_port(next(at for at, port in enumerate(out.get_ports()) if ear in port))
    time.sleep(0.5)
    random, first = np.random.default_rng(0), math.ceil(BEGINS * TICKS)
    began, count = time.monotonic() + 0.1, round(seconds * bpm / 60 * TICKS)
    for tick in range(first, first + count):
        due = began + (tick / TICKS - BEGINS) * 60 / bpm + random.uniform(-JITTER, JITTER)
        time.sleep(max(0.0, due - time.monotonic()))
        out.send_message([TICK])
    time.sleep(0.5)
    print(began, count)


if __name__ == "__main__":
    send(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
