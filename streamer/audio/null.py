"""A clock without a device."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np

from streamer.audio.files import WavOut
from streamer.audio.playback import Playback
from streamer.errors import UserError
from streamer.process.priority import hurry_callback
from streamer.reporting import Say, mention
from streamer.threads import lasting

_SUSPENDED_SECONDS = 1.0


class NullPlayer:
    """Plays to nobody, by the system's monotonic clock, and into a WAV file when given one.

    Parameters
    ----------
    playback
        What is called.
    wav
        File to write, replaced if it exists.
    report
        Called with a sentence when that file has to end early, as on a full disk: the playing goes on without it.
    block_seconds
        Length of a block.

    Raises
    ------
    UserError
        When the file's folder does not exist; from `start` when the file cannot be made.
    """

    latency = 0.0

    def __init__(
        self, playback: Playback, wav: Path | None = None, report: Say = mention, block_seconds: float = 0.01
    ) -> None:
        self._playback = playback
        self._wav = wav
        self._report = report
        self._file: WavOut | None = None
        if wav is not None and not wav.parent.is_dir():
            raise UserError(f"There is no folder {wav.parent} to write {wav.name} into: make it first.")
        self._block = np.zeros((max(1, round(block_seconds * playback.rate)), playback.channels), np.float32)
        self._closing = threading.Event()
        self._thread = lasting("null clock", self._run)

    @property
    def name(self) -> str:
        """Where the sound goes."""
        return "no device" if self._wav is None or self.cut_short else str(self._wav)

    @property
    def cut_short(self) -> bool:
        """Whether the file had to end before the music."""
        return self._file is not None and self._file.cut_short

    def start(self) -> None:
        """Begin to pull blocks, and the file: nothing is left of an instrument that never played."""
        if self._wav is not None:
            self._file = WavOut(self._wav, self._playback.rate, self._playback.channels, self._report)
        self._playback.latency = self.latency
        self._thread.start()

    def running(self) -> bool:
        """Whether blocks are being pulled."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop, and finish the file."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._file is not None:
            self._file.close()

    def _run(self) -> None:
        hurry_callback()
        period = len(self._block) / self._playback.rate
        due = time.monotonic()
        while not self._closing.wait(max(0.0, due - time.monotonic())):
            self._playback.fill(self._block)
            if self._file is not None:
                self._file.take(self._block)
            due += period
            if time.monotonic() - due > _SUSPENDED_SECONDS:  # the lid was shut: nobody is owed those hours
                due = time.monotonic()
