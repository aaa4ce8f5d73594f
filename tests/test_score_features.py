"""What a score tells a model: nothing where nothing is known, and each field by itself."""

import numpy as np

from musicgen import score


def test_an_unknown_score_is_silent() -> None:
    assert not score.features(score.unknown(3)).any()


def test_each_field_has_features_of_its_own() -> None:
    examples = dict(zip(score.FIELDS, (0.3, 0.6, 97.0, 0b10010001, 4, 0, 1, 0, 1, 0.7), strict=True))
    used = np.zeros(score.FEATURES, int)
    for number, value in enumerate(examples.values()):
        fields = score.unknown(1)
        fields[0, number] = value
        used += score.features(fields)[0] != 0
    assert used.max() == 1
    both = np.array([list(examples.values())], np.float32)
    assert ((score.features(both)[0] != 0) == (used > 0)).all()


def test_frames_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(0)
    fields = score.unknown(8)
    fields[::2] = rng.random((4, len(score.FIELDS)))
    whole = score.features(fields)
    assert all((score.features(fields[i : i + 1])[0] == whole[i]).all() for i in range(8))


def test_a_beat_is_told_apart_from_its_32nds() -> None:
    fields = score.unknown(8)
    fields[:, 0] = np.arange(8) / 8
    told = score.features(fields)
    assert np.linalg.norm(told[:, None] - told[None], axis=-1)[~np.eye(8, dtype=bool)].min() > 1
