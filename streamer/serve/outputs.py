"""Where else sessions are heard: HLS lists, made while somebody asks for them, and mounts of an Icecast server."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from streamer.audio.sinks.feed import Feed
from streamer.audio.sinks.hls import Hls
from streamer.audio.sinks.icecast import Icecast, Mount
from streamer.errors import UserError
from streamer.serve.session import GRACE_SECONDS, Session

MOST = 16
"""Encoders at a time."""
FILE = re.compile(r"live(-\d+-\d+\.ts|\.m3u8)")
"""What a listener may ask for of a folder."""


class Outputs:
    """All that is encoded. Its methods wait for encoders, and are called beside the event loop.

    Parameters
    ----------
    icecast : Mount or None
        Of which server; each session's mount has its id as its path.
    """

    def __init__(self, icecast: Mount | None = None) -> None:
        self._icecast = icecast
        self._kept = tempfile.TemporaryDirectory(prefix="streamer-hls-", ignore_cleanup_errors=True)
        self._root = Path(self._kept.name)
        self._lists: dict[str, tuple[Session, Feed, float]] = {}
        self._mounts: dict[str, tuple[Session, Feed]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._lists) + len(self._mounts)

    def file(self, session: Session, name: str) -> Path | None:
        """A file of a session's HLS; asking for one begins it. None where there is none, or none yet.

        Raises
        ------
        UserError
            Too much is encoded.
        """
        if not FILE.fullmatch(name):
            return None
        session.touch()
        folder = self._root / session.id
        with self._lock:
            begun = self._lists.get(session.id)
            if begun is None:
                self._check()
                feed = Feed(session.playback, Hls(folder), lambda sentence: session.hear("word", sentence))
                feed.start()
                begun = (session, feed, 0.0)
            self._lists[session.id] = (session, begun[1], time.monotonic())
        found = folder / name
        return found if found.is_file() else None

    def mount(self, session: Session, title: str) -> str:
        """Have a session on the Icecast server from now on, where it is always heard; its address.

        Raises
        ------
        UserError
            There is no server, or too much is encoded.
        """
        if self._icecast is None:
            raise UserError("This server was started without an Icecast server: `streamer serve --icecast` names one.")
        mount = replace(self._icecast, path=f"/{session.id}.{self._icecast.form}")
        with self._lock:
            if session.id not in self._mounts:
                self._check()
                feed = Feed(session.playback, Icecast(mount), lambda sentence: session.hear("word", sentence))
                feed.title(title)
                feed.start()
                session.enter()
                self._mounts[session.id] = (session, feed)
        return f"http://{mount.host}:{mount.port}{mount.path}"

    def unmount(self, session: Session) -> None:
        """Take it from the Icecast server."""
        with self._lock:
            entry = self._mounts.pop(session.id, None)
        if entry is not None:
            session.leave()
            entry[1].close()

    def sweep(self) -> None:
        """End what nobody asks for any more."""
        now = time.monotonic()
        with self._lock:
            old = [e for e in self._lists.values() if e[0].closed or now - e[2] > GRACE_SECONDS]
            for session, _, _ in old:
                del self._lists[session.id]
            over = [session for session, _ in self._mounts.values() if session.closed]
        for session, feed, _ in old:
            feed.close()
            shutil.rmtree(self._root / session.id, ignore_errors=True)
        for session in over:
            self.unmount(session)

    def close(self) -> None:
        """End all of it."""
        for session, _ in list(self._mounts.values()):
            self.unmount(session)
        for _, feed, _ in self._lists.values():
            feed.close()
        self._kept.cleanup()

    def _check(self) -> None:
        if len(self) >= MOST:
            raise UserError(f"{MOST} sessions are encoded already, and no more can be: listen by WebSocket.")


def mount_of(address: str) -> Mount:
    """The server that an address names: icecast://source:PASSWORD@HOST:8000/mp3, the last part its format.

    Raises
    ------
    UserError
        It names none.
    """
    found = re.fullmatch(r"icecast://(?:([^:@/]*):)?([^@/]+)@([^:@/]+):(\d{1,5})/?(mp3|opus|flac)?/?", address)
    if found is None:
        raise UserError("an Icecast server is named like icecast://source:PASSWORD@localhost:8000/mp3")
    user, password, host, port, form = found.groups()
    return Mount(host, int(port), "/", password, user or "source", form or "mp3")
