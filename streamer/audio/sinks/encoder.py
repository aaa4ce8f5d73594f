"""Sound -> bytes that the world plays, by PyAV."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from streamer.errors import UserError


@dataclass(frozen=True)
class Kind:
    """How sound is packed.

    Parameters
    ----------
    container, codec : str
        FFmpeg's names.
    layout : str
        The samples that the codec takes, FFmpeg's name.
    rates : tuple of int
        Samples a second that it takes; empty: any.
    content : str
        Its MIME type, as Icecast wants it.
    suffix : str
        Of its files.
    bitrate : int
        That is usual, kbit/s; 0 where it has none.
    """

    container: str
    codec: str
    layout: str
    rates: tuple[int, ...]
    content: str
    suffix: str
    bitrate: int


_MPEG = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
KINDS = {
    "mp3": Kind("mp3", "libmp3lame", "fltp", _MPEG, "audio/mpeg", ".mp3", 160),
    "opus": Kind("ogg", "libopus", "flt", (8000, 12000, 16000, 24000, 48000), "application/ogg", ".opus", 128),
    "flac": Kind("flac", "flac", "s32", (), "audio/flac", ".flac", 0),
    "ogg-flac": Kind("ogg", "flac", "s32", (), "application/ogg", ".oga", 0),
    "aac": Kind("hls", "aac", "fltp", _MPEG, "application/vnd.apple.mpegurl", ".m3u8", 160),
}
_BITS = "24"
FAILURES = (OSError, ValueError, RuntimeError)
"""What PyAV raises when something cannot be written; its own errors are made from these."""


def check_installed() -> None:
    """Refuse where PyAV is not there.

    Raises
    ------
    UserError
    """
    if find_spec("av") is None:
        raise UserError(f"streams and files of a programme need PyAV: run `{sys.executable} -m pip install av`")


def rate_for(kind: Kind, rate: int) -> int:
    """The rate nearest above one that a kind takes; its highest where there is none."""
    if not kind.rates or rate in kind.rates:
        return rate
    return next((own for own in kind.rates if own > rate), kind.rates[-1])


class Encoder:
    """One stream of sound into a file, or into anything with a method ``write``.

    Parameters
    ----------
    target
        A path, or what takes the bytes.
    kind : Kind
    rate, channels : int
        Of the sound that comes.
    bitrate : int
        kbit/s; the kind's usual one where it is 0.
    tags : mapping
        That the container carries from its start, such as a title.
    options : mapping
        For the container, FFmpeg's.

    Raises
    ------
    OSError, ValueError, RuntimeError
        It cannot be opened, see `FAILURES`; so for `write` and `close`.
    """

    def __init__(
        self,
        target: Any,
        kind: Kind,
        rate: int,
        channels: int,
        *,
        bitrate: int = 0,
        tags: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        import av

        self.samples = 0
        self._rate = rate
        self._layout = "mono" if channels == 1 else "stereo"
        self._container = av.open(target, "w", format=kind.container, options=dict(options or {}))
        try:
            self._container.metadata.update(tags or {})
            self._stream = cast(Any, self._container.add_stream(kind.codec, rate=rate_for(kind, rate)))
            self._stream.layout, self._stream.format = self._layout, kind.layout
            if kind.codec == "flac":
                self._stream.codec_context.options = {"bits_per_raw_sample": _BITS}
            else:
                self._stream.bit_rate = 1000 * (bitrate or kind.bitrate)
        except BaseException:
            self._container.close()
            raise

    def write(self, sound: NDArray[np.float32]) -> None:
        """Encode the next samples, float32 (samples, channels)."""
        from av import AudioFrame

        if not len(sound):
            return
        packed = np.ascontiguousarray(np.clip(sound, -1.0, 1.0).reshape(1, -1))
        frame = AudioFrame.from_ndarray(packed, format="flt", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts, frame.time_base = self.samples, Fraction(1, self._rate)
        self.samples += len(sound)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write the rest."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def abandon(self) -> None:
        """Let go of what cannot be written to its end."""
        with contextlib.suppress(*FAILURES):
            self._container.close()


class Encoding:
    """What sinks that write files share: an encoder that is there while the sink is open."""

    _encoder: Encoder | None = None

    def close(self) -> None:
        """Finish the file."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()

    def abandon(self) -> None:
        """Let go of a file that cannot be written to its end."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.abandon()
