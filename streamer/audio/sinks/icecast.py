"""A source for an Icecast server: HTTP PUT, and what plays beside it.

The request is our own: FFmpeg's protocol leaves out the stream's name and type where PyAV calls it.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from streamer.audio.sinks.encoder import KINDS, Encoder

PATIENCE = 5.0
"""Seconds that the server may be silent, or take nothing."""
FORMATS = ("mp3", "opus", "flac")
_SETTLED = 1.0  # seconds of sound before a title is told: Icecast 2.4 crashes on one that comes with the first bytes
_ANSWER = 16_384  # bytes that a server's answer may have


@dataclass(frozen=True)
class Mount:
    """Where on which server.

    Parameters
    ----------
    host : str
    port : int
    path : str
        Of the mount point, with its slash.
    password : str
    user : str
    form : str
        One of `FORMATS`.
    bitrate : int
        kbit/s; the format's usual one where it is 0.
    station : str
        The stream's name.
    """

    host: str
    port: int
    path: str
    password: str
    user: str = "source"
    form: str = "mp3"
    bitrate: int = 0
    station: str = "MusicGen Streamer"

    @property
    def authorisation(self) -> str:
        """As HTTP has it."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Icecast:
    """A sink that is one mount of a server.

    Parameters
    ----------
    mount : Mount
    patience : float
        Seconds that the server may be silent.
    """

    def __init__(self, mount: Mount, patience: float = PATIENCE) -> None:
        self.name = f"Icecast at {mount.host}:{mount.port}{mount.path}"
        self._mount = mount
        self._patience = patience
        self._kind = KINDS["ogg-flac" if mount.form == "flac" else mount.form]
        self._socket: socket.socket | None = None
        self._encoder: Encoder | None = None
        self._shape = (0, 0)
        self._untold = ""

    def open(self, rate: int, channels: int, title: str) -> None:
        """Connect, and ask for the mount.

        Raises
        ------
        OSError
            The server is not there, or does not want it.
        """
        self._shape = (rate, channels)
        mount = self._mount
        self._socket = socket.create_connection((mount.host, mount.port), self._patience)
        lines = [
            f"PUT {mount.path} HTTP/1.1",
            f"Host: {mount.host}:{mount.port}",
            f"Authorization: {mount.authorisation}",
            "User-Agent: musicgen-streamer",
            f"Content-Type: {self._kind.content}",
            "Ice-Public: 0",
            f"Ice-Name: {_header(mount.station)}",
            "Expect: 100-continue",
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        status = _answer(self._socket)
        if status not in (100, 200):
            words = {
                401: "wrong user or password",
                403: "the mount is taken, or too many sources",
                404: "no such mount",
            }
            raise OSError(f"the server answers {status}: {words.get(status, http.client.responses.get(status, ''))}")
        self._begin(title)
        self._untold = title if self._kind.container == "mp3" else ""

    def write(self, sound: NDArray[np.float32]) -> None:
        """Encode and send."""
        assert self._encoder is not None
        self._encoder.write(sound)
        if self._untold and self._encoder.samples > _SETTLED * self._shape[0]:
            self._tell(self._untold)

    def retitle(self, title: str) -> None:
        """Tell listeners: MP3 beside the stream, Ogg by a new chapter in it."""
        if self._kind.container == "mp3":
            self._untold = title
        elif self._encoder is not None:
            self._encoder.close()
            self._begin(title)

    def close(self) -> None:
        """Send the rest, and disconnect."""
        try:
            if self._encoder is not None:
                self._encoder.close()
        finally:
            self._encoder = None
            self.abandon()

    def abandon(self) -> None:
        """Disconnect at once."""
        connected, self._socket = self._socket, None
        encoder, self._encoder = self._encoder, None
        if connected is not None:
            connected.close()
        if encoder is not None:
            encoder.abandon()

    def _begin(self, title: str) -> None:
        mount, (rate, channels) = self._mount, self._shape
        tags = {"title": title, "artist": mount.station} if title else {"artist": mount.station}
        wire = _Wire(self._socket)
        options = (
            {"page_duration": "200000"} if self._kind.container == "ogg" else {"write_xing": "0", "id3v2_version": "0"}
        )
        self._encoder = Encoder(
            wire, self._kind, rate, channels, bitrate=mount.bitrate, tags=tags, options=options | {"flush_packets": "1"}
        )

    def _tell(self, title: str) -> None:
        """What plays, by the server's own door for it; a server that has none plays on without."""
        mount, self._untold = self._mount, ""
        query = urlencode({"mount": mount.path, "mode": "updinfo", "charset": "UTF-8", "song": title})
        with contextlib.suppress(OSError, http.client.HTTPException):
            asking = http.client.HTTPConnection(mount.host, mount.port, timeout=self._patience)
            with contextlib.closing(asking):
                asking.request("GET", f"/admin/metadata?{query}", headers={"Authorization": mount.authorisation})
                asking.getresponse().read(_ANSWER)


class _Wire:
    """What an encoder writes to: nothing can be sought in it, and a lost server is said by `write`."""

    def __init__(self, connected: socket.socket | None) -> None:
        assert connected is not None
        self._socket = connected

    def write(self, data: bytes) -> int:
        self._socket.sendall(data)
        return len(data)


def _answer(connected: socket.socket) -> int:
    """The status of the server's answer."""
    got = b""
    while b"\r\n\r\n" not in got and b"\n\n" not in got:
        part = connected.recv(_ANSWER)
        if not part or len(got) > _ANSWER:
            raise OSError("the server has hung up")
        got += part
    words = got.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise OSError("what answers there is no Icecast server")
    return int(words[1])


def _header(text: str) -> str:
    """As one line of a header."""
    return " ".join(text.split()).encode("latin-1", "replace").decode("latin-1")
