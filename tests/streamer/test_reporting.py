"""Reporting never hurts: what is said reaches a person or is left out, and the music goes on either way."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
import soundfile
from hypothesis import given, settings

from streamer.reporting import WAITING, Unfailing, Voice, complain
from streamer.threads import lasting
from tests.streamer.terminal import obeyed, texts
from tests.streamer.test_instrument import until

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes and signals")


# ---- one place


SPEAKING = {"streamer/reporting.py", "osc/log.py"}
"""Where something is said to a person."""
PAGES = {"streamer/docs.py", "musicgen/load/page.py", "streamer/surfaces/bridge/header.py"}
"""Commands of the makers', which write a page to stdout."""


def _sources() -> Iterator[tuple[str, ast.AST]]:
    for room in ("streamer", "osc", "musicgen"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT).as_posix()), ast.parse(path.read_text(encoding="utf-8"))


def test_nothing_is_said_but_in_the_one_place() -> None:
    said = [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for name, tree in _sources()
        if name not in SPEAKING | PAGES
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("print", "warnings.warn", "sys.stderr.write", "sys.stdout.write")
        )
        or (isinstance(node, ast.Import) and any(alias.name in ("logging", "traceback") for alias in node.names))
        or (
            isinstance(node, ast.ImportFrom)
            and (node.module, "escape") in [("rich.markup", a.name) for a in node.names]
        )
    ]
    assert [line for line in said if not line.startswith("streamer/cli/console.py")] == []


def test_every_thread_is_one_that_is_looked_after() -> None:
    begun = [
        f"{name}:{node.lineno}"
        for name, tree in _sources()
        if name
        not in (
            "streamer/reporting.py",
            "streamer/threads.py",
            "osc/server.py",
            "osc/query_server.py",
        )  # whose loops catch all
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("threading.Thread", "Thread")
    ]
    assert begun == []


# ---- a stream


def test_a_reader_who_is_asleep_holds_nobody_up() -> None:
    reading, writing = _full_pipe()
    with os.fdopen(writing, "w", encoding="ascii") as stream:
        deaf = Unfailing(stream, 0.05)
        begun = time.monotonic()
        assert deaf.write("x" * 2500) == 2500
        deaf.flush()
        assert time.monotonic() - begun < 5
        assert deaf.problem is None
        assert set(_emptied(reading)) == {0}
        deaf.write("ça va ♫\n")
        assert _emptied(reading) == b"\\xe7a va \\u266b\n"
    os.close(reading)


def _emptied(reading: int) -> bytes:
    os.set_blocking(reading, False)
    found = b""
    with contextlib.suppress(BlockingIOError):
        while more := os.read(reading, 2**16):
            found += more
    return found


def _full_pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_closed_stream_and_a_poor_encoding_are_no_error(encoding: str) -> None:
    stream = Unfailing(io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    stream.write("音楽 ♫ \udcff")
    stream.flush()
    stream.close()
    stream.write("more")
    stream.flush()
    assert stream.problem is not None


def test_what_complains_needs_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    complain("nobody hears")


# ---- a voice


def test_who_listens_may_raise_and_hears_the_next_sentence() -> None:
    heard = list[str]()

    def say(sentence: str) -> None:
        heard.append(sentence)
        raise BrokenPipeError("gone")

    voice = Voice(say)
    voice("one")
    voice("two\x1b[2J")
    voice.close()
    assert heard == ["one", "two [2J"]


def test_who_listens_slowly_holds_nobody_up_and_is_told_how_much_was_left_out() -> None:
    now, wake, heard = [0.0], threading.Event(), list[str]()

    def say(sentence: str) -> None:
        wake.wait()
        heard.append(sentence)

    voice = Voice(say, lambda: now[0])
    for number in range(1000):
        now[0] += 1.0
        voice(str(number))
    wake.set()
    until(lambda: len(heard) >= WAITING)
    now[0] += 1.0
    voice("last")
    voice.close()
    assert len(heard) <= WAITING + 3, "a sentence more may have found room while it woke"
    told = [int(number) for line in heard for number in re.findall(r"\((\d+) more sentences were left out", line)]
    assert told and sum(told) + len(heard) == 1001
    assert heard[-1].startswith("last")


# ---- threads


def test_a_thread_that_stumbles_goes_on_and_says_so_once() -> None:
    said, calls = list[str](), list[float]()

    def run() -> None:
        calls.append(time.monotonic())
        if len(calls) < 4:
            raise RuntimeError("a knob came off")

    thread = lasting("knobs", run, said.append)
    thread.start()
    thread.join(20)
    assert len(calls) == 4
    (sentence,) = said
    assert sentence.startswith("The thread 'knobs' stumbled and goes on (RuntimeError: a knob came off (")


@given(texts)
@settings(max_examples=20)
def test_whatever_a_fault_says_its_thread_goes_on(words: str) -> None:
    heard, calls = list[str](), list[int]()

    def run() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError(words)

    def say(sentence: str) -> None:
        heard.append(sentence)
        raise UnicodeEncodeError("ascii", words, 0, 1, "as asked")

    thread = lasting("talker", run, say)
    thread.start()
    thread.join(20)
    assert len(calls) == 2 and len(heard) == 1 and not obeyed(heard[0])


# ---- the real thing


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_music_goes_on_after_a_killed_engine_when_nothing_can_be_said(tmp_path: Path) -> None:
    reading, writing = _full_pipe()
    players = {name: _play(tmp_path, name, need, writing) for name, need in BAD.items()}
    os.close(writing)
    try:
        killed = {name: _kill_an_engine(player, tmp_path / name) for name, player in players.items()}
        for name, player in players.items():
            until(partial(_sounds_after, tmp_path / name, killed[name] + 32_000), 120)
            assert player.poll() is None
    finally:
        for player in players.values():
            player.terminate()
            player.wait(60)
        os.close(reading)


BAD = {"asleep.wav": "", "closed.wav": "2>&-", "full.wav": "2>/dev/full"}
"""What becomes of stderr; where nothing does it is a pipe that is full, and nobody reads."""


def _play(folder: Path, name: str, stderr: str, full_pipe: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} -m streamer.cli.main play --osc-port 0 --wav-out {name} {stderr}"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=full_pipe,
    )


def _kill_an_engine(player: subprocess.Popen[bytes], path: Path) -> int:
    """Kill it once it plays; how many samples there were by then."""
    until(lambda: path.exists() and path.stat().st_size > 50_000, 120)
    children = [one for one in psutil.Process(player.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    min(children, key=lambda one: one.create_time()).kill()
    return int(soundfile.info(path).frames)


def _sounds_after(path: Path, sample: int) -> bool:
    """Whether there is sound behind a sample of a WAV file that is still written to."""
    return bool(soundfile.read(path)[0][sample:].any())
