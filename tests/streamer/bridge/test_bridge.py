"""What plug-ins get from the engine: their music, the same every time, whatever others send."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.udp_client import SimpleUDPClient

from streamer.control.change import Change, Frame
from streamer.control.pulse import PULSE, Pulse
from streamer.control.table import TABLE
from streamer.engine.core import Core
from streamer.engine.loading import load
from streamer.errors import UserError
from streamer.sound.dynamics import Samples
from streamer.surfaces.bridge import endpoint, wire
from streamer.surfaces.bridge.wire import Broken, Kind, Reader
from tests.streamer.bridge.client import PATIENCE, Client
from tests.streamer.bridge.conftest import engine

PART = 12_000  # samples: a quarter of a second at 48 kHz
Address = Callable[[], tuple[int, str]]


def bounce(client: Client, block: int, samples: int = PART, seed: int = 7) -> Samples:
    """So much of a piece from its seed on, in blocks, with a prompt that changes in the middle."""
    client.send(wire.packed(Kind.OFFLINE, b"\1"), wire.number(Kind.SET, "seed", seed))
    client.send(wire.text(Kind.TEXT, "prompt", "techno"), wire.number(Kind.SET, "volume", 0.0))
    client.begin()
    parts = []
    for half in range(2):
        left = samples // 2
        while left:
            parts.append(client.read(min(block, left)))
            left -= len(parts[-1])
        if not half:
            client.send(wire.text(Kind.TEXT, "prompt", "slow piano"), wire.number(Kind.SET, "volume", -6.0))
    return np.concatenate(parts)


# ---- music


def test_a_bounce_is_the_same_twice_and_at_any_block_size(home: Path) -> None:
    client = Client.of(home)
    first = bounce(client, 512)
    assert np.abs(first).max() > 0.05
    for block in (64, 333, 2048):
        assert np.array_equal(bounce(client, block), first), block
    assert np.array_equal(bounce(Client.of(home, session="b"), 512), first)


@pytest.mark.parametrize("rate", [44100, 96000])
def test_another_rate_is_the_same_model_anew(home: Path, rate: int) -> None:
    client = Client.of(home, rate)
    assert np.abs(bounce(client, 512, rate // 4)).max() > 0.05


def test_instances_play_at_once_as_each_would_alone(home: Path) -> None:
    alone = {seed: bounce(Client.of(home), 480, seed=seed) for seed in (1, 2, 3)}
    together: dict[int, Samples] = {}

    def play(seed: int) -> None:
        together[seed] = bounce(Client.of(home, session=str(seed)), 480, seed=seed)

    threads = [threading.Thread(target=play, args=(seed,)) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert all(np.array_equal(together[seed], alone[seed]) for seed in alone)


def test_nothing_comes_that_nobody_asked_for(home: Path) -> None:
    client = Client.of(home)
    client.begin()
    client.send(wire.credit(1000))
    client.take(1000)
    client.until(lambda: "rtf" in client.status)
    client.status.clear()
    client.until(lambda: "rtf" in client.status)  # some time has passed
    assert not client.blocks


def test_the_hosts_beat_is_told_to_the_sample(home: Path) -> None:
    """Against an engine of our own that is told the same at the same samples."""
    client = Client.of(home, session="beat")
    core = Core(load("nano", threads=1), {}, sample_rate=48000, channels=2)
    client.send(wire.text(Kind.TEXT, "sync", "host"))
    client.begin()
    for part, (bpm, beat) in enumerate(((124.0, 3.5), (0.0, 0.0), (90.0, 33.25))):
        client.send(wire.host(bpm, beat))
        values = {PULSE: Pulse(bpm, beat).text if bpm else ""}
        core.change(Change(values, Frame(core.frame_at(part * PART, values))))
        assert np.array_equal(client.read(PART), core.read(PART)), part


def test_a_host_that_nobody_asked_for_leaves_the_beat_alone(home: Path) -> None:
    client = Client.of(home, session="beat")
    client.begin()
    alone = client.read(PART)
    client.begin()
    client.send(wire.host(124.0, 3.5))
    assert np.array_equal(client.read(PART), alone)
    client.send(wire.text(Kind.TEXT, "sync", "link"))
    client.until(lambda: any("no link" in sentence for sentence in client.errors))


def test_stop_is_silence_in_the_hosts_time_and_play_goes_on(home: Path) -> None:
    client = Client.of(home)
    client.begin()
    client.read(PART)
    client.send(wire.number(Kind.SET, "stop", 1.0))
    client.read(1000)  # fades
    assert not client.read(5000).any()
    client.send(wire.number(Kind.SET, "play", 1.0))
    assert client.read(PART).any()


# ---- values


def test_osc_changes_reach_the_instance_of_their_prefix_and_are_told_to_it(home: Path) -> None:
    # The first takes the place of the test before, whose number may not be free yet.
    one, two = Client.of(home, number=1), Client.of(home, session="two", number=2)
    for client in (one, two):
        client.until(lambda client=client: bool(client.welcome))  # type: ignore[misc]
        client.begin()
    assert (one.welcome["prefix"], two.welcome["prefix"]) == ("/mg", "/mg/2")
    osc = SimpleUDPClient("localhost", int(one.welcome["osc"]))
    osc.send_message("/mg/2/cfg", 5.5)
    osc.send_message("/mg/2/prompt", "waltz")
    two.until(lambda: two.values.get("cfg") == 5.5 and two.values.get("prompt") == "waltz")
    osc.send_message("/mg/cfg", 2.5)
    one.until(lambda: "cfg" in one.values)
    assert one.values["cfg"] == 2.5 and "prompt" not in one.values


def test_what_the_plug_in_itself_sets_does_not_come_back(home: Path) -> None:
    client = Client.of(home)
    client.begin()
    client.send(wire.number(Kind.SET, "cfg", 4.0), wire.number(Kind.SET, "nonsense", 1.0))
    client.until(lambda: bool(client.errors))
    assert "nonsense" in client.errors[0] and "cfg" not in client.values


# ---- strangers and broken clients


def _answer(port: int, *sent: bytes) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as stranger:
        stranger.sendall(b"".join(sent))
        heard = b""
        while data := stranger.recv(4096):
            heard += data
    reader = Reader()
    reader.put(heard)
    [(kind, body)] = reader.messages()
    assert kind is Kind.ERROR
    return body.decode()


def test_a_stranger_is_refused(home: Path, address: Address) -> None:
    Client.of(home).close()
    port, token = address()
    hello = {"version": wire.VERSION, "rate": 48000, "channels": 2, "session": "x"}
    assert "token" in _answer(port, wire.packed(Kind.HELLO, wire.lines({**hello, "token": token[:-1] + "?"})))
    assert "token" in _answer(port, wire.packed(Kind.HELLO, wire.lines(hello)))
    assert "hello" in _answer(port, wire.credit(480))
    assert "version" in _answer(port, wire.packed(Kind.HELLO, wire.lines({**hello, "token": token, "version": 99})))
    assert "reach" in _answer(port, wire.packed(Kind.HELLO, wire.lines({**hello, "token": token, "rate": 10})))


def test_the_endpoint_is_for_its_user_alone(home: Path) -> None:
    Client.of(home).close()
    assert (home / endpoint.RUNNING).stat().st_mode & 0o077 == 0


def _nonsense(draw: random.Random) -> bytes:
    """A message of some kind: most can be read and mean nothing, some are broken in themselves."""
    name = draw.choice([*TABLE, "play", "stop", "reset", "nothing", "\x1b[31m"])
    if draw.random() < 0.6:
        value = draw.choice([0.0, -1e300, float("nan"), float("inf"), draw.random() * 100])
        return wire.number(Kind.SET, name, value)
    if draw.random() < 0.7:
        return wire.text(Kind.TEXT, name, draw.choice(["", "x" * 900, "\0\0", "input:0", "/etc/passwd", "D minor"]))
    if draw.random() < 0.9:
        return wire.packed(Kind.HOST, struct.pack("<dd", draw.uniform(1, 999), draw.uniform(-9, 99)))
    size = draw.randrange(40)
    return draw.choice(
        [draw.randbytes(size), wire.packed(draw.choice(list(Kind)), draw.randbytes(size)), wire.credit(2**31)]
    )


def _flood(port: int, token: str, seed: int, messages: int) -> int:
    """Send nonsense until so many messages are sent, with a new connection whenever one is ended; how many ended."""
    draw, ends = random.Random(seed), 0
    while messages > 0:
        client = Client(port, token, session=f"broken {seed}")
        client.send(wire.begin(1))
        try:
            while messages > 0:
                batch = [_nonsense(draw) for _ in range(100)]
                messages -= len(batch)
                client.send(*batch, wire.credit(1))
                client.read_some()
        except (OSError, AssertionError):
            ends += 1
        client.close()
    return ends


@pytest.mark.parametrize("messages", [4_000, pytest.param(100_000, marks=pytest.mark.heavy)])
def test_broken_messages_harm_nobody(home: Path, address: Address, messages: int) -> None:
    good = Client.of(home, session="good")
    expected = bounce(good, 512)
    ends: list[int] = []
    port, token = address()

    def flood(seed: int) -> None:
        ends.append(_flood(port, token, seed, messages // 2))

    floods = [threading.Thread(target=flood, args=(seed,)) for seed in (1, 2)]
    for one in floods:
        one.start()
    while any(one.is_alive() for one in floods):
        assert np.array_equal(bounce(good, 512), expected)
    assert sum(ends) > 2
    assert np.array_equal(bounce(good, 512), expected)


@given(st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=60)), max_size=8), st.integers(1, 30))
def test_messages_are_read_whole_however_they_are_cut(messages: list[tuple[Kind, bytes]], piece: int) -> None:
    sent = b"".join(wire.packed(kind, body) for kind, body in messages)
    reader, heard = Reader(), []
    for start in range(0, len(sent), piece):
        reader.put(sent[start : start + piece])
        heard += list(reader.messages())
    assert heard == messages


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_a_sentence(data: bytes) -> None:
    reader = Reader(100)
    reader.put(data)
    reads = {
        Kind.HELLO: wire.read_lines,
        Kind.SET: wire.read_number,
        Kind.TEXT: wire.read_text,
        Kind.CREDIT: wire.read_count,
        Kind.BEGIN: wire.read_begin,
        Kind.OFFLINE: wire.read_flag,
        Kind.HOST: wire.read_host,
        Kind.AUDIO: wire.read_audio,
    }
    try:
        for kind, body in reader.messages():
            if kind in reads:
                reads[kind](body)
    except Broken as error:
        assert str(error)


# ---- life and death


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux forks engines")
def test_a_killed_engine_is_followed_by_one_that_goes_on(home: Path, address: Address) -> None:
    client = Client.of(home, session="lives")
    client.send(wire.number(Kind.SET, "seed", 11.0))
    client.begin()
    opening = client.read(PART)
    client.until(lambda: "rtf" in client.status)
    time.sleep(1.5)  # until it has told where it stands
    port, _ = address()
    [player] = psutil.Process(int(endpoint.read(home / endpoint.RUNNING)["pid"])).children()
    player.kill()
    assert client.ended()
    again = Client.of(home, session="lives")
    assert address()[0] == port
    again.send(wire.number(Kind.SET, "seed", 11.0))
    again.begin(goes_on=True)
    music = again.read(PART)
    assert np.abs(music).max() > 0.02
    again.begin()
    assert np.array_equal(again.read(PART), opening), "the seed's own music is what was played before"
    assert not np.array_equal(music, opening), "it did not begin anew"


@pytest.mark.heavy
def test_one_engine_serves_a_folder_and_ends_when_nobody_is_there(tmp_path: Path) -> None:
    with engine(tmp_path, "--idle", "1") as process:
        client = Client.of(tmp_path)
        client.until(lambda: bool(client.welcome))
        with pytest.raises(UserError, match="already"), endpoint.only_one(tmp_path):
            pass
        time.sleep(1.5)
        assert process.poll() is None, "a plug-in is there"
        client.close()
        assert process.wait(PATIENCE) == 0
        assert not (tmp_path / endpoint.RUNNING).exists()


def test_an_engine_that_cannot_begin_says_why(tmp_path: Path) -> None:
    with engine(tmp_path, "--model", str(tmp_path / "nothing")) as process:
        assert process.wait(PATIENCE) == 2
    assert "nothing" in endpoint.read(tmp_path / endpoint.RUNNING)["error"]
