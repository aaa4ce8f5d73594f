"""Keys that are held, as the notes of a chord or a tune: of one channel or all, on any port, with the pedal."""

from __future__ import annotations

from streamer.surfaces.midi.hands import Touch

_PEDAL = 64
"""The controller of a sustain pedal."""
_DOWN = 0.5

_Board = tuple[str, str]
"""A port and a channel."""
_Key = tuple[_Board, int]


class Keyboard:
    """Knows which keys sound; one thread at a time."""

    def __init__(self) -> None:
        self._held: set[_Key] = set()
        self._ringing: set[_Key] = set()  # let go of while the pedal was down
        self._pedals: set[_Board] = set()  # those whose pedal is down

    @property
    def notes(self) -> str:
        """What sounds, as the parameter `notes` has it."""
        return " ".join(map(str, sorted({number for _, number in self._held | self._ringing})))

    def play(self, port: str, channel: int | None, touch: Touch) -> bool:
        """Take in what a hand did; whether it was for the keys or the pedal of this channel, None for any."""
        kind, own, number = touch.knob.split()
        if channel is not None and int(own) != channel:
            return False
        board = port, own
        key = board, int(number)
        if kind == "note" and touch.value > 0:
            self._held.add(key)
        elif kind == "note":
            if key in self._held and board in self._pedals:
                self._ringing.add(key)
            self._held.discard(key)
        elif kind == "cc" and key[1] == _PEDAL:
            self._step(board, touch.value >= _DOWN)
        else:
            return False
        return True

    def let_go(self) -> None:
        """Of everything."""
        self._held.clear()
        self._ringing.clear()
        self._pedals.clear()

    def _step(self, board: _Board, down: bool) -> None:
        if down:
            self._pedals.add(board)
            return
        self._pedals.discard(board)
        self._ringing = {key for key in self._ringing if key[0] != board}
