"""HLS: short segments and their list in a folder, which any web server serves."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.audio.sinks.encoder import KINDS, Encoder, Encoding
from streamer.errors import UserError

SEGMENT_SECONDS = 6
LISTED = 10
"""Segments in the list; as many again stay in the folder for those who are late."""


class Hls(Encoding):
    """A sink that is a folder.

    Parameters
    ----------
    folder : Path
        Made where there is none; `live.m3u8` is the list.
    bitrate : int
        kbit/s; the usual one where it is 0.
    """

    def __init__(self, folder: Path, bitrate: int = 0) -> None:
        self.name = f"the HLS folder {folder}"
        self._folder = folder
        self._bitrate = bitrate

    @property
    def list(self) -> Path:
        """What a listener opens."""
        return self._folder / "live.m3u8"

    def open(self, rate: int, channels: int, title: str) -> None:
        """Begin a list, behind the segments of one that was there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        flags = "delete_segments+append_list+omit_endlist+temp_file+program_date_time+independent_segments"
        begun = int(time.time())
        self._encoder = Encoder(
            str(self.list),
            KINDS["aac"],
            rate,
            channels,
            bitrate=self._bitrate,
            options={
                "hls_time": str(SEGMENT_SECONDS),
                "hls_list_size": str(LISTED),
                "hls_delete_threshold": str(LISTED),
                "hls_flags": flags,
                "hls_segment_filename": str(self._folder / f"live-{begun}-%d.ts").replace("\\", "/"),
            },
        )

    def write(self, sound: NDArray[np.float32]) -> None:
        """Encode; a segment is listed when it is whole."""
        assert self._encoder is not None
        self._encoder.write(sound)

    def retitle(self, title: str) -> None:
        """There is no place for it in a list."""

    def _sweep(self) -> None:
        """Remove segments that an earlier run has left and its list does not name."""
        named = self.list.read_text(encoding="utf-8", errors="replace") if self.list.exists() else ""
        for segment in self._folder.glob("live-*.ts*"):
            if segment.name not in named:
                with contextlib.suppress(OSError):
                    segment.unlink()


def check_folder(folder: Path) -> None:
    """Whether a folder can be written to; it is made where there is none.

    Raises
    ------
    UserError
        It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".streamer"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be written to: {error.strerror or error}") from None
