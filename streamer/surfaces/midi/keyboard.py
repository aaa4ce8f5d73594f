"""Keys that are held, as the notes of a chord: of one channel, on any port, with the pedal."""

from __future__ import annotations

from streamer.surfaces.midi.hands import Touch

_PEDAL = 64
"""The controller of a sustain pedal."""
_DOWN = 0.5


class Keyboard:
    """Knows which keys sound; one thread at a time."""

    def __init__(self) -> None:
        self._held: set[tuple[str, int]] = set()  # port and key
        self._ringing: set[tuple[str, int]] = set()  # let go of while the pedal was down
        self._pedals: set[str] = set()  # ports whose pedal is down

    @property
    def notes(self) -> str:
        """What sounds, as the parameter `notes` has it."""
        return " ".join(map(str, sorted({key for _, key in self._held | self._ringing})))

    def play(self, port: str, channel: int, touch: Touch) -> bool:
        """Take in what a hand did; whether it was for this channel's keys or pedal."""
        kind, own, number = touch.knob.split()
        if int(own) != channel:
            return False
        key = port, int(number)
        if kind == "note" and touch.value > 0:
            self._held.add(key)
        elif kind == "note":
            if key in self._held and port in self._pedals:
                self._ringing.add(key)
            self._held.discard(key)
        elif kind == "cc" and key[1] == _PEDAL:
            self._step(port, touch.value >= _DOWN)
        else:
            return False
        return True

    def let_go(self) -> None:
        """Of everything."""
        self._held.clear()
        self._ringing.clear()
        self._pedals.clear()

    def _step(self, port: str, down: bool) -> None:
        if down:
            self._pedals.add(port)
            return
        self._pedals.discard(port)
        self._ringing = {key for key in self._ringing if key[0] != port}
