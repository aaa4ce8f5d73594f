"""Loops as files: what samplers and DAWs read in them, their stems, bars of a song, a picture of the seam.

The chunks are read by parsers that are not ours: of libsndfile and wavinfo, the tags by that of FFmpeg.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import wavinfo

from musicgen import MusicGen, stems
from osc.values import Value
from streamer import UserError
from streamer.control.controls import Controls
from streamer.engine.core import defaults
from streamer.offline.loop_files import STEMS, Song, check_files, loop_targets, picture_of, stem_of, write_loop
from streamer.offline.loops import make_of
from streamer.offline.places import Bars
from streamer.offline.stems import check_stems, taken_apart
from streamer.sound.tags import tag_flac

LOOP_INFO = 0x10E0  # libsndfile's SFC_GET_LOOP_INFO
RATE = 44_100


def values_of(model: MusicGen, **asked: Value) -> dict[str, Value]:
    usual: dict[str, Value] = {"prompt": "slow piano", "tempo": 120.0}
    controls = Controls(**(usual | asked))
    controls.adopt(**defaults(model))
    return controls.values()


@pytest.fixture(scope="module")
def wav(tiny_model: MusicGen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bars of 3/4 at 180 bpm: two seconds."""
    path = tmp_path_factory.mktemp("loops") / "loop.wav"
    write_loop(tiny_model, values_of(tiny_model), Bars(2, 180.0, 3, 4), path, rate=RATE)
    return path


def test_a_sampler_finds_the_loop_and_its_bars(wav: Path) -> None:
    """As an MPC, a Kontakt or Logic's sampler would, with wavinfo."""
    sound, rate = soundfile.read(wav)
    assert (len(sound), rate) == (2 * RATE, RATE)
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert struct.unpack("<I", wav.read_bytes()[4:8])[0] == wav.stat().st_size - 8
    read: Any = wavinfo.WavInfoReader(str(wav))
    (own,) = read.smpl.sample_loops
    assert (own.loop_type_desc(), own.start, own.end, own.repetition_count) == ("FORWARD", 0, 2 * RATE - 1, 0)
    assert read.smpl.midi_note == 60
    assert [cue.sample_offset for cue in read.cues.cues] == [0, RATE]
    assert [label.text for label in read.cues.labels] == ["Bar 1", "Bar 2"]


def test_a_daw_finds_the_tempo_and_the_metre(wav: Path) -> None:
    """In the chunk that ACID, Live and Logic read, with libsndfile."""
    library: Any = soundfile
    held = bytearray(44)  # SF_LOOP_INFO: two shorts, two ints, a float, an int, and what is to come
    with library.SoundFile(wav) as file:
        assert library._snd.sf_command(file._file, LOOP_INFO, library._ffi.from_buffer(held), len(held))
    beats, unit, mode, count, bpm = struct.unpack("<hhiif", held[:16])
    assert (beats, unit, count, bpm) == (3, 4, 6, 180.0)
    assert mode != 0  # it loops


def test_a_flac_says_its_tempo_and_bars_in_tags_and_keeps_every_sample(tiny_model: MusicGen, tmp_path: Path) -> None:
    path = tmp_path / "loop.flac"
    write_loop(tiny_model, values_of(tiny_model, key="D minor"), Bars(1, 240.0), path, rate=48_000)
    with av.open(str(path)) as read:
        tags = {name.upper(): text for name, text in read.metadata.items()}
        assert sum(frame.samples for frame in read.decode(audio=0)) == 48_000
    wanted = {"BPM": "240", "KEY": "D minor", "METRE": "4/4", "BARS": "1", "LOOPSTART": "0", "LOOPLENGTH": "48000"}
    assert wanted.items() <= tags.items()
    assert tags["TITLE"] == "slow piano, 240 bpm"


def test_new_tags_take_the_place_of_old_ones_and_leave_the_sound_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    sound = np.random.default_rng(1).normal(0, 0.1, (5000, 2))
    soundfile.write(path, sound, RATE, subtype="PCM_24")
    before, _ = soundfile.read(path)
    for title in ("first", "Größe 2"):
        tag_flac(path, {"TITLE": title})
        np.testing.assert_array_equal(soundfile.read(path)[0], before)
    with av.open(str(path)) as read:
        assert {name.upper(): text for name, text in read.metadata.items()}["TITLE"] == "Größe 2"
    (tmp_path / "b.flac").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="no FLAC"):
        tag_flac(tmp_path / "b.flac", {})


def test_names_of_what_is_written_beside_a_loop(tmp_path: Path) -> None:
    first, second = loop_targets(tmp_path / "a.b.wav", 2)
    assert (first.name, second.name) == ("a.b-1.wav", "a.b-2.wav")
    assert [stem_of(first, name).name for name in STEMS][:2] == ["a.b-1-drums.wav", "a.b-1-bass.wav"]
    assert picture_of(second).name == "a.b-2.png"
    stem_of(first, "bass").touch()
    check_files([first, second])
    with pytest.raises(UserError, match=r"a\.b-1-bass\.wav"):
        check_files([first, second], stems=True)
    picture_of(second).touch()
    with pytest.raises(UserError, match=r"a\.b-2\.png"):
        check_files([first, second], picture=True)


# --- bars of a song


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Three seconds of a rising tone at another rate than the model's."""
    seconds = np.arange(3 * 48_000) / 48_000
    path = tmp_path / "song.wav"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 200 * seconds) * seconds), 48_000)
    return path


def test_bars_of_a_song_are_its_tokens_up_to_the_last_beat(tiny_model: MusicGen, song: Path) -> None:
    bars = Bars(1, 240.0)
    frames, at = Song(song, 1.2).frames(bars, tiny_model)
    assert at == round(1.2 * tiny_model.frame_rate)
    assert frames.shape[1] - at == round(tiny_model.frame_rate)
    made = make_of(
        tiny_model, lambda seed: tiny_model.stream("", seed=seed), frames, at, bars, 1, rate=tiny_model.sample_rate
    )
    beat = round(tiny_model.frame_rate / 4)
    np.testing.assert_array_equal(made.frames[:, :-beat], frames[:, at:-beat])
    assert made.seam == 0 and len(made.sound) == tiny_model.sample_rate
    assert made.surprise[0] <= made.surprise[1]


def test_a_song_that_begins_where_its_bars_do(tiny_model: MusicGen, song: Path, tmp_path: Path) -> None:
    """There is nothing to hear before them."""
    bars = Bars(1, 120.0)
    taken = Song(song, 0.0).frames(bars, tiny_model)
    assert taken[1] == 0
    write_loop(tiny_model, values_of(tiny_model, prompt=""), bars, tmp_path / "a.flac", song=taken)
    with av.open(str(tmp_path / "a.flac")) as read:
        assert {name.upper(): text for name, text in read.metadata.items()}["TITLE"] == "a, 120 bpm"


@pytest.mark.parametrize("at", [0.0, 0.5])
@pytest.mark.parametrize("rate", [32_000, 44_100])
def test_bars_that_a_file_ends_with_begin_where_they_are_said_to(
    tiny_model: MusicGen, tmp_path: Path, at: float, rate: int
) -> None:
    """A loop is such a file: at most tempi its bars are no whole frames."""
    bars = Bars(1, 97.0)  # 123.7 frames
    path = tmp_path / "loop.wav"
    soundfile.write(path, np.sin(np.arange(round(at * rate) + bars.samples(rate)) / 9), rate)
    song = Song(path, at)
    song.check(bars)
    frames, first = song.frames(bars, tiny_model)
    assert (first, frames.shape[1] - first) == (round(at * tiny_model.frame_rate), 123)
    made = make_of(tiny_model, lambda seed: tiny_model.stream("", seed=seed), frames, first, bars, 1, rate=rate)
    assert made.frames.shape[1] == 123 and len(made.sound) == bars.samples(rate)


def test_bars_that_are_not_in_the_song_are_a_sentence(song: Path) -> None:
    with pytest.raises(UserError, match=r"is 3.00 s long, and 1 bars at 120 bpm from 1.5 s on end at 3.50 s"):
        Song(song, 1.5).check(Bars(1, 120.0))
    Song(song, 1.0).check(Bars(1, 120.0))
    with pytest.raises(UserError, match="there is no file"):
        Song(song.with_name("none.wav"), 0.0).check(Bars(1, 120.0))


# --- stems


@pytest.mark.parametrize("channels", [1, 2])
def test_stems_go_round_and_add_up_to_the_loop(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a separator that hears no two rounds alike and loses a tenth of the sound."""

    def separated(sound: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        drift = np.linspace(0.5, 0.7, len(sound))[:, None]
        stereo = np.broadcast_to(sound, (len(sound), 2)).astype(np.float32)
        return {"drums": stereo * drift, "bass": stereo * 0.2, "other": stereo * 0.1, "vocals": stereo * 0.0}

    monkeypatch.setattr(stems, "own_rate", lambda: RATE)
    monkeypatch.setattr(stems, "separated", separated)
    bars = Bars(1, 240.0)
    wave = np.sin(2 * np.pi * 220 * np.arange(32_000) / 32_000)
    loop = np.repeat(wave[:, None], channels, axis=1).astype(np.float32)
    made = taken_apart(loop, bars)
    assert made.keys() == set(STEMS)
    assert all(stem.shape == loop.shape for stem in made.values())
    np.testing.assert_allclose(np.sum(list(made.values()), axis=0), loop, atol=1e-6)
    twice = np.concatenate([made["drums"], made["drums"]])[:, 0]
    steps = np.abs(np.diff(twice))
    assert steps[len(loop) - 1] <= np.quantile(steps, 0.99)
    assert np.abs(made["bass"] - 0.2 * loop).max() < 1e-3


def test_without_demucs_there_is_a_sentence_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "demucs.pretrained", None)
    stems._separator.cache_clear()
    with pytest.raises(UserError, match=r"type `pip install 'musicgen-streamer\[demucs\]'`$"):
        check_stems()


def test_stems_that_are_louder_than_the_loop_still_add_up_to_it(
    tiny_model: MusicGen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = dict(zip(STEMS, (2.5, -1.5, 0.1, -0.1), strict=True))
    monkeypatch.setattr(stems, "own_rate", lambda: RATE)
    monkeypatch.setattr(stems, "separated", lambda sound: {name: share * sound for name, share in shares.items()})
    path = tmp_path / "loop.wav"
    write_loop(tiny_model, values_of(tiny_model), Bars(1, 240.0), path, stems=True)
    whole = soundfile.read(path)[0]
    parts = [soundfile.read(stem_of(path, name))[0] for name in STEMS]
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, atol=4 * 2**-23)
    assert np.abs(parts[0]).max() == pytest.approx(1.0, abs=1e-3)


def test_a_loop_with_stems_and_a_picture(tiny_model: MusicGen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stems, "own_rate", lambda: RATE)
    monkeypatch.setattr(stems, "separated", lambda sound: {name: np.tile(sound / 4, (1, 2)) for name in STEMS})
    path = tmp_path / "loop.wav"
    write_loop(tiny_model, values_of(tiny_model), Bars(1, 240.0), path, stems=True, picture=True)
    whole = soundfile.read(path)[0]
    parts = [soundfile.read(stem_of(path, name))[0] for name in STEMS]
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, atol=4 * 2**-23)
    read: Any = wavinfo.WavInfoReader(str(stem_of(path, "bass")))
    assert read.smpl.sample_loops[0].end == len(whole) - 1
    assert picture_of(path).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
