"""The composer makes idiomatic, reproducible songs; renders are audible, on the grid and level; captions are true."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import captions, render
from training.compose import STYLES, Song, compose, theory
from training.compose.arrange import TABLE
from training.compose.groove import DRUMS, steps
from training.scenes import SCENES

LOOPS = (0.75, 1, 1.5, 2, 4)  # bars of four beats; 0.75 and 1.5 are one and two of a waltz
DIATONIC = ("lo-fi hip hop", "trap", "funk", "reggae", "house", "techno", "ambient", "synthwave", "rock", "folk guitar")


@pytest.fixture(scope="session")
def soundfont() -> Path:
    pytest.importorskip("tinysoundfont", reason="pip install --no-deps tinysoundfont")
    try:
        return render.soundfont_path()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


def seed_of(style: str, nth: int = 0) -> int:
    return STYLES.index(style) + nth * len(STYLES)


@given(st.integers(0, 2_000_000), st.floats(1.0, 20.0))
@settings(max_examples=25, deadline=None)
def test_a_seed_always_gives_the_same_playable_song(seed: int, seconds: float) -> None:
    song = compose(seed, seconds)
    assert song == compose(seed, seconds)
    assert 60 <= song.bpm <= 180
    for note in (note for track in song.tracks for note in track.notes):
        assert 0 <= note.start < seconds and note.duration > 0
        assert 20 <= note.pitch <= 108 and 1 <= note.velocity <= 127


def test_a_longer_song_begins_like_the_shorter_one() -> None:
    short, long = compose(9, 12.0), compose(9, 30.0)
    assert (short.bpm, short.tonic, short.moods) == (long.bpm, long.tonic, long.moods)
    first = {note.start for track in short.tracks for note in track.notes if note.start < 6}
    assert first == {note.start for track in long.tracks for note in track.notes if note.start < 6}


def test_styles_take_turns_and_keep_their_tempo() -> None:
    assert len(STYLES) >= 16
    for seed in range(3 * len(STYLES)):
        song = compose(seed, 4.0)
        assert song.style == STYLES[seed % len(STYLES)]
        low, high = TABLE[song.style].bpm
        assert 0.97 * low <= song.bpm <= 1.03 * high


@pytest.mark.parametrize("style", DIATONIC)
def test_diatonic_styles_stay_in_key(style: str) -> None:
    for nth in range(4):
        song = compose(seed_of(style, nth), 20.0)
        scale = theory.scale_of(song.tonic, song.mode)
        pitched = [track for track in song.tracks if track.instrument != "drums"]
        outside = {note.pitch % 12 for track in pitched for note in track.notes} - set(scale)
        assert not outside


@pytest.mark.parametrize("style", STYLES)
def test_a_loop_comes_again_within_what_a_stream_hears(style: str) -> None:
    short = 0
    for nth in range(12):
        song = compose(seed_of(style, nth), 16.0)
        pitched = [track for track in song.tracks if track.instrument != "drums"]
        struck = {(round(50 * note.start), note.pitch) for track in pitched for note in track.notes}
        beat = round(3000 / song.bpm)
        again = {
            bars: np.mean([(at + 4 * bars * beat, pitch) in struck for at, pitch in struck if at < 200])
            for bars in LOOPS
        }
        short += int(max(share for bars, share in again.items() if 4 * bars * beat <= 224) > 0.8)
    assert short >= 7


def test_every_pattern_in_the_tables_fills_one_bar() -> None:
    for style in TABLE.values():
        lines = [line for groove in style.grooves for bar in (groove.beat, *groove.fills) for line in bar.values()]
        lines += [pattern for part in style.parts for pattern in part.patterns]
        assert {len(line) for line in lines} <= {16}, style.name
        assert {name for groove in style.grooves for name in groove.beat} <= set(DRUMS)


def test_a_held_step_lengthens_the_note_before_it() -> None:
    assert [(hit.step, hit.length, hit.symbol) for hit in steps("x--.X-g.")] == [(0, 3, "x"), (4, 2, "X"), (6, 1, "g")]


@given(st.integers(0, 11), st.sampled_from(sorted(theory.MODES)), st.sampled_from(["1", "4", "5", "6"]))
def test_chords_move_in_small_steps(tonic: int, mode: str, symbol: str) -> None:
    first = theory.voicing(theory.chord("1", tonic, mode, 4).tones, None, 60)
    second = theory.voicing(theory.chord(symbol, tonic, mode, 4).tones, first, 60)
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) <= 5
    assert all(low < high for low, high in pairwise(second))


def test_the_bass_plays_the_chord_under_the_kick() -> None:
    song = compose(seed_of("house"), 16.0)
    bass = next(track for track in song.tracks if "bass" in track.instrument)
    assert max(note.pitch for note in bass.notes) <= 55


@pytest.mark.parametrize("style", STYLES)
def test_every_style_sounds(style: str, soundfont: Path) -> None:
    audio = render.render(compose(seed_of(style), 6.0))
    assert audio.shape == (192000,) and audio.dtype == np.float32
    assert np.abs(audio).max() <= 0.95
    assert pyloudnorm.Meter(32000).integrated_loudness(audio.astype(float)) == pytest.approx(-16, abs=0.7)
    assert abs(audio.mean()) < 0.01, "an offset that no loudspeaker plays"
    blocks = np.sqrt((audio.reshape(-1, 16000) ** 2).mean(axis=1))
    assert (blocks > 1e-3).all(), "half a second of silence"


def pulse_strength(audio: np.ndarray, bpm: float) -> float:
    """Strength of the beat's periodicity (or its divisions') in the onset envelope, beside the typical one."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, 1024)[::320] * np.hanning(1024)
    flux = np.maximum(np.diff(np.log1p(100 * np.abs(np.fft.rfft(frames))), axis=0), 0).sum(axis=1)
    spectrum = np.abs(np.fft.rfft(flux - flux.mean(), 1 << 16)) ** 2
    rate = np.fft.rfftfreq(1 << 16, 0.01)
    found = max(spectrum[np.abs(rate / (bpm / 60 * part) - 1) < 0.015].max() for part in (1, 2, 4))
    return float(found / np.median(spectrum[(rate > 0.5) & (rate < 12)]))


@pytest.mark.parametrize("style", ["house", "techno", "drum and bass", "rock", "synthwave"])
def test_the_tempo_can_be_measured_in_the_render(style: str, soundfont: Path) -> None:
    song = next(song for nth in range(9) if (song := compose(seed_of(style, nth), 10.0)).has_drums)
    audio = render.render(song)
    # not 1.13 times: nine strokes to a loop of eight beats are the loop's own
    assert pulse_strength(audio, song.bpm) > 5 * pulse_strength(audio, song.bpm * 1.17)


def test_a_data_set_resumes_without_rendering_again(tmp_path: Path, soundfont: Path) -> None:
    for seed in render.seeds(14, 0.015):
        render.write_song(seed, tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    render.main(out=tmp_path, hours=0.015, seed=14)
    assert before == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    for text in tmp_path.glob("*.json"):
        about = json.loads(text.read_text())
        audio = np.load(text.with_suffix(".npy"))
        assert audio.dtype == np.int16 and len(audio) == 640 * about["frames"] and 700 <= about["frames"] <= 1100
        assert len(about["captions"]) == 12


def test_a_missing_soundfont_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDFONT", "/nowhere/font.sf3")
    with pytest.raises(FileNotFoundError, match="apt install fluidr3mono-gm-soundfont"):
        render.soundfont_path()


def sample_captions(song: Song, count: int, held_out: bool) -> list[str]:
    rng = np.random.default_rng(0)
    return [captions.caption(song, rng, held_out) for _ in range(count)]


def test_held_out_templates_are_never_trained_on() -> None:
    train, held = captions.templates(False), captions.templates(True)
    assert not set(train) & set(held)
    assert len(held) / len(train + held) == pytest.approx(0.15, abs=0.02)


def test_captions_name_the_songs_own_tempo_and_instruments() -> None:
    for seed in range(16):
        song = compose(seed, 10.0)
        lines = sample_captions(song, 100, held_out=False)
        tempos = [int(number) for line in lines for number in re.findall(r"(\d+) ?bpm", line.lower())]
        assert round(song.bpm) in tempos
        assert all(abs(tempo / song.bpm - 1) < 0.03 for tempo in tempos)
        assert len(set(lines)) > 50
        if song.has_drums:
            assert not any(re.search(r"\bno drums", line.lower()) for line in lines)
        else:
            assert not any("with drums" in line.lower() for line in lines)


def test_some_captions_are_a_mood_an_instrument_or_a_tempo_alone() -> None:
    song = compose(4, 10.0)
    lines = {line.lower().rstrip(".") for line in sample_captions(song, 1000, held_out=False)}
    assert lines & set(song.moods) and lines & set(song.instruments) and f"{round(song.bpm)} bpm" in lines
    assert lines & set(SCENES[song.style])


PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SIGNS = {"": 0, "#": 1, " sharp": 1, "b": -1, " flat": -1}


@given(st.integers(0, 11), st.sampled_from(list(theory.MODES)), st.integers(0, 1000))
def test_a_key_is_spelt_in_many_ways_and_always_itself(tonic: int, mode: str, seed: int) -> None:
    name, said = captions.key_words(tonic, mode, np.random.default_rng(seed)).rsplit(" ", 1)
    assert (PITCHES[name[0]] + SIGNS[name[1:]]) % 12 == tonic and said == mode


def test_black_keys_have_four_names_and_signs_are_common() -> None:
    rng = np.random.default_rng(0)
    names = [captions.key_words(6, "minor", rng) for _ in range(200)]
    assert set(names) == {"F sharp minor", "F# minor", "G flat minor", "Gb minor"}
    assert names.count("F# minor") > 40


def test_plain_captions_name_everybody_the_key_and_the_tempo() -> None:
    for seed in range(16):
        song = compose(seed, 10.0)
        facts = {**vars(song), "drums": song.has_drums}
        lines = captions.plain_captions(facts, np.random.default_rng(seed))
        assert len(lines) == captions.PLAIN and song.style in lines
        (everybody,) = (line for line in lines if line.startswith(", ".join([song.style, *song.instruments])))
        assert ("no drums" in everybody) is not song.has_drums
        assert sum(song.mode in line for line in lines) >= 3
        tempos = [int(number) for line in lines for number in re.findall(r"(\d+) bpm", line)]
        assert len(tempos) == 5 and all(abs(tempo / song.bpm - 1) < 0.03 for tempo in tempos)
        assert sum(any(scene in line for scene in SCENES[song.style]) for line in lines) >= 3
        assert all(song.mode in line or "bpm" in line for line in lines[captions.TOLD])


def test_beats_fall_on_codec_frames() -> None:
    for seed in range(48):
        frames = 3000 / compose(seed, 4.0).bpm
        assert frames == pytest.approx(round(frames), abs=1e-9)
