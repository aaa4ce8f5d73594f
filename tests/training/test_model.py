"""What is trained is what transformers runs: logits, the delay pattern, the null condition."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from musicgen.score import FEATURES, FIELDS, Fields, features, unknown
from training import blend, captions, score, tokens
from training import model as training_model
from training.codec import CODEBOOKS, CODES
from training.compose import STYLES
from training.model import PAD, Nano, decoder_config, delay, forward, losses
from training.stray import Stray


@pytest.fixture(scope="module")
def nano() -> Nano:
    torch.manual_seed(0)
    nano = Nano(decoder_config(128, 2)).eval()
    for parameter in nano.parameters():
        torch.nn.init.normal_(parameter, std=0.08)
    return nano


def clock(frames: int, beat: int) -> Fields:
    """A score that knows a tempo of whole frames a beat and no more."""
    told, frame = unknown(frames), np.arange(frames)
    told[:, :3] = np.stack([frame / beat % 1, frame / beat / 4 % 1, np.full(frames, 3000 / beat)], 1)
    return told


def reference(nano: Nano, columns: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    memory = nano.enc_to_dec_proj(states) * mask[..., None]
    logits: torch.Tensor = nano.decoder(
        columns.reshape(-1, columns.shape[-1]), encoder_hidden_states=memory, encoder_attention_mask=mask.long()
    ).logits
    return logits.view(len(columns), CODEBOOKS, -1, CODES)


@torch.no_grad()
def test_training_forward_equals_musicgen(nano: Nano) -> None:
    columns = torch.randint(CODES + 1, (3, CODEBOOKS, 37))
    states = torch.randn(3, 9, 384)
    mask = torch.arange(9)[None] < torch.tensor([9, 4, 1])[:, None]
    ours = torch.stack(forward(nano, columns, states, mask[:, None]), 1)
    torch.testing.assert_close(ours, reference(nano, columns, states, mask), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_is_told_reaches_its_own_column_and_those_after_it(nano: Nano) -> None:
    columns, states = torch.randint(CODES + 1, (1, CODEBOOKS, 20)), torch.randn(1, 5, 384)
    told = torch.zeros(1, 20, FEATURES)
    told[:, 7] = 1.0
    mask = torch.ones(1, 1, 5, dtype=torch.bool)
    plain, without, with_ = (
        torch.stack(forward(nano, columns, states, mask, x), 1) for x in (None, torch.zeros_like(told), told)
    )
    torch.testing.assert_close(without, plain)
    torch.testing.assert_close(with_[:, :, :7], plain[:, :, :7])
    assert (with_[:, :, 7:] - plain[:, :, 7:]).abs().amax((0, 1, 3)).min() > 1e-4


def test_a_new_nano_does_not_hear_what_it_is_told() -> None:
    assert not Nano(decoder_config(64, 1)).score.weight.any()


@torch.no_grad()
def test_null_condition_ignores_the_text_and_equals_musicgen(nano: Nano) -> None:
    columns = torch.randint(CODES + 1, (1, CODEBOOKS, 20))
    null = torch.zeros(1, 5, dtype=torch.bool)
    first, second = (torch.stack(forward(nano, columns, torch.randn(1, 5, 384), null[:, None]), 1) for _ in range(2))
    torch.testing.assert_close(first, second)
    zeros = torch.zeros(1, 5, nano.decoder.config.hidden_size)
    theirs = nano.decoder(columns[0], encoder_hidden_states=zeros, encoder_attention_mask=null.long()).logits
    torch.testing.assert_close(first[0], theirs, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_changed_caption_acts_from_its_column_on(nano: Nano) -> None:
    columns, states = torch.randint(CODES + 1, (1, CODEBOOKS, 20)), torch.randn(1, 9, 384)
    first, second = torch.arange(9) < 4, torch.arange(9) >= 4
    changed = torch.where(torch.arange(20)[:, None] < 12, first, second)[None]
    ours = torch.stack(forward(nano, columns, states, changed), 1)
    before = reference(nano, columns, states[:, :4], torch.ones(1, 4, dtype=torch.bool))
    torch.testing.assert_close(ours[:, :, :12], before[:, :, :12], atol=1e-4, rtol=1e-4)
    assert (ours[:, :, 12:] - before[:, :, 12:]).abs().amin(dim=(1, 2, 3)) != pytest.approx(0, abs=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_crop_changes_song_on_a_beat_and_caption_up_to_a_beat_before(seed: int) -> None:
    beats, frames = (20, 31), 1500
    # Codes say where they come from: song, and frame within it.
    codes = np.stack([np.repeat([0, 1], frames), np.tile(np.arange(frames), 2)], 1).repeat(2, 1).astype(np.int16)
    songs = [
        {"first": i * frames, "frames": frames, "bpm": 3000 / beat, "texts": [(i, 1)] * captions.PLAIN}
        for i, beat in enumerate(beats)
    ]
    scores = np.zeros((2 * frames, score.FIELDS), np.int16)
    known = np.concatenate([clock(frames, beat) for beat in beats])
    states = np.arange(2, dtype=np.float16)[:, None].repeat(384, 1)
    corpus = training_model.Corpus(codes, scores, known, states, songs)
    crop, told, _, read, given = corpus._splice(np.random.default_rng(seed), 512)
    song, frame = crop[:, 0], crop[:, 2]
    assert (read[0][1], read[-1][2]) == (0, 512) and len(crop) == 512
    jumps = np.flatnonzero(np.diff(frame) != 1) + 1
    assume(len(jumps))  # by chance a song may go on with itself
    (cut,) = jumps
    np.testing.assert_array_equal(told, known[song * frames + frame], "what is told goes over with the song")
    assert (song[:cut] == song[0]).all() and (song[cut:] == song[-1]).all()
    if given:  # the caption was the second song's all along, and only that song is asked for
        assert given == cut and [round(float(states.mean())) for states, _, _ in read] == [song[-1]]
    else:
        (first, _, change), (second, again, _) = read
        assert change == again and 0 <= cut - change < beats[song[0]]
        assert [round(float(states.mean())) for states in (first, second)] == [song[0], song[-1]]
    assert (frame[0] + cut) % beats[song[0]] == 0 and frame[cut] % (4 * beats[song[-1]]) == 0


def test_what_nano_played_is_heard_before_a_song_of_the_style_it_was_asked_for_and_never_learnt() -> None:
    frames = 1500
    codes = np.repeat([0, 1], frames)[:, None].repeat(CODEBOOKS, 1).astype(np.int16)
    songs = [
        {"first": i * frames, "frames": frames, "bpm": 3000 / 23, "texts": [(i, 1)] * captions.PLAIN, "style": style}
        for i, style in enumerate(("funk", "reggae"))
    ]
    played = Stray("reggae", np.full((700, CODEBOOKS), 1000, np.int16))
    states = np.arange(2, dtype=np.float16)[:, None].repeat(384, 1)
    scores = np.full((2 * frames, score.FIELDS), 3, np.int16)
    corpus = training_model.Corpus(codes, scores, np.tile(clock(frames, 23), (2, 1)), states, songs, [played])
    for seed in range(200):
        crop, inputs, _, [(caption, *read)], given = corpus._find_back(np.random.default_rng(seed), 512)
        steps = np.diff(inputs[:, FIELDS.index("beat")]) % 1
        assert steps == pytest.approx(np.full(511, 1 / 23), abs=1e-3), "the clock has run before the song begins"
        assert read == [0, 512] and round(float(caption.mean())) == 1
        assert (crop[:given, :CODEBOOKS] == 1000).all() and (crop[given:, :CODEBOOKS] == 1).all() and 0 < given < 512
    batches = [corpus.batch(np.random.default_rng(seed), 128) for seed in range(20)]
    columns, targets, told = (torch.cat(side) for side in list(zip(*batches, strict=True))[:3])
    heard = (columns[:, 0, 1] == 1000).float().mean()
    assert float(heard) == pytest.approx(training_model.OWN, abs=0.05)
    assert not (targets == 1000).any()
    since = score.NAMES.index("since the beat")
    np.testing.assert_array_equal(told[..., since] == score.UNKNOWN, targets[:, 0] == PAD)
    assert not (told[..., score.OF_THE_SONG] == score.UNKNOWN).any(), "what is asked for is known all along"


def test_strays_may_be_short_and_of_styles_without_songs(tmp_path: Path) -> None:
    frames = 600
    song = {"seed": 20, "first": 0, "frames": frames, "bpm": 3000 / 23, "texts": [(0, 1)] * captions.PLAIN}
    np.save(tmp_path / "codes.npy", np.ones((frames, CODEBOOKS), np.int16))
    np.save(tmp_path / "told.npy", clock(frames, 23))
    np.save(tmp_path / "scores.npy", np.zeros((frames, score.FIELDS), np.int16))
    np.save(tmp_path / "states.npy", np.zeros((1, 384), np.float16))
    files = {name: f"{name}.npy" for name in tokens.FILES}
    (tmp_path / "index.json").write_text(json.dumps({**files, "songs": [{**song, "style": "funk"}]}))
    short = Stray("funk", np.full((5, CODEBOOKS), 1000, np.int16))
    corpus, _ = training_model.load_corpus(tmp_path, [Stray("reggae", short.codes), short])
    assert list(corpus.strays) == [short]
    lengths = {corpus._find_back(np.random.default_rng(seed), 512).given for seed in range(100)}
    assert lengths == {1, 2, 3, 4, 5}


def test_some_crops_begin_with_the_song_and_the_others_anywhere() -> None:
    frames = 1500
    codes = np.arange(frames, dtype=np.int16)[:, None].repeat(CODEBOOKS, 1)
    song = {"first": 0, "frames": frames, "bpm": 3000 / 23, "texts": [(0, 1)] * captions.PLAIN}
    scores = np.zeros((frames, score.FIELDS), np.int16)
    corpus = training_model.Corpus(codes, scores, clock(frames, 23), np.zeros((1, 384), np.float16), [song])
    rng = np.random.default_rng(0)
    shares = {512: training_model.SONG_STARTS} | dict.fromkeys(
        (training_model.SHORT, training_model.SHORTEST), training_model.SHORT_STARTS
    )
    for length, share in shares.items():
        starts = np.array([corpus._crop(rng, length).frames[0, 0] for _ in range(2000)])
        assert (starts == 0).mean() == pytest.approx(share, abs=0.05)
        elsewhere = np.histogram(starts[starts > 0], 4, (0, frames - length))[0] / (starts > 0).sum()
        assert elsewhere == pytest.approx(0.25, abs=0.07), "the end of a song is heard too"


def test_plain_captions_of_short_crops_name_a_tempo_or_a_key() -> None:
    states = np.arange(captions.PLAIN, dtype=np.float16)[:, None].repeat(384, 1) * 10
    song = {"texts": [(number, 1) for number in range(captions.PLAIN)]}
    empty = np.zeros((0, 1), np.int16)
    corpus = training_model.Corpus(empty, empty, unknown(0), states, [song])
    rng = np.random.default_rng(0)
    told = [*range(captions.PLAIN)[captions.TOLD]]
    short = dict.fromkeys((training_model.SHORT, training_model.SHORTEST), told)
    for length, plain in ({512: [*range(captions.PLAIN)]} | short).items():
        seen = {round(float(corpus._caption(song, rng, length).mean()) / 10) for _ in range(300)}
        assert seen == {*plain}


def test_songs_that_are_kept_apart_are_of_all_styles(tmp_path: Path) -> None:
    songs = [{"seed": seed, "frames": 600, "style": STYLES[seed % len(STYLES)]} for seed in range(64 * len(STYLES))]
    np.save(tmp_path / "codes.npy", np.zeros((1, CODEBOOKS), np.int16))
    np.save(tmp_path / "told.npy", unknown(1))
    np.save(tmp_path / "scores.npy", np.zeros((1, score.FIELDS), np.int16))
    np.save(tmp_path / "states.npy", np.zeros((1, 384), np.float16))
    index = {**{name: f"{name}.npy" for name in tokens.FILES}, "songs": songs}
    (tmp_path / "index.json").write_text(json.dumps(index))
    trained, kept = training_model.load_corpus(tmp_path)
    twice = sum(song["style"] in training_model.OFTEN for song in songs) * 31 // 32
    assert {song["seed"] % len(STYLES) for song in kept.songs} == set(range(len(STYLES)))
    assert len(kept.songs) == 2 * len(STYLES) and len(trained.songs) == 62 * len(STYLES) + twice
    times = Counter(song["seed"] for song in trained.songs)
    assert all(times[song["seed"]] == 1 + (song["style"] in training_model.OFTEN) for song in trained.songs)


def test_delay_lays_a_crop_out_as_a_fresh_stream() -> None:
    frames = np.arange(6 * CODEBOOKS, dtype=np.int16).reshape(6, CODEBOOKS)
    columns, targets = delay(frames)
    assert (columns[:, 0] == PAD).all()
    for k in range(CODEBOOKS):
        for c in range(6):
            assert targets[k, c] == (frames[c - k, k] if c >= k else PAD)
    np.testing.assert_array_equal(columns[:, 1:], targets[:, :-1])


def test_no_frame_that_is_only_to_be_heard_is_asked_for() -> None:
    frames = np.arange(6 * CODEBOOKS, dtype=np.int16).reshape(6, CODEBOOKS)
    columns, targets = delay(frames, given=2)
    np.testing.assert_array_equal(columns, delay(frames)[0])
    assert set(frames[2:, 0]) == set(targets[0]) - {PAD}
    for k in range(CODEBOOKS):
        assert (targets[k, : 2 + k] == PAD).all() and (targets[k, 2 + k :] == frames[2 : 6 - k, k]).all()


def test_loss_counts_no_padding() -> None:
    logits = [torch.zeros(1, 3, CODES) for _ in range(CODEBOOKS)]
    targets = torch.full((1, CODEBOOKS, 3), PAD)
    targets[:, :, 2] = 5
    for x in logits:
        x[:, 2, 5] = 50.0
    assert float(losses(logits, targets).max()) < 1e-4


def test_it_learns_a_repeating_song_and_follows_its_caption() -> None:
    torch.manual_seed(0)
    nano = Nano(decoder_config(64, 2)).train()
    training_model.initialise(nano, np.random.default_rng(0).normal(size=(CODEBOOKS, CODES, 64)).astype(np.float32))
    reader = score.Reader(64)
    opts = training_model.optimizers(nano, reader, 1e-2, 3e-3)
    rng = np.random.default_rng(0)
    melodies = rng.integers(CODES, size=(2, 8, CODEBOOKS)).astype(np.int16)
    states, mask = torch.randn(2, 3, 384), torch.ones(2, 1, 3, dtype=torch.bool)
    pairs = [delay(np.tile(melody, (4, 1))) for melody in melodies]
    columns, targets = (torch.from_numpy(np.stack(side)) for side in zip(*pairs, strict=True))
    scores = torch.stack([torch.arange(32) % 8, *[torch.zeros(32, dtype=torch.int64)] * (score.FIELDS - 1)], -1)
    scores, told = scores.expand(2, -1, -1), torch.zeros(2, 32, FEATURES)
    missed = []
    for _ in range(60):
        for optimizer in opts:
            optimizer.zero_grad()
        missed.append(training_model.train_step(nano, reader, (columns, targets, scores, told, states, mask), 0.1))
        for optimizer in opts:
            optimizer.step()
    with torch.no_grad():
        right = losses(forward(nano, columns, states, mask), targets).mean()
        wrong = losses(forward(nano, columns, states.flip(0), mask), targets).mean()
    assert float(right) < 1.0
    assert float(wrong) > float(right)
    since = CODEBOOKS + score.NAMES.index("since the beat")
    assert float(missed[-1][since]) < 0.3 < float(missed[0][since])


def test_where_there_is_no_caption_nothing_is_told() -> None:
    frames = 1500
    songs = [{"first": 0, "frames": frames, "bpm": 3000 / 23, "texts": [(0, 1)] * captions.PLAIN, "style": "funk"}]
    codes, scores = np.zeros((frames, CODEBOOKS), np.int16), np.zeros((frames, score.FIELDS), np.int16)
    corpus = training_model.Corpus(codes, scores, clock(frames, 23), np.ones((1, 384), np.float16), songs)
    batches = [corpus.batch(np.random.default_rng(seed), 128) for seed in range(20)]
    told, mask = torch.cat([one[3] for one in batches]), torch.cat([one[5].any(2).any(1) for one in batches])
    assert not mask.all() and not told[~mask].any()
    assert 0.3 < told[mask].any(2).any(1).float().mean() < 1


def test_it_learns_to_play_what_it_is_told() -> None:
    torch.manual_seed(0)
    nano, reader, rng = Nano(decoder_config(64, 2)).train(), score.Reader(64), np.random.default_rng(0)
    opts = training_model.optimizers(nano, reader, 1e-2, 3e-3)
    states, mask = torch.zeros(8, 1, 384), torch.ones(8, 1, 1, dtype=torch.bool)
    scores = torch.full((8, 16, score.FIELDS), score.UNKNOWN)
    missed = []
    for _ in range(80):
        chosen = rng.integers(2, size=(8, 16))
        columns, targets = (torch.from_numpy(np.stack(side)) for side in zip(*map(tune, chosen), strict=True))
        told = torch.zeros(8, 16, FEATURES)
        told[..., 3] = torch.from_numpy(2.0 * chosen - 1)
        for optimizer in opts:
            optimizer.zero_grad()
        missed.append(training_model.train_step(nano, reader, (columns, targets, scores, told, states, mask), 0.1))
        for optimizer in opts:
            optimizer.step()
    assert float(missed[-1][0]) < 0.3, "chance is 0.69: nothing but what is told says which of two codes comes"


def tune(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return delay(np.repeat(chosen[:, None], CODEBOOKS, 1).astype(np.int16))


def test_untold_music_stays_as_earlier_weights_have_it_while_told_music_is_learnt() -> None:
    """Two rows of codes, told nothing and told all: only of the first do earlier weights have a say."""
    torch.manual_seed(4)
    before, learning, free = (Nano(decoder_config(64, 2)) for _ in range(3))
    free.load_state_dict(learning.state_dict())
    columns, targets = (torch.randint(CODES, (2, CODEBOOKS, 24)) for _ in range(2))
    told = torch.zeros(2, 24, FEATURES)
    told[1] = 1.0
    states, mask = torch.zeros(2, 1, 384), torch.zeros(2, 24, 1, dtype=torch.bool)
    batch = (columns, targets, torch.full((2, 24, score.FIELDS), score.UNKNOWN), told, states, mask)
    for nano, kept in ((learning, before), (free, None)):
        reader, optimizer = score.Reader(64), torch.optim.Adam(nano.parameters(), 3e-3)
        for _ in range(40):
            optimizer.zero_grad()
            training_model.train_step(nano, reader, batch, 0.0, kept)
            optimizer.step()
    with torch.no_grad():
        theirs, held, unheld = (forward(nano, columns, states, mask, told) for nano in (before, learning, free))
    apart = [[float(training_model.unlike([x[[row]] for x in ours], [x[[row]] for x in theirs], targets[[row]]).sum())
              for row in (0, 1)] for ours in (held, unheld)]  # fmt: skip
    assert apart[0][0] < apart[1][0] - 1
    assert float(losses([x[1:] for x in held], targets[1:]).sum()) < 4, "what is told is learnt: chance is 28"


def test_a_start_brings_its_reader_along_if_it_reads_the_same_score(nano: Nano) -> None:
    def state(reader: torch.nn.Module) -> dict[str, object]:
        return {"model": nano.state_dict(), "reader": reader.state_dict()}

    model, reader, before, other = Nano(decoder_config(128, 2)), *(score.Reader(128) for _ in range(3))
    untouched = reader.linear.weight.detach().clone()
    other.linear = torch.nn.Linear(128, 5)  # read fewer fields
    for start in ({"model": nano.state_dict()}, state(other)):
        training_model.begin(start, model, reader)
        torch.testing.assert_close(reader.linear.weight.detach(), untouched)
    training_model.begin(state(before), model, reader)
    torch.testing.assert_close(reader.linear.weight, before.linear.weight)
    torch.testing.assert_close(model.enc_to_dec_proj.weight, nano.enc_to_dec_proj.weight)


def test_a_blend_lies_between_its_checkpoints_and_other_shapes_are_refused() -> None:
    shape = {"width": 64, "layers": 1}
    before, after = ({"model": {"w": torch.full((2,), value)}, "shape": shape, "step": 3} for value in (0.0, 10.0))
    mixed = blend.blend(before, {**after, "optimizers": []}, 0.7)
    assert mixed["step"] == 3 and set(mixed) == {"model", "shape", "step"}
    torch.testing.assert_close(mixed["model"]["w"], torch.full((2,), 7.0))
    with pytest.raises(ValueError, match="no average"):
        blend.blend({**before, "shape": {"width": 128, "layers": 1}}, after, 0.5)


def test_what_another_player_or_energy_changes_counts_more_for_half_a_second() -> None:
    fields = clock(200, 23)
    fields[:, FIELDS.index("play_bass")] = np.arange(200) >= 100
    fields[150:, FIELDS.index("energy")] = 0.7
    told = torch.from_numpy(np.stack([features(fields), features(clock(200, 23))]))
    urgent, calm = training_model.urgency(told)
    expected = np.ones(200)
    for begin in (0, 100, 150):  # the first frame that is told of the bass at all is news as well
        expected[begin : begin + 25] = training_model.URGENT
    np.testing.assert_array_equal(urgent, expected)
    assert (calm == 1).all()


def test_a_frame_that_counts_more_is_as_if_it_were_there_more_often() -> None:
    torch.manual_seed(0)
    logits = [torch.randn(2, 6, 1024) for _ in range(CODEBOOKS)]
    targets = torch.randint(1024, (2, CODEBOOKS, 6))
    targets[0, :, :2] = PAD
    even = [cross_entropy(x.mT, y, ignore_index=PAD) for x, y in zip(logits, targets.unbind(1), strict=True)]
    torch.testing.assert_close(losses(logits, targets), torch.stack(even))
    weights = torch.ones(2, 6)
    weights[1, 3] = 3
    again = [torch.cat([x, x[:, 3:4], x[:, 3:4]], 1) for x in logits]
    more = torch.cat([targets, targets[..., 3:4], targets[..., 3:4]], 2)
    more[0, :, 6:] = PAD
    torch.testing.assert_close(losses(logits, targets, weights), losses(again, more))
