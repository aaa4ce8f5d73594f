"""The score of a frame: where the beat is, what sounds, what is struck; and what a reader misses of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training import score, tokens
from training.compose import STYLES, Note, compose
from training.compose.arrange import FASTEST
from training.compose.families import FAMILIES
from training.compose.groove import DRUMS
from training.compose.theory import MODES, TONICS

SINCE, BEAT, PLACE, BASS, TONIC, MODE, STYLE, SOUNDING, STRUCK, LINEUP = range(score.FIELDS)


def bits(values: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(values[:, None] >> np.arange(count) & 1, bool)


@pytest.mark.parametrize("seed", range(32))
def test_beats_are_counted_from_the_song_s_start(seed: int) -> None:
    song = compose(seed, 9.0)
    told = score.of_song(song, 450)
    beat = told[0, BEAT] + FASTEST
    assert beat == pytest.approx(3000 / song.bpm) and (told[:, BEAT] == told[0, BEAT]).all()
    starts = np.flatnonzero(told[:, SINCE] == 0)
    np.testing.assert_array_equal(starts, np.arange(0, 450, beat))
    in_a_bar = 3 if "waltz" in song.moods else 4
    np.testing.assert_array_equal(told[starts, PLACE], np.arange(len(starts)) % in_a_bar)
    for field, classes in enumerate(score.CLASSES):
        assert told[:, field].min() >= 0 and told[:, field].max() < classes


def test_notes_sound_from_where_they_are_struck_until_they_end() -> None:
    song = compose(2, 4.0)
    tune, drums = (next(t for t in song.tracks if (t.instrument == "drums") == hit) for hit in (False, True))
    chord = (Note(0.5, 1.0, 40, 90), Note(0.5, 0.5, 64, 90), Note(9.0, 1.0, 50, 90))
    beat = (Note(0.2, 0.05, DRUMS["kick"], 90), Note(0.2, 0.05, DRUMS["open"], 90), Note(1.0, 0.05, DRUMS["clap"], 90))
    told = score.of_song(replace(song, tracks=(replace(tune, notes=chord), replace(drums, notes=beat))), 200)
    sounding, struck = bits(told[:, SOUNDING], 12), bits(told[:, STRUCK], 4)
    e = 4  # both notes are an E
    np.testing.assert_array_equal(np.flatnonzero(sounding[:, e]), np.arange(25, 75))
    assert sounding.sum() == 50 and set(told[25:75, BASS]) == {e} and set(told[75:, BASS]) == {12}
    kick, snare, hat, note = (np.flatnonzero(row).tolist() for row in struck.T)
    assert (kick, snare, hat, note) == ([10], [50], [10], [25])


def test_every_frame_says_what_the_song_is() -> None:
    for seed in range(16):
        song = compose(seed, 3.0)
        told = score.of_song(song, 150)
        keys = {
            (TONICS[tonic], list(MODES)[mode], STYLES[style]) for tonic, mode, style in told[:, [TONIC, MODE, STYLE]]
        }
        assert keys == {(TONICS[song.tonic], song.mode, song.style)}
        (lineup,) = set(told[:, LINEUP])
        playing = {name for bit, name in enumerate(FAMILIES) if lineup >> bit & 1}
        assert playing == {name for name, words in FAMILIES.items() if {t.instrument for t in song.tracks} & {*words}}
        assert playing


def test_what_a_song_is_can_be_told_before_it_begins() -> None:
    row = score.of_song(compose(7, 3.0), 150)[60]
    told = score.foretold(row)
    same = told == row
    assert set(np.flatnonzero(same)) == {BEAT, TONIC, MODE, STYLE, LINEUP} and (told[~same] == score.UNKNOWN).all()


def test_a_reader_that_knows_misses_nothing_and_unknown_frames_do_not_count() -> None:
    told = torch.from_numpy(score.of_song(compose(5, 6.0), 300).astype(np.int64))[None]
    sure: list[torch.Tensor] = []
    for field, width in enumerate((*score.CLASSES, *score.BITS)):
        if field < len(score.CLASSES):
            sure.append(50.0 * torch.nn.functional.one_hot(told[..., field], width))
        else:
            sure.append(100.0 * (told[..., field, None] >> torch.arange(width) & 1) - 50)
    assert float(score.misses(sure, told).max()) < 1e-4
    wrong = [-x for x in sure]
    assert float(score.misses(wrong, told).min()) > 1
    partly = torch.cat([told, torch.full_like(told, score.UNKNOWN)], 1)
    both = [torch.cat([right, other], 1) for right, other in zip(sure, wrong, strict=True)]
    assert float(score.misses(both, partly).max()) < 1e-4
    assert not score.misses(both, torch.full_like(partly, score.UNKNOWN)).any()
    foretold = torch.from_numpy(score.foretold(told[0, 0].numpy())).expand(1, 300, -1)
    missed = score.misses(wrong, foretold)
    assert set(torch.nonzero(missed)[:, 0].tolist()) == {*score.OF_THE_SONG}


def test_a_song_that_is_composed_otherwise_now_is_refused(tmp_path: Path) -> None:
    song = compose(3, 5.0)
    facts = {name: getattr(song, name) for name in ("seed", "seconds", "style", "bpm", "tonic", "mode")}
    cache, scores, inputs = (tmp_path / name for name in ("cache", "scores", "told"))
    for folder in (cache, scores, inputs):
        folder.mkdir()
    np.save(cache / "3.npy", np.zeros((250, 4), np.int16))
    (tmp_path / "3.json").write_text(json.dumps({**facts, "bpm": song.bpm / 2}))
    with pytest.raises(ValueError, match="render the songs again"):
        tokens.write_scores(tmp_path, cache, tmp_path)
    assert not list(scores.iterdir())
    (tmp_path / "3.json").write_text(json.dumps(facts))
    tokens.write_scores(tmp_path, cache, tmp_path)
    assert np.load(scores / "3.npy").shape == (250, score.FIELDS)
    np.save(scores / "3.npy", np.zeros((250, score.FIELDS - 1), np.int16))  # as an earlier version wrote it
    tokens.write_scores(tmp_path, cache, tmp_path)
    assert np.load(scores / "3.npy").shape == (250, score.FIELDS)
