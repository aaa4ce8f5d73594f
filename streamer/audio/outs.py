"""Which channels of a device the music plays on, and which a click."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.audio.click import Click
from streamer.errors import UserError

HIGHEST = 64
"""The last channel that can be named."""
MOST = 2
"""Channels that the music, or a click, plays on."""
_BLOCK = 8192


def channels_of(text: str, option: str) -> tuple[int, ...]:
    """Channels as they are written, "3,4", from 1 on; () for "".

    Raises
    ------
    UserError
        They are none, or too many; the sentence names the option.
    """
    words = text.replace(",", " ").split()
    channels = tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 5)
    if len(set(channels)) != len(words) or len(words) > MOST or not all(0 < one <= HIGHEST for one in channels):
        raise UserError(
            f"{option} takes one channel or two different ones, counted from 1, like 3,4, not {text[:40]!r}"
        )
    return channels


def channels_text(channels: Sequence[int]) -> str:
    """Channels as `channels_of` reads them."""
    return ",".join(map(str, channels))


class Outs:
    """Puts music and click onto the channels of a device.

    Parameters
    ----------
    music : sequence of int
        The device's channels that the music's first and second are on, counted from 1.
    click : Click, optional
        A metronome.
    clicks : sequence of int
        The channels that it is on.

    Attributes
    ----------
    channels : int
        Of the device that are used: all up to the highest.
    """

    def __init__(self, music: Sequence[int], click: Click | None = None, clicks: Sequence[int] = ()) -> None:
        self.music, self.clicks = tuple(music), tuple(clicks)
        self.click = click
        self.channels = max(*music, *clicks, 1)
        self._music = np.zeros((_BLOCK, len(music)), np.float32)
        self._click = np.zeros(_BLOCK, np.float32)

    def block(self, samples: int) -> NDArray[np.float32]:
        """Where the music's next samples go, (samples, the music's channels)."""
        if samples > len(self._music):  # no device asks for so many, but a file may
            self._music = np.zeros((samples, len(self.music)), np.float32)
            self._click = np.zeros(samples, np.float32)
        return self._music[:samples]

    def place(self, out: NDArray[np.float32], first: int, count: int) -> None:
        """Fill a device's block from the music's.

        Parameters
        ----------
        out : ndarray, float32, (samples, channels)
        first, count : int
            The samples of the ring in it, see `Click.fill`.
        """
        out.fill(0.0)
        for at, channel in enumerate(self.music):
            out[:, channel - 1] = self._music[: len(out), at]
        if self.click is None:
            return
        tones = self._click[: len(out)]
        tones.fill(0.0)
        self.click.fill(tones, first, count)
        for channel in self.clicks:
            out[:, channel - 1] += tones
