"""End to end on a real sound server: JACK's dummy driver plays what our worker, ring and player send it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

missing = [
    package
    for package, there in (
        ("jackd2 (apt)", shutil.which("jackd") and shutil.which("jack_wait")),
        ("libportaudio2 (apt)", find_library("portaudio")),
        ("JACK-Client (pip)", find_library("jack") and __import__("importlib.util").util.find_spec("jack")),
    )
    if not there
]
pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="JACK's dummy driver is tested on Linux only"),
    pytest.mark.skipif(bool(missing), reason=f"install {', '.join(missing)}"),
]

RATE = 48000
ROOT = Path(__file__).parents[2]
FADE = 480  # frames, 10 ms


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


class Server:
    """A JACK server of its own, without hardware; synchronous, so that it loses nothing itself."""

    def __init__(self, name: str, environment: dict[str, str], outputs: int = 2) -> None:
        self.name = name
        self._environment, self._outputs = environment, outputs
        self.start(RATE)

    def start(self, rate: int) -> None:
        """Start it, again where it has ended."""
        quiet, env = subprocess.DEVNULL, self._environment
        command = f"jackd -n {self.name} -R -P70 -S -d dummy -r {rate} -p 1024 -C 2 -P {self._outputs}".split()
        self.process = subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet, start_new_session=True)
        waited = subprocess.run(["jack_wait", "-s", self.name, "-w", "-t", "30"], env=env, stdout=quiet, check=False)
        if waited.returncode:
            self.end()
            raise AssertionError("JACK's server did not start")

    def end(self) -> None:
        """End it politely: JACK's registry has eight places, and a killed server keeps its own for ever."""
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    name = f"streamer{os.getpid()}x{time.monotonic_ns() % 10000}"
    for key in ("JACK_NO_AUDIO_RESERVATION", "JACK_NO_START_SERVER"):
        monkeypatch.setenv(key, "1")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    return dict(os.environ)


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Server]:
    made = Server(environment["JACK_DEFAULT_SERVER"], environment)
    yield made
    made.end()


class Instrument:
    """A module in a process of its own, which answers lines with lines of JSON."""

    def __init__(self, module: str, environment: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.facts = self._hear()

    def _hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        return json.loads(line)

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> Any:
        self.say(line)
        return self._hear()


class Counting(Instrument):
    """`tests.streamer.counting`, which plays numbers."""

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.ask("status")
        return status

    def quit(self) -> str:
        """End it; what it reported."""
        said = self.process.communicate("quit\n", timeout=30)[1]
        assert self.process.returncode == 0, said
        return said


@pytest.fixture
def counting(server: Server, environment: dict[str, str]) -> Iterator[Counting]:
    made = Counting("tests.streamer.counting", environment)
    yield made
    made.process.kill()
    made.process.communicate()


class Recorder:
    """A JACK client that keeps what the instrument sends to the loudspeakers, a channel for each of them."""

    def __init__(self, server: Server, seconds: float, outputs: int = 2) -> None:
        import jack

        self.sound: NDArray[np.float32] = np.zeros((round(seconds * RATE), outputs), np.float32)
        self.done = 0
        self._client = jack.Client("recorder", servername=server.name)
        self._inputs = [self._client.inports.register(f"in_{channel + 1}") for channel in range(outputs)]
        self._client.set_process_callback(self._process)
        self._client.activate()
        speakers = self._client.get_ports(is_input=True, is_audio=True, is_physical=True)
        for speaker, ours in zip(speakers, self._inputs, strict=True):
            (source,) = self._client.get_all_connections(speaker)
            self._client.connect(source, ours)

    def _process(self, frames: int) -> None:
        count = min(frames, len(self.sound) - self.done)
        for channel, port in enumerate(self._inputs):
            self.sound[self.done : self.done + count, channel] = port.get_array()[:count]
        self.done += count

    def full(self) -> bool:
        return self.done == len(self.sound)

    def close(self) -> None:
        self._client.deactivate()
        self._client.close()


def test_a_counter_arrives_whole_at_48_kHz_beside_a_busy_neighbour(server: Server, counting: Counting) -> None:
    assert counting.facts["rate"] == RATE
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as hog:
        recorder = Recorder(server, 5)
        until(recorder.full)
        hog.kill()
    recorder.close()
    status = counting.status()
    # The recorder may have come in the middle of the first fade; behind it there is no gain but 1.
    numbers = recorder.sound[np.flatnonzero(recorder.sound[:, 0])[0] + 2 * FADE :, 0]
    assert len(numbers) > 4 * RATE
    assert (np.diff(numbers) == 1).all()
    assert status["xruns"] == 0
    assert counting.quit() == ""


def test_music_plays_on_the_third_and_fourth_loudspeaker_and_the_click_on_the_others(
    environment: dict[str, str],
) -> None:
    """A late block would fade, so the median and the best click speak: the machine may be busy."""
    server = Server(environment["JACK_DEFAULT_SERVER"], environment, outputs=4)
    try:
        counting = Counting("tests.streamer.counting", environment, "3,4", "1,2")
        recorder = Recorder(server, 4, outputs=4)
        until(recorder.full)
        recorder.close()
        assert counting.quit() == ""
    finally:
        server.end()
    clicks, music = recorder.sound[:, :2], recorder.sound[:, 2:]
    begins = np.flatnonzero(clicks[:, 0])
    begins = begins[np.diff(begins, prepend=-RATE) > RATE // 10][1:-1]
    assert len(begins) >= 4
    assert np.array_equal(clicks[begins[0] :, 0], clicks[begins[0] :, 1])
    assert np.median(np.diff(begins)) == pytest.approx(RATE / 2, abs=2)  # 120 bpm, and silence between
    assert np.abs(clicks).max() < 1  # none of the numbers on it
    assert any((np.diff(music[at : at + RATE // 30, 0]) == 1).all() for at in begins)  # and no click on them
    assert np.abs(music[:, 1]).max() > 0.9  # the sine beside them


def test_a_stalled_engine_is_one_counted_underrun_that_fades_out_and_in(server: Server, counting: Counting) -> None:
    recorder = Recorder(server, 4)
    until(lambda: recorder.done > RATE)
    counting.say("lead 300")  # so that the sound runs out before the engine is given up
    until(lambda: counting.status()["buffer_ms"] < 400)
    counting.say("prompt stall")
    until(lambda: not counting.status()["sounding"])
    stalled = counting.status()
    counting.say("prompt play on")
    until(lambda: counting.status()["sounding"])
    until(recorder.full)
    recorder.close()
    assert stalled["underruns"] == 1
    assert counting.status()["underruns"] >= 1
    # The recorder's second channel was connected at any moment of the wave; what matters comes later.
    sine = recorder.sound[np.flatnonzero(recorder.sound[:, 1])[0] :, 1]
    silence = np.flatnonzero(sine == 0)
    assert len(silence) > 100
    steepest = 2 * np.pi * 440 / RATE + np.pi / 2 / FADE
    assert np.abs(np.diff(sine)).max() < 1.01 * steepest
    assert np.abs(sine[-RATE // 10 :]).max() > 0.9


@pytest.mark.parametrize("rates", [(RATE,), pytest.param((44100, RATE), marks=pytest.mark.heavy)])
def test_the_music_keeps_time_when_the_sound_server_dies_and_goes_on_when_it_is_started_again(
    server: Server, counting: Counting, rates: tuple[int, ...]
) -> None:
    until(lambda: counting.status()["seconds"] > 0.5)
    for rate in rates:
        server.process.kill()
        until(lambda: counting.status()["output"] == "no device")
        before = counting.status()["seconds"]
        counting.say("prompt in the dark")
        until(lambda: counting.status()["seconds"] > before + 0.5)  # noqa: B023
        assert counting.status()["prompt"] == "in the dark"
        server.start(rate)
        until(lambda: counting.status()["output"] == counting.facts["output"])
        before = counting.status()["seconds"]
        until(lambda: counting.status()["seconds"] > before + 0.5)  # noqa: B023
    recorder = Recorder(server, 2)
    until(recorder.full)
    recorder.close()
    numbers = recorder.sound[np.flatnonzero(recorder.sound[:, 0])[0] + 2 * FADE :, 0]
    assert np.mean(np.diff(numbers) == 1) > 0.8  # an interruption by other programs is none of ours
    said = counting.quit()
    assert said.count("The output device system has gone: playing on in silence") == len(rates)
    assert said.count("The output device system is back") == len(rates)
    assert said.count("at 44100 Hz") == rates.count(44100)


def pitches_heard(hearing: Instrument) -> set[int] | None:
    """The pitch classes in the last seconds."""
    classes = hearing.ask("heard")
    return None if classes is None else set(classes)


@pytest.fixture
def hearing(server: Server, environment: dict[str, str]) -> Iterator[Instrument]:
    made = Instrument("tests.streamer.hearing", environment)
    yield made
    made.process.kill()
    made.process.communicate()


class Musician:
    """A JACK client that plays one note into whatever listens."""

    def __init__(self, server: Server) -> None:
        import jack

        self.note = 0.0  # Hz
        self._done = 0
        self._client = jack.Client("musician", servername=server.name)
        self._output = self._client.outports.register("out")
        self._client.set_process_callback(self._process)
        self._client.activate()
        for port in self._client.get_ports(is_input=True, is_audio=True):
            if not port.is_physical:
                self._client.connect(self._output, port)

    def _process(self, frames: int) -> None:
        times = np.arange(self._done, self._done + frames) / RATE
        self._output.get_array()[:] = 0.5 * np.sin(2 * np.pi * self.note * times)
        self._done += frames

    def close(self) -> None:
        self._client.deactivate()
        self._client.close()


def test_notes_played_on_a_device_are_heard_by_their_names(server: Server, hearing: Instrument) -> None:
    musician = Musician(server)
    assert pitches_heard(hearing) is None
    for note, name in ((440.0, 9), (523.25, 0), (369.99, 6)):  # A, C, F sharp
        musician.note = note
        until(lambda: pitches_heard(hearing) == {name})  # noqa: B023
    musician.note = 0.0
    until(lambda: pitches_heard(hearing) is None)
    musician.close()


def test_when_the_sound_server_dies_the_listener_says_so(server: Server, hearing: Instrument) -> None:
    server.end()
    assert hearing.process.stderr is not None
    assert any("has gone" in line for line in hearing.process.stderr)
