"""The parameter `melody`: what is followed of files, an input and notes, and that nothing stops the music."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from transformers import MusicgenMelodyFeatureExtractor

from musicgen import MusicGen, Stream, StreamingPolicy, stems
from osc.values import Value
from streamer import Controls, Engine, UserError
from streamer.control.change import Change
from streamer.engine.core import Core
from streamer.engine.events import Event, Noted, Refused
from streamer.engine.listening import Window
from streamer.engine.melodies import Melodies, check_melody
from streamer.engine.standing import Standing
from streamer.instrument import Instrument
from streamer.offline.render import render
from streamer.process.events import Report
from streamer.process.job import music, play_model
from tests.musicgen.tiny import tiny_checkpoint
from tests.streamer.sine import SineModel
from tests.streamer.test_instrument import Client, until

RATE = 32_000
HOP = 640


def tune(*notes: float, rate: int = RATE, seconds: float = 1.0) -> NDArray[np.float32]:
    """Notes (Hz) one after the other, (samples,)."""
    time = np.arange(int(seconds * rate)) / rate
    return np.concatenate([0.5 * np.sin(2 * np.pi * note * time) for note in notes]).astype(np.float32)


TUNE = tune(440, 523.25, 659.25, 392)
OTHER = tune(311.13, 466.16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    streaming: dict[str, object] = {"policy": "reanchor", "keep": 50, "max_position": 150}
    return tiny_checkpoint(tmp_path_factory.mktemp("melody") / "tiny", melody=True, seed=4, streaming=streaming)


@pytest.fixture(scope="module")
def model(folder: Path) -> MusicGen:
    return MusicGen.load(str(folder), backend="torch")


def chroma(folder: Path, sound: NDArray[np.float32], rate: int = RATE) -> torch.Tensor:
    """What transformers' feature extractor hears in it."""
    extractor = cast(Any, MusicgenMelodyFeatureExtractor).from_pretrained(folder)
    if rate != extractor.sampling_rate:
        sound = torch.from_numpy(sound)  # type: ignore[assignment]  # its resampler takes nothing else
    heard: torch.Tensor = extractor(sound, sampling_rate=rate, return_tensors="pt")["input_features"][0]
    return heard


def written(path: Path, sound: NDArray[np.float32], rate: int = RATE, **options: str) -> str:
    soundfile.write(path, sound, rate, **({"subtype": "FLOAT"} | options))
    return str(path)


def engine_of(model: MusicGen, **controls: Any) -> Engine:
    """What it plays is what the stream makes, behind the first frame's fade."""
    return Engine(model, Controls(prompt="deep house", seed=3, guard=False, **controls), channels=1, level=False)


# Another engine, another time


def test_another_engine_follows_the_tune_on_where_it_was(model: MusicGen, tmp_path: Path) -> None:
    """As a hot spare does."""
    values: dict[str, Value] = {"prompt": "deep house", "seed": 3, "guard": False}
    values["melody"] = written(tmp_path / "song.wav", tune(440, 523.25, 659.25, 392, 349, 311))
    player = Core(model, values, channels=1, level=False)
    player.read(70 * HOP)
    standing = Standing.from_bytes(player.state())
    other = Core(model, values, channels=1, level=False, goes_on=standing)
    stream, successor = cast(Stream, player.stream), cast(Stream, other.stream)
    assert stream.melody is not None and successor.melody is not None
    assert np.array_equal(successor.melody.chroma, stream.melody.chroma)
    here = standing.stream.remembered.steps
    assert np.array_equal(successor.conditions.prefix(here), stream.conditions.prefix(here))
    assert not np.array_equal(successor.conditions.prefix(here), successor.conditions.prefix(here + 50))
    without = Core(model, values | {"melody": ""}, channels=1, level=False, goes_on=standing)
    assert not np.array_equal(other.read(30 * HOP), without.read(30 * HOP)), "the melody has no say"


def test_the_tune_goes_back_with_the_music(model: MusicGen) -> None:
    stream = model.stream("deep house", melody=model.melody(tune(440, 523.25, 659.25, 392, 349), RATE), seed=3)
    frames = np.stack([stream.next_frame() for _ in range(90)], axis=1)
    then = stream.conditions.prefix(stream.past.line.steps)
    for _ in range(60):
        stream.next_frame()
    assert not np.array_equal(stream.conditions.prefix(stream.past.line.steps), then)
    other = stream.another()
    for _ in other.approach(frames, 5, 16, 50):
        stream.next_frame()
    stream.trade(other, 60 + 16)
    assert np.array_equal(stream.conditions.prefix(stream.past.line.steps), then)
    assert stream.next_frame().shape == (4,)


# Files


def test_a_file_is_followed_from_the_first_frame_on(model: MusicGen, tmp_path: Path) -> None:
    stream = model.stream("deep house", melody=model.melody(TUNE, RATE), seed=3)
    made = np.concatenate(list(stream.audio(1, chunk_frames=1)))
    heard = engine_of(model, melody=written(tmp_path / "song.wav", TUNE)).read(len(made))
    np.testing.assert_array_equal(heard[HOP:], made[HOP:])
    assert not np.array_equal(heard, engine_of(model).read(len(made)))


def test_a_change_is_taken_in_while_the_music_goes_on(model: MusicGen, tmp_path: Path) -> None:
    """Read beforehand, on another thread in the instrument: when it is applied the file is not even there any more."""
    stream = model.stream("deep house", melody=model.melody(TUNE, RATE), seed=3)
    made = [stream.next_chunk(1) for _ in range(60)]
    stream.set_melody(model.melody(OTHER, RATE))
    made += [stream.next_chunk(1) for _ in range(60)]
    stream.set_melody(None)
    made += [stream.next_chunk(1) for _ in range(60)]
    whole = np.concatenate(made)

    engine = engine_of(model, melody=written(tmp_path / "a.wav", TUNE))
    heard = []
    other = written(tmp_path / "b.wav", OTHER)
    for melody in (other, ""):
        while engine.frames_done < (60 if melody else 120):
            heard.append(engine.read(1))
            heard.append(engine.read(engine.ready))
        engine.prepare({"melody": melody})
        Path(other).unlink(missing_ok=True)
        engine.controls.set(melody=melody)
    heard.append(engine.read(len(whole) - sum(map(len, heard))))
    np.testing.assert_array_equal(np.concatenate(heard)[HOP:], whole[HOP:])


@pytest.mark.parametrize(
    ("name", "rate", "channels", "options"),
    [
        ("a.wav", 44_100, 2, {}),
        ("a.flac", 48_000, 1, {"subtype": "PCM_16"}),
        ("a.wav", 22_050, 6, {}),
        ("a.ogg", 32_000, 2, {"subtype": "VORBIS"}),
        ("a.mp3", 44_100, 1, {"subtype": "MPEG_LAYER_III"}),
    ],
)
def test_files_of_any_kind_have_the_chroma_that_transformers_hears(
    model: MusicGen, folder: Path, tmp_path: Path, name: str, rate: int, channels: int, options: dict[str, str]
) -> None:
    path = written(tmp_path / name, np.repeat(tune(440, 392, rate=rate)[:, None], channels, 1), rate, **options)
    read = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(1)
    melodies, stream = Melodies(model), model.stream()
    melodies.follow(path, stream)
    assert stream.melody is not None
    assert np.array_equal(stream.melody.chroma, chroma(folder, read, rate))


def test_a_rate_that_fits_no_other_is_followed(model: MusicGen, folder: Path, tmp_path: Path) -> None:
    """torchaudio's resampler would need gigabytes for it."""
    stream = model.stream()
    Melodies(model).follow(written(tmp_path / "a.wav", tune(440, rate=44_101), 44_101), stream)
    assert stream.melody is not None
    assert np.array_equal(stream.melody.chroma, chroma(folder, tune(440)))


def test_a_file_that_has_changed_is_read_anew(model: MusicGen, folder: Path, tmp_path: Path) -> None:
    path, stream = written(tmp_path / "a.wav", TUNE), model.stream()
    melodies = Melodies(model)
    melodies.prepare(path)
    written(tmp_path / "a.wav", OTHER)
    melodies.prepare(path)
    melodies.follow(path, stream)
    assert stream.melody is not None
    assert np.array_equal(stream.melody.chroma, chroma(folder, OTHER))


@pytest.fixture
def bad(tmp_path: Path) -> dict[str, str]:
    """What somebody may name by mistake."""
    (tmp_path / "text.wav").write_text("no music")
    (tmp_path / "folder").mkdir()
    names = {name: str(tmp_path / name) for name in ("none.wav", "text.wav", "folder")}
    names["empty.wav"] = written(tmp_path / "empty.wav", np.zeros(0, np.float32))
    names["nan.wav"] = written(tmp_path / "nan.wav", np.full(100, np.nan, np.float32))
    names["long"] = "x" * 1000
    names["nobody"] = "~nobody-at-all/a.wav"
    names["input"] = "input"
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "fifo")
        names["fifo"] = str(tmp_path / "fifo")
    return names


def test_what_cannot_be_followed_is_said_and_changes_nothing(
    model: MusicGen, tmp_path: Path, bad: dict[str, str]
) -> None:
    song = written(tmp_path / "song.wav", TUNE)
    told = list[Event]()
    undisturbed = engine_of(model, melody=song)
    controls = Controls(prompt="deep house", seed=3, guard=False, melody=song)
    engine = Engine(model, controls, channels=1, level=False, tell=told.append)
    for text in bad.values():
        with pytest.raises(UserError):
            engine.prepare({"melody": text})
        controls.set(melody=text, temperature=0.1)  # by somebody who does not prepare
        np.testing.assert_array_equal(engine.read(2 * HOP), undisturbed.read(2 * HOP))
        refused = told.pop()
        assert isinstance(refused, Refused)
        assert (refused.name, refused.stands["melody"]) == ("melody", song)
        assert controls.get("melody") == song
        assert controls.get("temperature") == 1.0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none.wav", "there is no file .*name a sound file"),
        ("folder", "there is no file"),
        ("text.wav", "cannot be read as sound: name a WAV"),
        ("empty.wav", "no sound in it"),
        ("nan.wav", "no numbers"),
        ("long", "cannot be looked for"),
        ("nobody", "cannot be looked for|no file"),
        ("input", "`streamer play` only"),
    ],
)
def test_the_sentence_says_what_is_wrong(model: MusicGen, bad: dict[str, str], name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Melodies(model).prepare(bad[name])


def test_a_model_without_melodies_names_one_that_has_them(tiny_model: MusicGen, tmp_path: Path) -> None:
    song = written(tmp_path / "song.wav", TUNE)
    with pytest.raises(UserError, match=r"follows no melody: load .*facebook/musicgen-melody"):
        Melodies(tiny_model).prepare(song)
    Melodies(tiny_model).prepare("")
    with pytest.raises(UserError, match="follows no melody"):
        engine_of(tiny_model, melody=song)


def test_only_files_are_looked_for_before_a_model_is_there(tmp_path: Path) -> None:
    check_melody("")
    check_melody("input")
    check_melody("input:USB")
    check_melody("midi")
    check_melody(written(tmp_path / "song.wav", TUNE))
    with pytest.raises(UserError, match="there is no file"):
        check_melody(str(tmp_path / "none.wav"))


def test_a_render_follows_a_file_in_all_its_variations(model: MusicGen, tmp_path: Path) -> None:
    song = written(tmp_path / "song.wav", TUNE)
    for name, melody in (("plain", ""), ("led", song)):
        render(model, Controls(seed=3, melody=melody), 1, tmp_path / f"{name}.wav", variations=2)
    for number in (1, 2):
        plain, led = (soundfile.read(tmp_path / f"{name}-{number}.wav")[0] for name in ("plain", "led"))
        assert not np.array_equal(plain, led)
    with pytest.raises(UserError, match="`streamer play` only"):
        render(model, Controls(melody="input"), 1, tmp_path / "x.wav")


def test_without_demucs_the_melody_is_followed_with_its_drums_and_a_word(
    model: MusicGen,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = list[str]()
    monkeypatch.setitem(sys.modules, "demucs.pretrained", None)
    stems._separator.cache_clear()
    stream = model.stream()
    melodies = Melodies(model, stems=True, report=told.append)
    melodies.follow(written(tmp_path / "song.wav", TUNE), stream)
    assert stream.melody is not None
    assert np.array_equal(stream.melody.chroma, chroma(folder, TUNE))
    assert "pip install 'musicgen-streamer[demucs]'" in told[0]


def test_with_demucs_only_its_stems_are_followed(
    model: MusicGen, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which they are, tests/musicgen/test_stems.py tells."""
    given = []

    def separate(sound: NDArray[np.float32], rate: int) -> tuple[NDArray[np.float32], int]:
        given.append((sound, rate))
        return np.stack([OTHER, OTHER], 1), RATE

    monkeypatch.setattr(stems, "melodic", separate)
    stream, stereo = model.stream(), np.stack([TUNE, TUNE / 2], 1)
    Melodies(model, stems=True).follow(written(tmp_path / "song.wav", stereo), stream)
    np.testing.assert_array_equal(given[0][0], stereo)
    assert stream.melody is not None
    assert np.array_equal(stream.melody.chroma, chroma(folder, OTHER))


# In the instrument


@pytest.mark.parametrize("follows", [True, False])
def test_what_cannot_be_followed_is_answered_over_osc_and_what_plays_is_shown(
    folder: Path, tiny_model_dir: Path, tmp_path: Path, follows: bool
) -> None:
    song, reports = written(tmp_path / "song.wav", TUNE), list[str]()
    before = song if follows else ""
    job = music(str(folder if follows else tiny_model_dir), RATE, 1, "torch", 1)
    instrument = Instrument(job, {"melody": before}, port=0, report=reports.append)
    instrument.start()
    client = Client(instrument.server.port)
    try:
        client.send("/mg/melody", str(tmp_path / "none.wav") if follows else song)
        address, sentence = client.hear("/mg/error").params
        assert address == "/mg/melody"
        assert ("there is no file" if follows else "facebook/musicgen-melody") in sentence
        deadline = time.monotonic() + 20  # the report comes after the answer
        while not reports and time.monotonic() < deadline:
            time.sleep(0.01)
        assert reports == [f"melody: {sentence}"]
        until(lambda: instrument.controls.get("melody") == before)
        made = instrument.worker.samples
        until(lambda: instrument.worker.samples > made + RATE // 2)
        assert instrument.worker.restarts == 0
    finally:
        client.close()
        instrument.close()


def test_a_successor_plays_on_without_a_melody_that_has_gone(folder: Path) -> None:
    told = list[object]()
    job = music(str(folder), RATE, 1, "torch", 1)
    values: dict[str, Value] = {"melody": "none.wav"}
    with pytest.raises(UserError, match=r"none\.wav"):
        play_model(told.append, values, RATE, 1, **cast(Any, {**job.arguments, **job.opening}))
    engine, _ = play_model(told.append, values, RATE, 1, **cast(Any, job.arguments))
    assert engine.read(2 * HOP).any()
    (report,) = told
    assert isinstance(report, Report)
    assert "goes on without a melody" in report.sentence
    assert engine.values["melody"] == ""


# Notes that are played


def notes_of(player: Core) -> list[int] | None:
    """The pitch class of each chroma frame that is followed."""
    melody = cast(Stream, player.stream).melody
    return None if melody is None else cast(list[int], melody.chroma.argmax(1).tolist())


def played(player: Core, *notes: tuple[str, float]) -> None:
    """Hold each for so many seconds."""
    for text, seconds in notes:
        player.change(Change({"notes": text}))
        player.read(round(seconds * 50) * HOP)


def test_the_highest_of_the_notes_that_are_played_are_followed_a_period_later(model: MusicGen) -> None:
    told = list[Event]()
    values: dict[str, Value] = {"seed": 3, "guard": False, "melody": "midi"}
    player = Core(model, values, channels=1, level=False, melodies=Melodies(model, period=1.0), tell=told.append)
    played(player, ("", 0.6), ("45 57 69", 0.5), ("", 0.1), ("60 52", 0.3))
    assert notes_of(player) is None, "nothing was played a period ago"
    played(player, ("52 60", 0.24))
    assert notes_of(player) == [9] * 5 + [0] * 3
    played(player, ("66", 1.0))
    assert set(notes_of(player) or []) == {9, 0, 6}
    assert not [event for event in told if isinstance(event, Noted)], "what is followed needs no excuse"
    played(player, ("", 4.0))
    assert notes_of(player) is None, "a long rest is no tune"
    played(player, ("50", 1.02))
    assert notes_of(player) == [2] * 8


def test_the_same_notes_make_the_same_music_in_a_replay_and_they_do_have_a_say(model: MusicGen) -> None:
    def sound(text: str, melody: str) -> NDArray[np.float32]:
        values: dict[str, Value] = {"seed": 3, "guard": False, "melody": melody}
        player = Core(model, values, channels=1, level=False, melodies=Melodies(model, period=0.2))
        player.change(Change({"notes": text}))
        return player.read(60 * HOP)

    np.testing.assert_array_equal(sound("60", "midi"), sound("60", "midi"))
    assert not np.array_equal(sound("60", "midi"), sound("61", "midi"))
    np.testing.assert_array_equal(sound("60", ""), sound("61", ""))


def test_notes_give_way_to_a_file_and_take_over_from_it(model: MusicGen, folder: Path, tmp_path: Path) -> None:
    melodies, stream = Melodies(model, period=0.2), model.stream()
    melodies.hold("64", 0)
    song = written(tmp_path / "song.wav", TUNE)
    melodies.follow(song, stream)
    melodies.refresh(stream, 100)
    assert stream.melody is not None and np.array_equal(stream.melody.chroma, chroma(folder, TUNE))
    melodies.follow("midi", stream)
    melodies.refresh(stream, 100)
    assert stream.melody is not None and set(stream.melody.chroma.argmax(1)) == {4}


def test_where_nobody_plays_a_note_the_tune_before_goes_on_no_more(model: MusicGen, tmp_path: Path) -> None:
    melodies, stream = Melodies(model, period=0.2), model.stream()
    melodies.hold("64", 0)
    melodies.hold("", 10)
    melodies.follow(written(tmp_path / "song.wav", TUNE), stream)
    assert stream.melody is not None
    melodies.follow("midi", stream)
    melodies.refresh(stream, 10_000)
    assert stream.melody is None


def test_a_model_without_melodies_says_so_of_notes_too(tiny_model: MusicGen) -> None:
    with pytest.raises(UserError, match="follows no melody"):
        Melodies(tiny_model).prepare("midi")


# A live input


class FakeInput:
    """An input that a test plays on."""

    def __init__(self, name: str, seconds: float, rate: int = 48_000) -> None:
        self.name = name
        self.window = Window(rate, seconds)
        self.closed = False

    def running(self) -> bool:
        return True

    def close(self) -> bool:
        self.closed = True
        return True


class Studio:
    """Melodies with inputs that a test plays on."""

    def __init__(self, model: MusicGen | SineModel, period: float = 0.04) -> None:
        self.inputs: list[FakeInput] = []
        self.melodies = Melodies(model, open_input=self._open, period=period)

    def _open(self, choice: str, seconds: float, again: bool) -> FakeInput:
        if choice == "nowhere":
            raise UserError("There is no input device 'nowhere'.")
        self.inputs.append(FakeInput(choice, seconds))
        return self.inputs[-1]

    def play(self, sound: NDArray[np.float32]) -> None:
        self.inputs[-1].window.hear(sound[:, None])

    def close(self) -> None:
        self.melodies.prepare("")
        self.melodies.follow("", SineModel().stream())
        until(lambda: not any(thread.name == "listener" for thread in threading.enumerate()))


@pytest.fixture
def studio(model: MusicGen) -> Iterator[Studio]:
    made = Studio(model)
    yield made
    made.close()


def test_what_is_played_live_has_the_chroma_that_transformers_hears(
    studio: Studio, model: MusicGen, folder: Path
) -> None:
    """Of the last seconds: those that a lane replays, and a period's."""
    stream = model.stream()
    studio.melodies.prepare("input:USB")
    studio.melodies.follow("input:USB", stream)
    assert studio.inputs[0].name == "USB"
    kept = round(1.04 * 48_000)  # 50 frames and the period
    for notes in ((440, 392), (311.13, 466.16)):
        played = tune(*notes, rate=48_000)
        studio.play(played)
        expected = chroma(folder, played[-kept:], 48_000)

        def taken(expected: torch.Tensor = expected) -> bool:
            studio.melodies.refresh(stream, 0)
            return stream.melody is not None and np.array_equal(stream.melody.chroma, expected)

        until(taken)


def test_the_music_follows_a_period_behind() -> None:
    """What was heard ends where the next melody is due, and is on its way at once: 2 s of it, 0.04 s apart."""
    sine = SineModel()
    studio = Studio(sine)
    engine = Engine(sine, Controls(), melodies=studio.melodies)
    engine.prepare({"melody": "input"})
    engine.controls.set(melody="input")
    engine.read(HOP)
    stream = sine.streams[0]
    assert stream.calls == []  # nothing was heard yet
    studio.play(tune(440, 392, rate=48_000))
    until(lambda: studio.melodies._listener and studio.melodies._listener.heard)
    engine.read(2 * HOP)
    assert stream.calls == [f"melody 2 {2 - 100}"]
    engine.read(20 * HOP)
    assert len(stream.calls) == 1  # the same tune is not taken in again
    studio.close()


def test_an_input_is_opened_once_and_closed_when_another_is_followed(
    studio: Studio, model: MusicGen, tmp_path: Path
) -> None:
    stream = model.stream()
    song = written(tmp_path / "song.wav", TUNE)
    for text in ("input", "input", "input:2", song, "input"):
        studio.melodies.prepare(text)
        studio.melodies.follow(text, stream)
    assert [device.name for device in studio.inputs] == ["", "2", ""]
    until(lambda: studio.inputs[0].closed and studio.inputs[1].closed)
    assert not studio.inputs[2].closed
    studio.melodies.follow("", stream)
    until(lambda: studio.inputs[2].closed)


def test_inputs_that_nobody_came_to_follow_are_closed(studio: Studio, model: MusicGen) -> None:
    stream = model.stream()
    for number in range(6):
        studio.melodies.prepare(f"input:{number}")
    studio.melodies.follow("input:5", stream)
    until(lambda: all(device.closed for device in studio.inputs[:5]))
    assert not studio.inputs[5].closed


def test_an_input_that_is_not_there_is_said_and_the_old_one_stands(studio: Studio, model: MusicGen) -> None:
    stream = model.stream()
    studio.melodies.prepare("input")
    studio.melodies.follow("input", stream)
    with pytest.raises(UserError, match="nowhere"):
        studio.melodies.prepare("input:nowhere")
    assert not studio.inputs[0].closed


def test_a_stream_led_by_an_input_goes_on_for_ever(studio: Studio, model: MusicGen) -> None:
    """Over its own anchors too, with every frame made."""
    stream = model.stream(seed=1, policy=StreamingPolicy(keep=10, max_position=40))
    studio.melodies.prepare("input")
    studio.melodies.follow("input", stream)
    taken = 0
    random = np.random.default_rng(1)
    for number in range(200):
        if number % 20 == 0:
            studio.play(tune(*random.uniform(200, 800, 4), rate=48_000))
            heard = studio.melodies._heard
            until(lambda: studio.melodies._listener and studio.melodies._listener.heard is not heard)  # noqa: B023
        followed = stream.melody
        studio.melodies.refresh(stream, 0)
        taken += stream.melody is not followed
        stream.next_frame()
        assert stream.position < 40 + 300
    assert stream.frames_done == 200
    assert taken >= 5
