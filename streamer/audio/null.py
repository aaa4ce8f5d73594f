"""A clock without a device."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from streamer.audio.files import WAV_BYTES, open_wav
from streamer.audio.playback import Playback
from streamer.errors import UserError
from streamer.process.priority import hurry_callback
from streamer.threads import lasting

_SUSPENDED_SECONDS = 1.0


class NullPlayer:
    """Plays to nobody, by the system's monotonic clock, and into a WAV file when given one.

    Parameters
    ----------
    playback
        What is called.
    wav
        16-bit file to write, replaced if it exists.
    block_seconds
        Length of a block.

    Raises
    ------
    UserError
        When the file's folder does not exist; from `start` when the file cannot be made. What goes wrong with it later
        (a full disk) ends in `error`, and the playing goes on without the file.
    """

    latency = 0.0

    def __init__(self, playback: Playback, wav: Path | None = None, block_seconds: float = 0.01) -> None:
        self.name = "no device" if wav is None else str(wav)
        self.error: str | None = None
        self._playback = playback
        self._wav = wav
        self._file: Any = None
        if wav is not None and not wav.parent.is_dir():
            raise UserError(f"There is no folder {wav.parent} to write {wav.name} into: make it first.")
        self._block = np.zeros((max(1, round(block_seconds * playback.rate)), playback.ring.channels), np.float32)
        self._closing = threading.Event()
        self._thread = lasting("null clock", self._run)

    def start(self) -> None:
        """Begin to pull blocks, and the file: nothing is left of an instrument that never played."""
        if self._wav is not None:
            self._file = open_wav(self._wav, self._playback.rate, self._playback.ring.channels)
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
            self._end_file()

    def _run(self) -> None:
        hurry_callback()
        period = len(self._block) / self._playback.rate
        due = time.monotonic()
        while not self._closing.wait(max(0.0, due - time.monotonic())):
            self._playback.fill(self._block)
            self._save()
            due += period
            if time.monotonic() - due > _SUSPENDED_SECONDS:  # the lid was shut: nobody is owed those hours
                due = time.monotonic()

    def _save(self) -> None:
        if self._file is None:
            return
        try:
            self._file.write(self._block)
            if self._file.tell() * self._block.shape[1] * 2 > WAV_BYTES:
                raise OSError("a WAV file holds no more than 4 GB")
        except Exception as error:  # libsndfile's errors have no common type, and the clock has to go on
            self._end_file(error)

    def _end_file(self, problem: Exception | None = None) -> None:
        try:
            self._file.close()
        except Exception as error:
            problem = problem or error
        self._file = None
        if problem is not None:
            self.error = f"Could not write {self._wav} to its end ({problem}): is the disk full?"
