"""What hands do on a MIDI controller: its bytes -> knobs that were turned and keys that were pressed.

A knob is named as in `streamer.control.knobs`: ``cc 1 7``, ``nrpn 1 300``, ``note 10 36``. Knobs of 14 bits send two
controllers, n and n + 32, the coarse one first; both move the knob n.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mido import Message

PAIRED = 0.1
"""Seconds after its coarse half in which the fine half of a knob comes."""
_FINE, _COARSE = 127, 16383
_DATA_MSB, _DATA_LSB, _INCREMENT, _DECREMENT = 6, 38, 96, 97
_NRPN_LSB, _NRPN_MSB, _RPN_LSB, _RPN_MSB = 98, 99, 100, 101
_MODES = 120  # from here on controllers are channel mode messages: all notes off and their like


class Touch(NamedTuple):
    """Something that hands did.

    Parameters
    ----------
    knob : str
        Its name.
    value : float
        0 to 1: where a knob stands, how hard a key was pressed, 0 for one that was let go.
    """

    knob: str
    value: float


class Hands:
    """Reads the messages of one port.

    Parameters
    ----------
    clock : callable
        Seconds on a clock that only goes forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._coarse: dict[tuple[int, int], tuple[int, float]] = {}  # channel and controller -> value, and when it came
        self._chosen: dict[int, list[int]] = {}  # channel -> the halves of the NRPN that its data are for
        self._data: dict[int, int] = {}  # channel -> the value of that NRPN

    def read(self, data: Sequence[int]) -> list[Touch]:
        """What a message means; nothing where it means nothing, is none, or is cut.

        Parameters
        ----------
        data : sequence of int
            The bytes of one message.
        """
        try:
            message = Message.from_bytes(data)
        except (ValueError, TypeError, IndexError, KeyError):  # whatever came down the cable
            return []
        channel = getattr(message, "channel", 0) + 1
        if message.type in ("note_on", "note_off"):
            pressed = message.velocity if message.type == "note_on" else 0
            return [Touch(f"note {channel} {message.note}", pressed / 127)]
        if message.type == "control_change" and message.control < _MODES:
            return self._turned(channel, message.control, message.value)
        return []

    def _turned(self, channel: int, control: int, value: int) -> list[Touch]:
        if control in (_NRPN_LSB, _NRPN_MSB):
            self._chosen.setdefault(channel, [0, 0])[control == _NRPN_LSB] = value
            return []
        if control in (_RPN_LSB, _RPN_MSB):  # what follows is for pitch bend ranges and the like
            self._chosen.pop(channel, None)
            return []
        if channel in self._chosen and control in (_DATA_MSB, _DATA_LSB, _INCREMENT, _DECREMENT):
            return [self._parameter(channel, control, value)]
        coarse = self._coarse.get((channel, control - 32))
        if 32 <= control < 64 and coarse is not None and self._clock() - coarse[1] < PAIRED:
            return [Touch(f"cc {channel} {control - 32}", (coarse[0] * 128 + value) / _COARSE)]
        if control < 32:
            self._coarse[channel, control] = value, self._clock()
        return [Touch(f"cc {channel} {control}", value / _FINE)]

    def _parameter(self, channel: int, control: int, value: int) -> Touch:
        """A non-registered parameter: its own coarse and fine half, or a step up or down."""
        before = self._data.get(channel, 0)
        now = {
            _DATA_MSB: value * 128,
            _DATA_LSB: before - before % 128 + value,
            _INCREMENT: min(before + 1, _COARSE),
            _DECREMENT: max(before - 1, 0),
        }[control]
        self._data[channel] = now
        high, low = self._chosen[channel]
        full = _FINE * 128 if control == _DATA_MSB else _COARSE  # a knob that sends no fine half also comes to its end
        return Touch(f"nrpn {channel} {high * 128 + low}", now / full)
