"""Takes of one song: other players, another energy, the same tempo and chords; crops that go from one to another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from musicgen.score import FIELDS, features_of
from training import model as training_model
from training import score, told
from training import takes as rendering
from training.codec import CODEBOOKS
from training.compose.song import PLAYERS
from training.compose.takes import liberties_of, take, takes_of
from training.render import again

SEED = rendering.FIRST + 2
FRAMES = 650


def test_takes_of_a_song_differ_in_who_plays_and_how_much_and_in_nothing_else() -> None:
    known = []
    for one in takes_of(SEED, 13.0, 4):
        song = take(SEED, 13.0, liberties_of(SEED), **one)
        assert {track.player for track in song.tracks} <= {*one["players"]}
        assert {*song.instruments} == {track.instrument for track in song.tracks}
        known.append(told.of_song(song, FRAMES))
    same = [FIELDS.index(name) for name in ("beat", "bar", "bpm", "notes", "bass")]
    assert all(np.array_equal(known[0][:, same], other[:, same]) for other in known[1:])
    assert len({one.tobytes() for one in known}) == len(known)


def test_a_take_is_rendered_as_loud_as_it_is_beside_the_others_and_composed_again(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    rendering.write_takes(SEED, tmp_path, 3)
    levels, energies = [], []
    for path in sorted(tmp_path.glob("*.npy")):
        facts = json.loads(path.with_suffix(".json").read_text())
        song = again(facts)
        assert [*song.instruments] == facts["instruments"] and [*song.energy[:1]] == [facts["take"]["energy"]]
        levels.append(float(np.std(np.load(path))))
        energies.append(facts["take"]["energy"])
    assert len(levels) == 3
    assert np.argmax(levels) == np.argmax(energies)


def corpus() -> training_model.Corpus:
    """Two takes, whose codes and players say which of them it is."""
    codes: NDArray[np.int16] = np.repeat([[1], [2]], FRAMES, 0).astype(np.int16).repeat(CODEBOOKS, 1)
    known = np.zeros((2 * FRAMES, len(FIELDS)), np.float32)
    known[:, FIELDS.index("bpm")] = 120.0
    known[FRAMES:, FIELDS.index("play_drums")] = 1.0
    scores = np.full((2 * FRAMES, score.FIELDS), score.UNKNOWN, np.int16)
    songs = [
        {"seed": 5, "style": "funk", "bpm": 120.0, "frames": FRAMES, "first": first, "texts": [(0, 1)] * 12}
        for first in (0, FRAMES)
    ]
    states = np.ones((1, 384), np.float16)
    takes = training_model.Corpus(codes, scores, known, states, songs)
    return training_model.Corpus(codes, scores, known, states, songs[:1], takes=takes)


def test_what_is_told_says_from_which_take_every_frame_is() -> None:
    everything = corpus()
    assert everything.takes is not None
    rng = np.random.default_rng(0)
    for _ in range(20):
        crop = everything.takes.switched(rng, 512)
        assert np.array_equal(crop.frames[:, 0] == 2, crop.told[:, FIELDS.index("play_drums")] == 1)
        changes = np.flatnonzero(np.diff(crop.frames[:, 0]))
        assert (np.diff(changes) >= training_model.STAYS[0]).all()


def test_crops_of_takes_are_always_told_who_plays_unless_there_is_no_caption() -> None:
    columns, targets, _, known, _, mask = corpus().batch(np.random.default_rng(1), 96, spliced=0.0, columns=96 * 60)
    drums = features_of("play_drums")
    switched = ((targets[:, 0] == 1).any(1) & (targets[:, 0] == 2).any(1)).numpy()
    captioned = mask.any(2).any(1).numpy()
    assert 5 < switched.sum() < 40
    assert (known[switched & captioned][..., drums[0]] == 1).all()
    assert columns.shape == (60, CODEBOOKS, 96)
    assert len(PLAYERS) == 4
