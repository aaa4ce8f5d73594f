"""The delay pattern as a stream."""

from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from musicgen.delay import DelayLine, delays_of

PAD = 99
delay_lists = st.lists(st.integers(0, 9), min_size=1, max_size=9)


@given(delay_lists, st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_what_goes_in_delayed_comes_out_whole_and_in_order(delays: list[int], count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = random.integers(0, 50, (count, len(delays)))
    line = DelayLine(delays, PAD)
    out = []
    for step in range(count):
        # what a delayed codebook samples before its first frame is noise that nobody may hear
        column = [frames[step - d, k] if step >= d else random.integers(50, 90) for k, d in enumerate(delays)]
        frame = line.push(np.array(column))
        if step < max(delays):
            assert frame is None
        else:
            assert frame is not None
            out.append(frame)
    np.testing.assert_array_equal(np.array(out).reshape(-1, len(delays)), frames[: max(0, count - max(delays))])


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 30),
    st.integers(0, 2**32 - 1),
)
def test_frames_of_several_turns_come_out_whole_and_in_order(
    codebooks: list[tuple[int, bool]], count: int, seed: int
) -> None:
    """A codebook that waits some frames, and begins a new turn or shares the one before."""
    random = np.random.default_rng(seed)
    delays = [delay for delay, _ in codebooks]
    turns = [int(turn) for turn in np.cumsum([0, *(new for _, new in codebooks[1:])])]
    per_frame = turns[-1] + 1
    frames = random.integers(0, 50, (count, len(delays)))
    line = DelayLine(delays, PAD, turns)
    out = []
    for step in range(count * per_frame):
        time, turn = divmod(step, per_frame)
        mine = [turn == turns[k] and time >= d for k, d in enumerate(delays)]
        column = [frames[time - d, k] if mine[k] else random.integers(50, 90) for k, d in enumerate(delays)]
        frame = line.push(np.array(column))
        # the next step sees what was sampled in its codebooks' turn, and padding for the others
        np.testing.assert_array_equal(
            line.column(step + 1), [c if m else PAD for c, m in zip(column, mine, strict=True)]
        )
        if frame is not None:
            assert turn == per_frame - 1
            out.append(frame)
    np.testing.assert_array_equal(np.array(out).reshape(-1, len(delays)), frames[: max(0, count - max(delays))])


@pytest.mark.parametrize("turns", [[0, 2, 2], [1, 1, 1], [1, 0, 2], [0, 0]])
def test_impossible_turns_are_refused(turns: list[int]) -> None:
    with pytest.raises(ValueError, match="turns"):
        DelayLine([0, 1, 2], PAD, turns)


@given(delay_lists, st.integers(0, 30), st.integers(0, 30))
def test_a_late_joiner_sees_padding_where_frames_are_older_than_its_start(
    delays: list[int], start: int, position: int
) -> None:
    line = DelayLine(delays, PAD)
    for step in range(start + position):
        line.push(np.array([step - d for d in delays]))  # every token names its frame
    oldest = start if position else start + 1  # at position 0 nothing is known yet
    expected = [frame if (frame := start + position - 1 - d) >= oldest else PAD for d in delays]
    np.testing.assert_array_equal(line.column(position), expected)


@given(delay_lists)
def test_after_a_reset_nothing_of_the_past_is_left(delays: list[int]) -> None:
    line = DelayLine(delays, PAD)
    for _ in range(20):
        line.push(np.full(len(delays), 7))
    line.reset()
    assert (line.column(0) == PAD).all()
    frames = [line.push(np.full(len(delays), 8)) for _ in range(max(delays) + 1)]
    assert frames[:-1] == [None] * max(delays)
    assert frames[-1] is not None and (frames[-1] == 8).all()


@pytest.mark.parametrize("channels", [1, 2])
def test_the_columns_are_those_of_transformers(channels: int) -> None:
    from transformers import MusicgenDecoderConfig
    from transformers.models.musicgen.modeling_musicgen import MusicgenForCausalLM

    codebooks = 4 * channels
    config = MusicgenDecoderConfig(
        vocab_size=PAD, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, ffn_dim=8,
        num_codebooks=codebooks, audio_channels=channels, pad_token_id=PAD, bos_token_id=PAD,
    )  # fmt: skip
    frames = np.random.default_rng(0).integers(0, PAD, (codebooks, 12))
    started = np.concatenate([np.full((codebooks, 1), PAD), frames], axis=1)
    expected, _ = MusicgenForCausalLM(config).build_delay_pattern_mask(
        cast(torch.LongTensor, torch.from_numpy(started)), pad_token_id=PAD, max_length=40
    )
    delays = delays_of(codebooks, channels)
    line = DelayLine(delays, PAD)
    columns = []
    for step in range(expected.shape[1]):
        columns.append(line.column(step))
        line.push(np.array([frames[k, step - d] if d <= step < 12 + d else 0 for k, d in enumerate(delays)]))
    np.testing.assert_array_equal(np.stack(columns, 1), expected.numpy())


@pytest.mark.parametrize("delays", [[], [-1, 0]])
def test_impossible_delays_are_refused(delays: list[int]) -> None:
    with pytest.raises(ValueError, match="delays"):
        DelayLine(delays, PAD)
