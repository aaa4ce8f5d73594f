"""Plays on an audio device from a process of its own, where PortAudio has been lost in this one.

When a JACK server dies, PortAudio waits for it for minutes and JACK's library for ever, and a process has one of each.
So another process has the device: it is ended with the device, and another one begun. It reads from a ring of its own,
which is filled here, so gate, taps and counts stay where they were.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from streamer.audio.devices import look_again
from streamer.audio.direct import SoundDevicePlayer
from streamer.audio.playback import FADE_SECONDS, Playback
from streamer.audio.rerate import Rerate
from streamer.errors import UserError
from streamer.process.newborn import begin
from streamer.process.priority import hurry_callback
from streamer.process.ring import Ring
from streamer.threads import lasting

LOOK_SECONDS = 2.0
"""Between two looks whether the device is back."""
BLOCK_SECONDS = 0.01
_RING_SAMPLES = 2**16  # more than a device takes at a time, twice, at any rate
_POLL_SECONDS = 0.002
_TELL_SECONDS = 0.25
_LEAD_SECONDS = 0.02  # until the device has called: then it is what its blocks need
_END_SECONDS = 2.0
_HUNG_SECONDS = 10.0  # a process that has told nothing for so long is replaced


class ApartPlayer:
    """Plays on a device that a process of its own opens as soon as it is there; waits for that.

    Parameters
    ----------
    playback : Playback
        What is played.
    name : str
        The device's.
    closing : threading.Event
        Set when nobody waits any longer.

    Raises
    ------
    UserError
        Nobody waits any longer, or the process has ended.

    Attributes
    ----------
    name : str
    rate : int
        The device's, samples a second.
    added : float
        Seconds by which it sounds later than from this process.
    """

    cut_short = False

    def __init__(self, playback: Playback, name: str, closing: threading.Event) -> None:
        self.name = name
        self._playback = playback
        self._ring = Ring(_RING_SAMPLES, playback.channels)
        self._process, self._connection = begin("output", _live, self._ring, name)
        self._heard = time.monotonic()
        self._xruns = 0
        self._closing = threading.Event()
        self._thread = lasting("output", self._pump)
        try:
            self.rate, self._device_latency = self._wait(closing)
        except UserError:
            self._end()
            raise
        self._rerate = None if self.rate == playback.rate else Rerate(playback, self.rate)
        self.added = self._on_the_way()

    @property
    def latency(self) -> float:
        """Of the device and the way there, in seconds."""
        return self._device_latency + self.added

    def start(self) -> None:
        """Begin to play."""
        self._playback.latency = self.latency
        self._thread.start()

    def running(self) -> bool:
        """Whether the device still takes blocks: its process ends with it."""
        for xruns in self._news():
            self._playback.device_xruns += xruns - self._xruns
            self._xruns = xruns
        return self._alive()

    def close(self) -> None:
        """Stop, and have the process let go of the device."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end()

    def _wait(self, closing: threading.Event) -> tuple[int, float]:
        while self._alive() and not closing.wait(_TELL_SECONDS):
            for news in self._news():
                if news is not None:
                    rate, latency = news
                    return rate, latency
        raise UserError(f"{self.name} is not back yet.")

    def _news(self) -> Iterator[Any]:
        """What the process has sent since this was last asked."""
        with contextlib.suppress(OSError, EOFError):  # it has ended
            while self._connection.poll():
                news = self._connection.recv()
                self._heard = time.monotonic()
                yield news

    def _alive(self) -> bool:
        return self._process.is_alive() and time.monotonic() - self._heard < _HUNG_SECONDS

    def _on_the_way(self) -> float:
        # After each of the device's blocks as much is filled in as it took: on average half of that lies behind.
        block = max(0, self._ring.reserve // 2 - math.ceil(FADE_SECONDS * self.rate))
        return (self._ring.lead + block / 2) / self.rate + (self._rerate.latency if self._rerate else 0.0)

    def _end(self) -> None:
        self._connection.close()
        self._process.join(_END_SECONDS)
        self._process.kill()
        self._process.join()
        self._ring.close()

    def _pump(self) -> None:
        hurry_callback()
        source = self._rerate or self._playback
        block = np.zeros((round(BLOCK_SECONDS * self.rate), self._playback.channels), np.float32)
        while not self._closing.is_set():
            if self._ring.room < len(block):
                time.sleep(_POLL_SECONDS)
                continue
            self.added = self._on_the_way()
            self._playback.latency = self.latency
            source.fill(block)
            self._ring.write(block)


def _live(connection: Connection, ring: Ring, name: str) -> None:
    """The process: it looks for the device until it is there, and plays on it until it goes or nobody is there."""
    _be_silent()
    of_jack = b"streamer-%d" % os.getpid()  # PortAudio keeps no copy
    _take_a_name(of_jack)
    with contextlib.suppress(OSError):
        while (opened := _open(ring, name)) is None:
            connection.send(None)
            if connection.poll(LOOK_SECONDS):
                os._exit(0)
        player, playback = opened
        while ring.reserve == 0 and player.running():  # what its blocks need is known when it has called
            time.sleep(_POLL_SECONDS)
        connection.send((player.rate, player.latency))
        while player.running() and not connection.poll(_TELL_SECONDS):
            connection.send(playback.xruns)
        player.close()
    os._exit(0)  # the ends of PortAudio and JACK may never come


def _open(ring: Ring, name: str) -> tuple[SoundDevicePlayer, Playback] | None:
    with contextlib.suppress(UserError):
        device = look_again(name, ring.channels)
        ring.lead = round(_LEAD_SECONDS * device.rate)
        playback = Playback(ring, device.rate)
        player = SoundDevicePlayer(playback, device)
        player.start()
        return player, playback
    return None


def _take_a_name(name: bytes) -> None:
    """What a killed JACK server leaves of a client wakes by its name, and would take the blocks of one called alike."""
    with contextlib.suppress(OSError, AttributeError):  # a PortAudio that knows no JACK
        ctypes.CDLL(ctypes.util.find_library("portaudio")).PaJack_SetClientName(name)  # the one that sounddevice has


def _be_silent() -> None:
    """JACK's library tells the terminal each time that it finds no server."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
