"""MIDI on a real server: JACK's dummy driver carries clocks, knobs and notes between us and others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from ctypes.util import find_library
from typing import Any

import pytest

missing = [
    name
    for name, there in (
        ("jackd2 (apt)", shutil.which("jackd") and shutil.which("jack_wait")),
        ("jack", find_library("jack")),
    )
    if not there
]
pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="JACK's dummy driver is tested on Linux only"),
    pytest.mark.skipif(bool(missing), reason=f"install {', '.join(missing)}"),
]

import rtmidi  # noqa: E402

from osc.command import Asker  # noqa: E402
from osc.hosts import Client  # noqa: E402
from osc.values import BadValue, Value  # noqa: E402
from streamer.instrument import Instrument  # noqa: E402
from streamer.surfaces.commands import without_midi  # noqa: E402
from tests.streamer import humming  # noqa: E402


def until(condition: Callable[[], object], seconds: float = 40) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def jack() -> Iterator[str]:
    name = f"midi{os.getpid()}x{time.monotonic_ns() % 10000}"
    own = {"JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1", "JACK_DEFAULT_SERVER": name}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in own.items():
            patch.setenv(key, value)
        command = f"jackd -n {name} -R -P70 -S -d dummy -r 48000 -p 128 -C 2 -P 2".split()
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        subprocess.run(["jack_wait", "-s", name, "-w", "-t", "20"], check=True, stdout=subprocess.DEVNULL)
        yield name
        server.terminate()
        server.wait(timeout=20)


class Player:
    """Somebody with a controller, a drum machine, and an ear for our clock."""

    def __init__(self, name: str) -> None:
        self._out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name)
        self._out.open_virtual_port("out")
        self._in: Any = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, f"{name} ear")
        self._in.ignore_types(timing=False)
        self.heard: list[Sequence[int]] = []
        self._in.set_callback(lambda event, _: self.heard.append(event[0]))
        self._in.open_virtual_port("in")
        self._ending = threading.Event()
        self._drumming: threading.Thread | None = None

    def send(self, *data: int) -> None:
        self._out.send_message(list(data))

    def drum(self, bpm: float) -> None:
        """Send a clock until `rest`."""
        self._ending.clear()
        self._drumming = threading.Thread(target=self._drum, args=(bpm,))
        self._drumming.start()

    def _drum(self, bpm: float) -> None:
        due = time.monotonic()
        while not self._ending.wait(max(0.0, due - time.monotonic())):
            self.send(0xF8)
            due += 60 / bpm / 24

    def rest(self) -> None:
        self._ending.set()
        if self._drumming is not None:
            self._drumming.join()

    def unplug(self) -> None:
        self.rest()
        for port in (self._out, self._in):
            port.close_port()
            port.delete()


class Stage:
    """A whole instrument on the null clock that hears and speaks MIDI."""

    def __init__(self, **values: Value) -> None:
        self.said: list[str] = []
        self.instrument = Instrument(
            humming.job(), {"lead": 100.0, **values}, port=0, midi="desk", report=self.said.append
        )
        self.controls = self.instrument.controls
        self.commands = {command.path: handler for command, handler in self.instrument.company.commands()}
        self.instrument.start()

    def ask(self, path: str, name: str) -> None:
        list(self.commands[path]([name], Asker(Client(("127.0.0.1", 1))))())

    def get(self, name: str) -> Value:
        return self.controls.get(name)


@pytest.fixture(scope="module")
def whole(jack: str) -> Iterator[Stage]:
    made = Stage()
    yield made
    made.instrument.close()


@pytest.fixture
def stage(whole: Stage) -> Stage:
    """The instrument as nobody has touched it yet."""
    whole.controls.set(knobs="", sync="internal", clock=False, mute=False)
    whole.controls.act("play")
    whole.said.clear()
    return whole


@pytest.fixture
def desk(jack: str, stage: Stage) -> Iterator[Player]:
    made = Player("desk")
    until(
        lambda: (
            "desk:out" in stage.instrument.company.ports()[0] and "desk ear:in" in stage.instrument.company.ports()[1]
        )
    )
    yield made
    made.unplug()
    until(lambda: stage.instrument.company.ports() == ([], []))


def test_a_knob_is_learnt_turned_forgotten_and_garbage_hurts_nobody(stage: Stage, desk: Player) -> None:
    stage.ask("midi/learn", "/mg/volume")
    desk.send(0xB0, 7, 100)
    until(lambda: stage.get("knobs") == "volume=cc 1 7")
    desk.send(0xB0, 7, 127)
    until(lambda: stage.get("volume") == 12.0)
    for garbage in ((0xB0, 7), (0xF5,), (0xFD, 1), (0x90,), (0xF0, 1, 2, 3, 0xF7), (0xF2, 1)):
        desk.send(*garbage)
    desk.send(0xB0, 7, 0)
    until(lambda: stage.get("volume") == -60.0)
    stage.ask("midi/forget", "volume")
    until(lambda: stage.get("knobs") == "")
    assert not [sentence for sentence in stage.said if "could not" in sentence]


def test_notes_call_prompts_and_snapshots_and_toggle_switches(
    stage: Stage, desk: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(stage.instrument.company.midi, "_load", loaded.append)
    for at, target in enumerate(("prompt/3", "snapshot/my drop", "mute")):
        stage.ask("midi/learn", target)
        desk.send(0x99, 36 + at, 100)
        until(lambda: f"{target}=note 10 {36 + at}" in str(stage.get("knobs")))  # noqa: B023
        desk.send(0x89, 36 + at, 0)
    desk.send(0x99, 36, 1)
    until(lambda: (stage.get("weight1"), stage.get("weight3")) == (0.0, 1.0))
    desk.send(0x99, 37, 90)
    until(lambda: loaded == ["my drop"])
    desk.send(0x99, 38, 90)
    until(lambda: stage.get("mute") is True)
    desk.send(0x99, 38, 90)
    until(lambda: stage.get("mute") is False)


def test_keys_are_the_tune_where_the_melody_is_theirs(stage: Stage, desk: Player) -> None:
    stage.controls.set(melody="midi")  # sines follow any tune
    desk.send(0x94, 64, 100)
    until(lambda: stage.get("notes") == "64")
    desk.send(0x84, 64, 0)
    until(lambda: stage.get("notes") == "")
    stage.controls.set(keyboard=2)
    desk.send(0x94, 65, 100)
    desk.send(0x91, 67, 100)
    until(lambda: stage.get("notes") == "67")
    stage.controls.set(melody="")
    until(lambda: stage.get("notes") == "")
    stage.controls.set(keyboard=0)


def test_what_no_knob_can_turn_is_answered(stage: Stage) -> None:
    for name in ("prompt", "nothing", "prompt/9", "snapshot/", "snapshot/a;b"):
        with pytest.raises(BadValue, match="turns a number"):
            stage.ask("midi/learn", name)
    with pytest.raises(BadValue, match="--midi"):
        without_midi(["volume"], Asker(Client(("127.0.0.1", 1))))


def test_the_music_counts_by_a_clock_and_goes_on_when_that_is_pulled(stage: Stage, desk: Player) -> None:
    stage.controls.set(sync="midi")
    desk.drum(100.0)
    until(lambda: stage.instrument.status().sync == "midi")
    until(lambda: abs(stage.instrument.status().tempo - 100) < 4)
    until(lambda: abs(float(stage.get("tempo")) - 100) < 4)
    desk.send(0xFA)
    until(lambda: 0 <= stage.instrument.status().beat < 8)
    midi = stage.instrument.company.midi
    assert midi is not None

    def together() -> bool:
        now = time.monotonic()
        ours, theirs = stage.instrument.place(now), midi.place(now)
        return ours is not None and theirs is not None and abs(ours.beat - theirs.beat) * 0.6 < 0.02

    until(together)
    desk.send(0xFC)
    until(lambda: not stage.instrument.status().playing)
    desk.send(0xFB)
    until(lambda: stage.instrument.status().playing)
    desk.rest()
    until(lambda: stage.instrument.status().sync == "internal")
    beat = stage.instrument.status().beat
    until(lambda: stage.instrument.status().beat > beat + 1)
    assert abs(stage.instrument.status().tempo - 100) < 15  # and not our own 120: as it was, on however busy a machine
    until(lambda: any("midi has gone" in sentence for sentence in stage.said))


def test_others_hear_our_clock(stage: Stage, desk: Player) -> None:
    stage.controls.set(tempo=240.0, clock=True)
    until(lambda: [0xF8] in desk.heard)
    until(lambda: {message[0] for message in desk.heard} & {0xFA, 0xFB})
    stage.controls.act("stop")
    until(lambda: [0xFC] in desk.heard)
    stage.controls.set(clock=False)
    before = -1

    def silent() -> bool:
        nonlocal before
        time.sleep(0.3)
        before, last = len(desk.heard), before
        return before == last

    until(silent)


@pytest.mark.heavy
def test_a_controller_that_is_unplugged_is_taken_up_again(jack: str, stage: Stage) -> None:
    first = Player("desk")
    until(lambda: "desk:out" in stage.instrument.company.ports()[0])
    first.unplug()
    until(lambda: "desk:out" not in stage.instrument.company.ports()[0])
    until(lambda: any("desk:out has gone" in sentence for sentence in stage.said))
    second = Player("desk")
    until(lambda: "desk:out" in stage.instrument.company.ports()[0])
    stage.ask("midi/learn", "topk")
    second.send(0xB3, 20, 64)
    until(lambda: stage.get("knobs") == "topk=cc 4 20")
    second.unplug()
    until(lambda: "desk:out" not in stage.instrument.company.ports()[0])


def test_our_own_port_hears_too(stage: Stage) -> None:
    """What other programs connect to themselves."""
    out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "program")
    until(lambda: any("MusicGen Streamer" in name for name in out.get_ports()))
    out.open_port(next(at for at, name in enumerate(out.get_ports()) if "MusicGen Streamer" in name))
    stage.ask("midi/learn", "cfg")

    def learnt() -> bool:
        out.send_message([0xB0, 11, 64])
        return stage.get("knobs") == "cfg=cc 1 11"

    until(learnt)
    out.close_port()
    out.delete()
