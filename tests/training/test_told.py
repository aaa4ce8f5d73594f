"""What nano is told of a song is what the composer wrote, and any part of it may be left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen.score import FIELDS
from training import render, score, telling, told
from training.compose import STYLES, Song, compose, liberties
from training.compose.liberties import Liberties
from training.compose.song import PLAYERS

ALL = Liberties(True, True, True, True, True)
PITCHED = ("bass", "chords", "lead")


def column(fields: np.ndarray, name: str) -> np.ndarray:
    values: np.ndarray = fields[:, FIELDS.index(name)]
    return values


@given(st.integers(0, 2_000_000))
@settings(max_examples=15, deadline=None)
def test_beats_and_bars_are_where_the_composer_counts_them(seed: int) -> None:
    song = compose(seed, 8.0, liberties.drawn(seed))
    fields = told.of_song(song, 400)
    assert np.isfinite(fields).all()
    for name, steps in (("beat", 4), ("bar", song.meter)):
        phase = column(fields, name)
        lines = np.array([song.tempo.time(steps * number) for number in range(200)])
        crossed = np.ceil(50 * lines[lines < 7.98 + 1e-6] - 1e-6).astype(int)
        np.testing.assert_array_equal(np.flatnonzero(np.diff(phase, prepend=1.0) < 0), np.unique(crossed))
        assert ((phase >= 0) & (phase <= 1)).all()
    passed = np.diff(song.tempo.step(np.arange(400) / 50)) / 4 * 3000
    between = np.stack([column(fields, "bpm")[:-1], column(fields, "bpm")[1:]])
    assert (passed > between.min(0) - 0.01).all() and (passed < between.max(0) + 0.01).all()


def test_tempi_are_any_and_some_change() -> None:
    songs = [compose(seed, 12.0, Liberties(tempo=True, changes=seed % 2 == 0)) for seed in range(40)]
    whole = [abs(3000 / song.bpm - round(3000 / song.bpm)) < 1e-6 for song in songs]
    assert not any(whole)
    moved = [np.ptp(column(told.of_song(song, 600), "bpm")) > 1 for song in songs]
    assert not any(moved[1::2]) and sum(moved[::2]) > 15
    assert all(column(told.of_song(song, 600), "bpm").min() >= 58 for song in songs)


@pytest.mark.parametrize("style", STYLES)
def test_chords_and_bass_play_what_is_told(style: str) -> None:
    """Where a chord is struck, its notes are those of the chord; the lowest note that begins with it is its bass."""
    inside = total = 0
    for nth in range(6):
        song = compose(STYLES.index(style) + nth * len(STYLES), 12.0, Liberties(tempo=True, chords=True))
        bits = column(told.of_song(song, 600), "notes").astype(int)
        for track in song.tracks:
            for note in track.notes if track.player == "chords" else ():
                frame = min(599, round(50 * note.start) + 2)  # hands are late or early
                inside += int(bits[frame]) >> note.pitch % 12 & 1
                total += 1
    assert inside > 0.97 * total > 0


def test_every_chord_is_heard_on_every_root() -> None:
    heard = set()
    for seed in range(400):
        song = compose(seed, 12.0, Liberties(chords=True))
        heard |= {chord.tones for _, chord in song.harmony}
    triads = {tuple((root + step) % 12 for step in steps) for root in range(12) for steps in ((0, 4, 7), (0, 3, 7))}
    sevenths = {
        tuple((root + step) % 12 for step in steps)
        for root in range(12)
        for steps in ((0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11))
    }
    assert triads | sevenths <= heard


def silent_long_before(song: Song, player: str, frames: int) -> np.ndarray:
    """Frames in which a player has struck nothing for a bar and will strike nothing for another."""
    struck = np.zeros(frames, bool)
    for track in song.tracks:
        for note in track.notes if track.player == player else ():
            struck[int(50 * note.start) : int(50 * (note.start + note.duration)) + 1] = True
    return ~struck


@given(st.integers(0, 2_000_000))
@settings(max_examples=15, deadline=None)
def test_who_is_told_to_be_silent_is_silent(seed: int) -> None:
    song = compose(seed, 10.0, Liberties(players=True))
    fields = told.of_song(song, 500)
    playing = np.stack([column(fields, f"play_{player}") for player in PLAYERS])
    assert playing.any(), "somebody plays"
    for player, on in zip(PLAYERS, playing, strict=True):
        for track in song.tracks:
            for note in track.notes if track.player == player else ():
                frame = min(499, round(50 * (note.start + told.EARLY)) + 1)
                assert on[frame], (player, note)


def test_energy_is_strokes_and_strength() -> None:
    strokes, strength = [[], []], [[], []]  # type: ignore[var-annotated]
    for seed in range(48):
        song = compose(seed, 12.0, Liberties(energy=True))
        energy = column(told.of_song(song, 600), "energy")
        velocity = np.zeros(600)
        count = np.zeros(600)
        for track in song.tracks:
            for note in track.notes:
                velocity[int(50 * note.start)] += note.velocity
                count[int(50 * note.start)] += 1
        for high in (False, True):
            where = energy > 0.8 if high else energy < 0.3
            if where.sum() > 100:
                strokes[high].append(count[where].mean())
                strength[high].append(velocity[where].sum() / max(1, count[where].sum()))
    assert np.mean(strokes[1]) > 2 * np.mean(strokes[0])
    assert np.mean(strength[1]) > 1.5 * np.mean(strength[0])


def test_a_song_without_liberties_is_a_loop_in_a_key() -> None:
    song = compose(3, 12.0)
    fields = told.of_song(song, 600)
    assert np.ptp(column(fields, "bpm")) == 0 and set(column(fields, "energy")) == {np.float32(liberties.USUAL)}


def test_songs_say_which_liberties_they_took_and_captions_claim_no_more() -> None:
    song = compose(11, 14.0, ALL)
    facts = render.describe(song)
    assert facts["liberties"] == list(Liberties._fields)
    assert render.again(facts) == song
    assert not any("bpm" in caption.lower() for caption in facts["captions"])
    assert not any(" major" in caption or " minor" in caption for caption in facts["captions"])
    assert (score.of_song(song, 500)[:, [score.NAMES.index(name) for name in ("tonic", "mode")]] == score.UNKNOWN).all()
    assert compose(11, 14.0) == render.again({**facts, "liberties": []})


# --- how much of it is told ---------------------------------------------------------------------------------------


def crops(known: np.ndarray, *songs: dict[str, object]) -> list[np.ndarray]:
    return [telling.told_of(known, list(songs), np.random.default_rng(seed)) for seed in range(3000)]


def test_any_part_of_a_score_may_be_told() -> None:
    known = told.of_song(compose(0, 4.0, ALL), 200)
    seen = {tuple(np.isfinite(crop).any(0)) for crop in crops(known)}
    assert (True,) * len(FIELDS) in seen and (False,) * len(FIELDS) in seen
    for number, name in enumerate(FIELDS):
        alone = [which for which in seen if which[number] and sum(which) == 1]
        assert alone or name in ("bar", "bpm", "bass"), f"nobody ever gives {name} alone"
    for crop in crops(known):
        np.testing.assert_array_equal(crop[np.isfinite(crop)], known[np.isfinite(crop)])


def test_what_a_song_is_free_in_is_mostly_told() -> None:
    known = told.of_song(compose(0, 4.0, ALL), 200)
    free, plain = (
        np.mean([np.isfinite(column(crop, "notes")).any() for crop in crops(known, {"liberties": names})])
        for names in (["chords"], [])
    )
    assert free > 0.85 and plain < 0.75


def test_captions_differ_only_from_what_the_score_says() -> None:
    rng = np.random.default_rng(0)
    known = told.of_song(compose(0, 4.0), 200)
    ways = {telling.differing(known, rng) for _ in range(100)}
    assert ways == {None, 1, 3}
    for missing, left in (("beat", {None}), ("bpm", {None}), ("notes", {None, 1})):
        part = known.copy()
        part[50:, FIELDS.index(missing)] = np.nan
        assert {telling.differing(part, rng) for _ in range(100)} == left
