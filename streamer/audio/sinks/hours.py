"""A folder of files an hour long, of which the oldest go."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.audio.sinks.encoder import KINDS, Encoder, Encoding

FORMATS = ("flac", "mp3", "opus")
HOUR = 3600
NAMED = "%Y-%m-%d %H-%M-%S%z"


class Hours(Encoding):
    """A sink that is a folder of files; together they hold every sample once.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    form : str
        One of `FORMATS`.
    kept : int
        Files that stay; the oldest of those that this made go.
    zone : tzinfo, optional
        Of the files' names; this machine's unless given.
    bitrate : int
        kbit/s; the format's usual one where it is 0.
    length : int
        Seconds of a file; it ends where the clock shows a multiple of them.
    clock
        Seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        form: str = "flac",
        kept: int = 48,
        *,
        zone: tzinfo | None = None,
        bitrate: int = 0,
        length: int = HOUR,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = f"the folder {folder}"
        self._folder = folder
        self._kind = KINDS[form]
        self._kept = kept
        self._zone = zone
        self._bitrate = bitrate
        self._length = length
        self._clock = clock
        self._shape = (0, 0)
        self._title = ""
        self._left = 0

    def open(self, rate: int, channels: int, title: str) -> None:
        """Begin a file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._shape, self._title = (rate, channels), title
        self._begin(self._clock())

    def write(self, sound: NDArray[np.float32]) -> None:
        """Encode, into the next file from the sample on at which an hour is full."""
        assert self._encoder is not None
        while len(sound) >= self._left:
            self._encoder.write(sound[: self._left])
            sound = sound[self._left :]
            self._encoder.close()
            self._begin(self._clock() - len(sound) / self._shape[0])
        self._encoder.write(sound)
        self._left -= len(sound)

    def retitle(self, title: str) -> None:
        """The next file bears it."""
        self._title = title

    def _begin(self, moment: float) -> None:
        self._forget()
        rate, channels = self._shape
        left = self._length - moment % self._length
        if left < 1:  # the clock runs a little behind the sound
            left += self._length
        self._left = max(1, round(left * rate))
        begun = datetime.fromtimestamp(moment, self._zone).astimezone(self._zone)
        again = itertools.chain([""], (f" {number}" for number in itertools.count(2)))
        names = (f"{begun.strftime(NAMED)}{number}" for number in again)
        path = next(path for name in names if not (path := self._folder / (name + self._kind.suffix)).exists())
        tags = {"title": self._title or begun.strftime(NAMED)}
        self._encoder = Encoder(str(path), self._kind, rate, channels, bitrate=self._bitrate, tags=tags)

    def _forget(self) -> None:
        """Remove the oldest files, so that with the next one as many stay as shall."""
        files = sorted(self._folder.glob(f"????-??-?? ??-??-??*{self._kind.suffix}"))
        for path in files[: max(0, len(files) - self._kept + 1)]:
            with contextlib.suppress(OSError):
                path.unlink()
