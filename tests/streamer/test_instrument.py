"""The whole instrument on the null clock: steered over UDP, it answers, plays, survives."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket

from osc.packet import BUNDLE, build
from osc.values import Value
from streamer.errors import UserError
from streamer.instrument import Instrument
from streamer.process.broadcast import Hearing, Place
from tests.streamer import counter

RATE = 8000


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


class Client:
    """An OSC client on an ephemeral port."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(10)

    def send(self, address: str, *arguments: Any) -> None:
        builder = OscMessageBuilder(address)
        for argument in arguments:
            builder.add_arg(argument)
        self._socket.send(builder.build().dgram)

    def send_bytes(self, datagram: bytes) -> None:
        self._socket.send(datagram)

    def hear(self, address: str) -> OscMessage:
        """The next message at the address."""
        while True:
            for timed in OscPacket(self._socket.recv(65536)).messages:
                if timed.message.address == address:
                    return timed.message

    def close(self) -> None:
        self._socket.close()


class Reports(list[str]):
    """What the instrument reported."""


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def instrument(reports: Reports, tmp_path: Path) -> Iterator[Instrument]:
    made = Instrument(
        counter.job(RATE), {"seed": 3, "lead": 200.0}, wav=tmp_path / "x.wav", port=0, report=reports.append
    )
    made.start()
    yield made
    made.close()


@pytest.fixture
def client(instrument: Instrument) -> Iterator[Client]:
    made = Client(instrument.server.port)
    yield made
    made.close()


def test_a_fader_over_udp_reaches_the_engine(instrument: Instrument, client: Client) -> None:
    client.send("/mg/seed", 9)
    client.send("/mg/get/seed")
    assert client.hear("/mg/seed").params == [9]
    instrument.player.close()  # from here the test reads the ring
    newest = np.zeros((2 * RATE, 2), np.float32)

    def seed_heard() -> bool:
        got = instrument.ring.read_into(newest)
        return bool(got and newest[got - 1, 1] == 9)

    until(seed_heard)


def test_transport_over_udp_opens_and_closes_the_gate(instrument: Instrument, client: Client) -> None:
    until(lambda: instrument.playback.sounding)
    client.send("/mg/stop")
    until(lambda: not instrument.playback.sounding)
    assert not instrument.status().playing
    client.send("/mg/play")
    until(lambda: instrument.playback.sounding)
    client.send("/mg/panic")
    until(lambda: not instrument.playback.sounding)
    client.send("/mg/play", 0)  # a button's release
    client.send("/mg/ping")
    client.hear("/mg/pong")
    assert not instrument.playback.playing


def test_the_lead_is_the_sound_queued_ahead(instrument: Instrument, client: Client) -> None:
    client.send("/mg/lead", 1500.0)
    until(lambda: instrument.status().buffer_ms > 1300)
    client.send("/mg/lead", 100.0)
    until(lambda: instrument.status().buffer_ms <= 100)


def test_status_is_told_to_subscribers(instrument: Instrument, client: Client) -> None:
    client.send("/mg/subscribe")
    for name in ("rtf", "buffer_ms", "xruns", "latency_ms", "level"):
        (value,) = client.hear(f"/mg/status/{name}").params
        assert isinstance(value, (int, float))
    assert instrument.status().rtf > 1


def test_music_that_was_brought_back_is_told(instrument: Instrument, client: Client, reports: Reports) -> None:
    client.send("/mg/subscribe")
    assert client.hear("/mg/status/collapses").params == [0]
    client.send("/mg/prompt", "collapse")
    assert client.hear("/mg/error").params == ["/mg/status", "At 0:00: it fell apart."]
    until(lambda: instrument.status().collapses == 1 and reports)
    assert instrument.status().collapse == reports[0] == "At 0:00: it fell apart."
    while client.hear("/mg/status/collapses").params != [1]:
        pass
    client.send("/mg/get/status/collapse")
    while client.hear("/mg/status/collapse").params != ["At 0:00: it fell apart."]:
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
def test_after_kill_9_it_fades_answers_and_plays_on(
    instrument: Instrument, client: Client, reports: Reports, tmp_path: Path
) -> None:
    until(lambda: instrument.playback.sounding)
    pid = instrument.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while instrument.worker.restarts == 0:
        client.send("/mg/ping")
        client.hear("/mg/pong")
    until(lambda: instrument.worker.alive and instrument.playback.sounding)
    played = instrument.status().seconds
    until(lambda: instrument.status().seconds > played + 0.3)
    assert instrument.status().restarts == 1
    assert "exit code -9" in reports[0]


def test_what_nobody_asked_for_is_the_models_own(instrument: Instrument) -> None:
    assert instrument.controls.get("topk") == counter.TOPK


def test_a_value_that_is_refused_is_told_to_its_sender_and_the_one_that_plays_is_shown(
    instrument: Instrument, client: Client, reports: Reports
) -> None:
    client.send("/mg/prompt", "rain")
    time.sleep(0.3)
    client.send("/mg/prompt", "unspeakable")  # by a client that never subscribed
    address, sentence = client.hear("/mg/error").params
    assert address == "/mg/prompt"
    assert "no such word" in sentence
    until(lambda: reports)  # the sender may hear of it first
    assert reports[0].startswith("prompt: ValueError: no such word")
    until(lambda: instrument.controls.get("prompt") == "rain")
    assert instrument.controls.chosen()["prompt"] == "rain"  # what a successor begins with


def test_a_port_that_is_taken_is_named(instrument: Instrument, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"in use.*--osc-port"):
        Instrument(counter.job(RATE), {}, port=instrument.server.port)


def test_the_file_holds_what_was_played(tmp_path: Path, reports: Reports) -> None:
    instrument = Instrument(counter.job(RATE), {}, wav=tmp_path / "heard.wav", port=0, report=reports.append)
    instrument.start()
    until(lambda: instrument.status().seconds > 1)
    seconds = instrument.status().seconds
    instrument.close()
    heard = soundfile.info(tmp_path / "heard.wav")
    assert heard.samplerate == RATE
    assert heard.duration >= seconds
    assert reports == []


def bundle(moment: float, *messages: tuple[str, Any]) -> bytes:
    builder = OscBundleBuilder(moment)  # type: ignore[arg-type]
    for address, argument in messages:
        message = OscMessageBuilder(address)
        if argument is not None:
            message.add_arg(argument)
        builder.add_content(message.build())
    return bytes(builder.build().dgram)


def test_a_late_bundle_is_done_whole_and_its_sender_hears_by_how_much(instrument: Instrument, client: Client) -> None:
    other = Client(instrument.server.port)
    other.send("/mg/subscribe")
    client.send_bytes(bundle(time.time() - 1.5, ("/mg/seed", 9), ("/mg/topk", 7)))
    (seconds,) = client.hear("/mg/late").params
    assert 1.5 <= seconds < 10
    while other.hear("/mg/topk").params != [7]:
        pass
    assert (instrument.controls.get("seed"), instrument.controls.get("topk")) == (9, 7)
    other.close()


def test_values_of_a_bundle_stand_when_it_has_taken_effect(instrument: Instrument, client: Client) -> None:
    due = time.time() + 1.0
    client.send("/mg/subscribe")
    client.send_bytes(bundle(due, ("/mg/seed", 9), ("/mg/lead", 150.0), ("/mg/stop", None)))
    time.sleep(0.3)
    assert (instrument.controls.get("seed"), instrument.controls.get("lead")) == (3, 200.0)
    assert instrument.playback.playing
    until(lambda: not instrument.playback.playing)
    assert abs(time.time() - due) < 0.3
    assert instrument.controls.get("seed") == 9
    until(lambda: instrument.controls.get("lead") == 150.0)


REFUSED: dict[str, tuple[Value, str]] = {
    "/mg/prompt": ("unspeakable", "no such word"),
    "/mg/prompt/9/weight": (1.0, "is no address here"),
    "/mg/key": ("nonsense", "takes a key"),
    "/mg/snapshot/load": ("never saved", "there is no snapshot"),
    "/mg/ramp": ("volume", "takes name, target"),
}


@pytest.mark.parametrize("ahead", [0.0, 0.6])
def test_a_bundle_of_which_a_part_cannot_be_had_changes_nothing(
    instrument: Instrument, client: Client, ahead: float
) -> None:
    """Over a real socket, whether it is refused as it comes or when the engine prepares it."""
    before = instrument.controls.values()
    for address, (argument, reason) in REFUSED.items():
        parts = [build("/mg/topk", 7), build(address, argument), build("/mg/prompt/2/weight", 0.5)]
        client.send_bytes(in_a_bundle(time.time() + ahead if ahead else 0.0, *parts))
        said, sentence = client.hear("/mg/error").params
        assert said == address
        assert reason in sentence and sentence.endswith("; nothing else that came with it was applied")
        until(lambda: instrument.controls.values() == before)
    client.send("/mg/volume", -3.0)
    until(lambda: instrument.controls.get("volume") == -3.0)
    assert instrument.controls.values() == before | {"volume": -3.0}


def in_a_bundle(at: float, *messages: bytes) -> bytes:
    tag = round((at + 2_208_988_800) * 2**32) if at else 1
    parts = b"".join(len(message).to_bytes(4, "big") + message for message in messages)
    return BUNDLE + tag.to_bytes(8, "big") + parts


def test_whoever_asks_on_this_machine_hears_what_is_played(instrument: Instrument, client: Client) -> None:
    until(lambda: instrument.playback.sounding)
    instrument.server.desk.receive(build("/mg/broadcast"), ("192.0.2.7", 9))
    client.send("/mg/ping")
    client.hear("/mg/pong")
    assert instrument.playback.broadcast is None  # another machine could not hear it
    client.send("/mg/broadcast")
    place = Place.read(client.hear("/mg/broadcast").params)
    assert (place.rate, place.channels) == (RATE, 2)
    hearing = Hearing(place)
    heard: list[float] = []

    def long_enough() -> bool:
        heard.extend(hearing.read()[:, 0].tolist())
        return len(heard) > RATE // 2

    until(long_enough)
    assert np.ptp(np.diff(heard[len(heard) // 4 :])) < 1e-3  # it counts on, block after block
    client.send("/mg/broadcast")
    assert Place.read(client.hear("/mg/broadcast").params) == place  # there is but one
    hearing.close()


@pytest.mark.parametrize("missing", [True, False])
def test_midi_that_cannot_be_had_is_a_sentence_and_the_music_plays(
    missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_system(*_: object) -> None:
        raise UserError("This machine has no MIDI.")

    if missing:
        monkeypatch.setattr("streamer.surfaces.company.find_spec", lambda name: None)
    monkeypatch.setattr("streamer.surfaces.midi.surface.Midi", no_system)
    said = list[str]()
    made = Instrument(counter.job(RATE), {}, wav=tmp_path / "x.wav", port=0, midi="all", report=said.append)
    try:
        made.start()
        until(lambda: made.playback.samples)
        until(lambda: said)
        assert ("pip install mido" if missing else "no MIDI") in said[0]
    finally:
        made.close()
