"""Debian's own Icecast takes what is played, tells listeners what it is, and gets it again after it was killed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="install the extra background")

from streamer.audio.null import NullPlayer
from streamer.audio.playback import Playback
from streamer.audio.sinks.feed import Feed
from streamer.audio.sinks.icecast import Icecast, Mount
from streamer.process.ring import Ring
from streamer.threads import fleeting
from tests.streamer.sinks.tone import LEFT, RATE, RIGHT, decoded, notes, tone

ICECAST = shutil.which("icecast2")
heavy = [
    pytest.mark.heavy,
    pytest.mark.skipif(ICECAST is None, reason="install icecast2 (apt)"),
]
PASSWORD = "secret"


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


class Server:
    """An Icecast of our own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        folder.chmod(0o755)
        (folder / "log").mkdir()
        (folder / "log").chmod(0o777)
        self._settings = folder / "icecast.xml"
        web = "/usr/share/icecast2"
        self._settings.write_text(
            f"""<icecast><limits><clients>20</clients><sources>8</sources><burst-size>8192</burst-size></limits>
            <authentication><source-password>{PASSWORD}</source-password><relay-password>{PASSWORD}</relay-password>
            <admin-user>admin</admin-user><admin-password>{PASSWORD}</admin-password></authentication>
            <hostname>localhost</hostname>
            <listen-socket><port>{self.port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
            <paths><basedir>{web}</basedir><logdir>{folder}/log</logdir><webroot>{web}/web</webroot>
            <adminroot>{web}/admin</adminroot></paths>
            <logging><loglevel>3</loglevel></logging>
            <security><chroot>0</chroot><changeowner><user>nobody</user><group>nogroup</group></changeowner></security>
            </icecast>"""
        )
        self.start()

    def start(self) -> None:
        assert ICECAST is not None
        self.process = subprocess.Popen(
            [ICECAST, "-c", str(self._settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._there)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def _there(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def server() -> Iterator[Server]:
    # Where nobody can read, too: Icecast does not run as root, and pytest's folders are the user's alone.
    with tempfile.TemporaryDirectory() as folder:
        made = Server(Path(folder))
        yield made
        made.kill()


class Music:
    """Two notes, for ever, by the clock."""

    def __init__(self) -> None:
        self._ring = Ring(RATE, 2)
        self.playback = Playback(self._ring, RATE)
        self._player = NullPlayer(self.playback)
        self._plays = True
        self._thread = fleeting("music", self._run)
        self._thread.start()
        self._player.start()

    def _run(self) -> None:
        at = 0
        while self._plays:
            self._ring.write(tone(480, at))
            at += 480

    def close(self) -> None:
        self._player.close()
        self._plays = False
        self._ring.drop()
        self._thread.join(10)
        self._ring.close()


@pytest.fixture
def music() -> Iterator[Music]:
    made = Music()
    yield made
    made.close()


def heard(server: Server, path: str, bytes_: int) -> bytes:
    """What a listener gets; the first bytes."""
    with urllib.request.urlopen(server.address(path), timeout=60) as stream:
        got: bytes = stream.read(bytes_)
        return got


class TestWithAServer:
    pytestmark = heavy

    @pytest.mark.parametrize("form", ["mp3", "opus", "flac"])
    def test_a_listener_hears_it_again_after_the_server_was_killed(
        self, server: Server, music: Music, form: str, tmp_path: Path
    ) -> None:
        told: list[str] = []
        mount = Mount("127.0.0.1", server.port, f"/cafe.{form}", PASSWORD, form=form, station="The Cafe")
        feed = Feed(music.playback, Icecast(mount), told.append, pauses=(0.2, 0.5))
        feed.title("Morning")
        feed.start()
        for attempt in range(2):
            until(lambda: feed.connected)
            size = {"mp3": 60_000, "opus": 60_000, "flac": 400_000}[form]
            (tmp_path / "heard").write_bytes(heard(server, mount.path, size))
            sound = decoded(tmp_path / "heard")
            assert notes(sound[len(sound) // 3 :]) == pytest.approx((LEFT, RIGHT), abs=2)
            if attempt == 0:
                server.kill()
                until(lambda: not feed.connected)
                server.start()
        feed.close()
        assert feed.losses == 1 and len(told) == 2 and "again" in told[1]

    def test_a_listener_reads_what_plays(self, server: Server, music: Music) -> None:
        mount = Mount("127.0.0.1", server.port, "/cafe.mp3", PASSWORD, station="The Cafe")
        feed = Feed(music.playback, Icecast(mount), print)
        feed.title("Morning: piano")
        feed.start()
        until(lambda: feed.connected)
        request = urllib.request.Request(server.address("/cafe.mp3"), headers={"Icy-MetaData": "1"})
        with urllib.request.urlopen(request, timeout=60) as stream:
            assert stream.headers["icy-name"] == "The Cafe" and stream.headers["content-type"] == "audio/mpeg"
            every = int(stream.headers["icy-metaint"])
            titles: list[str] = []
            while "Evening: jazz" not in titles:
                stream.read(every)
                block = stream.read(16 * stream.read(1)[0]).rstrip(b"\0").decode()
                if title := block.partition("StreamTitle='")[2].partition("';")[0]:
                    titles.append(title)
                    feed.title("Evening: jazz")
        feed.close()
        assert titles[0] == "Morning: piano"

    def test_a_listener_of_ogg_reads_what_plays_in_a_chapter_of_its_own(self, server: Server, music: Music) -> None:
        mount = Mount("127.0.0.1", server.port, "/cafe.opus", PASSWORD, form="opus")
        feed = Feed(music.playback, Icecast(mount), print)
        feed.title("Morning")
        feed.start()
        until(lambda: feed.connected)
        got = b""
        with urllib.request.urlopen(server.address("/cafe.opus"), timeout=60) as stream:
            while b"title=Evening" not in got:
                got += stream.read(2000)
                feed.title("Evening")
        feed.close()
        assert b"title=Morning" in got

    def test_a_wrong_password_is_a_sentence(self, server: Server) -> None:
        sink = Icecast(Mount("127.0.0.1", server.port, "/cafe.mp3", "guessed"))
        with pytest.raises(OSError, match="wrong user or password"):
            sink.open(RATE, 2, "")
        sink.abandon()


def test_what_is_no_icecast_server_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as connected:
                connected.recv(4096)
                connected.sendall(b"220 mail.example.org ESMTP\r\n\r\n")

        thread = fleeting("mail", answer)
        thread.start()
        sink = Icecast(Mount("127.0.0.1", listening.getsockname()[1], "/cafe.mp3", "x"))
        with pytest.raises(OSError, match="no Icecast server"):
            sink.open(RATE, 2, "")
        sink.abandon()
        thread.join(10)


@pytest.mark.heavy
def test_a_server_that_takes_nothing_holds_nobody_up() -> None:
    """It is given up after its patience, however much waits."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sink = Icecast(Mount("127.0.0.1", listening.getsockname()[1], "/cafe.flac", "x", form="flac"), patience=3)

        def answer() -> None:
            connected[0].recv(4096)
            connected[0].sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

        connected: list[socket.socket] = []
        opening = fleeting("opening", lambda: sink.open(RATE, 2, "x"))
        opening.start()
        connected.append(listening.accept()[0])
        answer()
        opening.join(10)
        noise = np.random.default_rng(0).uniform(-1, 1, (RATE, 2)).astype(np.float32)
        with pytest.raises(OSError, match="timed out"):
            for _ in range(200):
                sink.write(noise)
        sink.abandon()
        connected[0].close()
