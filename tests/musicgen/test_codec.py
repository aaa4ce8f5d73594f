"""Exact decoding in chunks: the samples of transformers' whole-clip decode, whatever the codec and the chunks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from transformers import DacConfig, DacModel, EncodecModel

from musicgen.codec import (
    CodecWeights,
    ExactDecoder,
    OverlapAddDecoder,
    codec_weights,
    decode_many,
    decode_step,
    new_state,
    open_decoder,
)
from musicgen.errors import ModelError
from tests.musicgen.codec_schedules import chunks, configs, played, schedules
from tests.musicgen.random_codec import (
    ENCODEC_24KHZ,
    ENCODEC_48KHZ,
    MUSICGEN_32KHZ,
    NANO,
    SMALL,
    random_codec,
    random_codes,
    relative_error,
    whole_decode,
)

KNOWN: dict[str, dict[str, Any]] = {"musicgen": MUSICGEN_32KHZ, "24 kHz": ENCODEC_24KHZ, "nano": NANO}


def streamed(weights: CodecWeights, codes: Tensor, schedule: Sequence[int]) -> Tensor:
    """Through the step itself, in the weights' own precision: (samples, channels)."""
    state = new_state(weights)
    parts = [decode_step(weights, state, chunk[None]) for chunk in chunks(codes, schedule)]
    parts.append(decode_step(weights, state, codes[None, :, :0], final=True))
    return torch.cat(parts, 1)[0]


@cache
def known_codec(name: str) -> EncodecModel:
    return random_codec(forget_bias=1.0, **{**KNOWN[name], **SMALL})


@settings(max_examples=80, deadline=None)
@given(config=configs(), schedule=schedules, forget_bias=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 99))
def test_any_codec_in_any_chunks_gives_the_samples_of_the_whole_clip(
    config: dict[str, Any], schedule: list[int], forget_bias: float, seed: int
) -> None:
    model = random_codec(seed, forget_bias=forget_bias, dtype=torch.float64, **config)
    codes = random_codes(model, max(1, sum(schedule)), seed=seed)
    audio = streamed(codec_weights(model), codes, schedule)
    assert relative_error(audio, whole_decode(model, codes)) <= 1e-12


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=15, deadline=None)
@given(schedule=schedules)
def test_known_codecs_are_exact_in_single_precision(name: str, schedule: list[int]) -> None:
    model = known_codec(name)
    codes = random_codes(model, sum(schedule) + 1)
    audio = played(ExactDecoder(codec_weights(model)), codes, schedule)
    assert audio.dtype == np.float32
    assert len(audio) == codes.shape[1] * model.config.hop_length
    assert relative_error(torch.from_numpy(audio), whole_decode(model, codes)) <= 2e-5


def test_the_32_khz_codec_is_exact_at_its_full_size() -> None:
    model = random_codec(forget_bias=1.0, **MUSICGEN_32KHZ, num_filters=64, hidden_size=128)
    codes = random_codes(model, 24)
    audio = played(ExactDecoder(codec_weights(model)), codes, [1, 2, 5, 10])
    assert relative_error(torch.from_numpy(audio), whole_decode(model, codes)) <= 2e-5


@pytest.mark.parametrize(("dtype", "decibels"), [(torch.float16, 50), (torch.bfloat16, 33)])
@pytest.mark.parametrize("name", KNOWN)
def test_half_precision_keeps_the_noise_below_the_sound(name: str, dtype: torch.dtype, decibels: float) -> None:
    model = random_codec(forget_bias=1.0, **{**KNOWN[name], "num_filters": 8, "hidden_size": 32})
    codes = random_codes(model, 100)
    audio = torch.from_numpy(played(ExactDecoder(codec_weights(model, dtype=dtype)), codes, [1, 5, 10]))
    whole = whole_decode(model, codes)
    assert 10 * torch.log10(whole.square().mean() / (audio - whole).square().mean()) >= decibels


@pytest.mark.parametrize("name", KNOWN)
def test_a_long_stream_does_not_drift(name: str) -> None:
    model = known_codec(name)
    codes = random_codes(model, 1500)
    audio = played(ExactDecoder(codec_weights(model)), codes, [2] * 750)
    assert relative_error(torch.from_numpy(audio), whole_decode(model, codes)) <= 2e-5


@pytest.mark.parametrize(("name", "samples"), [("musicgen", 2402), ("24 kHz", 0), ("nano", 0)])
def test_the_look_ahead_follows_from_the_config(name: str, samples: int) -> None:
    assert ExactDecoder(codec_weights(known_codec(name))).look_ahead == samples


@settings(max_examples=25, deadline=None)
@given(config=configs())
def test_the_look_ahead_is_where_a_frame_first_changes_the_sound(config: dict[str, Any]) -> None:
    model = random_codec(dtype=torch.float64, **config)
    look_ahead = ExactDecoder(codec_weights(model), model.config.audio_channels).look_ahead
    codes = random_codes(model, 60)
    changed = codes.clone()
    changed[:, 40] = (changed[:, 40] + 1) % model.config.codebook_size
    differs = (whole_decode(model, codes) - whole_decode(model, changed)).abs().amax(1) > 1e-12
    assert int(differs.nonzero()[0]) == 40 * model.config.hop_length - look_ahead


@settings(max_examples=25, deadline=None)
@given(config=configs())
def test_nothing_but_the_look_ahead_is_held_back(config: dict[str, Any]) -> None:
    model = random_codec(**config)
    decoder = ExactDecoder(codec_weights(model), model.config.audio_channels)
    codes = random_codes(model, 60)
    samples = sum(len(decoder.decode(codes[:, i : i + 1])) for i in range(60))
    assert samples == 60 * model.config.hop_length - decoder.look_ahead
    assert len(decoder.flush()) == decoder.look_ahead


def test_a_causal_codec_gives_every_frame_at_once() -> None:
    decoder = ExactDecoder(codec_weights(known_codec("nano")))
    codes = random_codes(known_codec("nano"), 4)
    assert [len(decoder.decode(codes[:, i : i + 1])) for i in range(4)] == [640] * 4
    assert len(decoder.flush()) == 0


def test_stereo_is_two_mono_decodes_of_interleaved_codebooks() -> None:
    model = known_codec("musicgen")
    codes = random_codes(model, 30, channels=2)
    audio = played(ExactDecoder(codec_weights(model), channels=2), codes, [4, 1, 9, 6])
    left, right = (whole_decode(model, codes[side::2])[:, 0] for side in range(2))
    assert relative_error(torch.from_numpy(audio), torch.stack((left, right), 1)) <= 2e-5


def test_a_stream_starts_anew_after_its_flush_and_after_a_reset() -> None:
    model = known_codec("musicgen")
    codes = random_codes(model, 12)
    decoder = ExactDecoder(codec_weights(model))
    first = played(decoder, codes, [5])
    np.testing.assert_array_equal(played(decoder, codes, [5]), first)
    decoder.decode(codes)
    decoder.reset()
    np.testing.assert_array_equal(played(decoder, codes, [5]), first)


@pytest.mark.parametrize("name", KNOWN)
def test_a_stream_without_frames_is_silent(name: str) -> None:
    decoder = ExactDecoder(codec_weights(known_codec(name)))
    assert decoder.decode(np.zeros((4, 0), np.int64)).shape == (0, 1)
    assert decoder.flush().shape == (0, 1)


def test_streams_that_share_weights_do_not_hear_each_other() -> None:
    model = known_codec("musicgen")
    weights = codec_weights(model)
    codes = [random_codes(model, 20, seed=seed) for seed in range(2)]
    decoders = [ExactDecoder(weights) for _ in codes]
    parts: list[list[NDArray[np.float32]]] = [[], []]
    for i, side in itertools.product(range(0, 20, 4), range(2)):
        parts[side].append(decoders[side].decode(codes[side][:, i : i + 4]))
    for side in range(2):
        audio = np.concatenate([*parts[side], decoders[side].flush()])
        assert relative_error(torch.from_numpy(audio), whole_decode(model, codes[side])) <= 2e-5


@settings(max_examples=40, deadline=None)
@given(config=configs(), data=st.data())
def test_streams_decoded_together_give_the_samples_of_each(config: dict[str, Any], data: st.DataObject) -> None:
    model = random_codec(dtype=torch.float32, **config)
    weights = codec_weights(model)
    sides = data.draw(st.integers(1, 2))
    plan = st.lists(st.sampled_from([0, 1, 1, 2, 5]), min_size=8, max_size=8)
    plans = data.draw(st.lists(plan, min_size=2, max_size=4))
    streams = [random_codes(model, sum(plan) + 1, channels=sides, seed=i) for i, plan in enumerate(plans)]
    decoders = [ExactDecoder(weights, sides * config["audio_channels"]) for _ in plans]
    parts = [list(chunks(codes, plan)) for codes, plan in zip(streams, plans, strict=True)]
    sounds = [decode_many(decoders, [part[i] for part in parts]) for i in range(9)]
    for i, codes in enumerate(streams):
        audio = torch.from_numpy(np.concatenate([*(sound[i] for sound in sounds), decoders[i].flush()]))
        whole = torch.cat([whole_decode(model, codes[side::sides]) for side in range(sides)], 1)
        assert relative_error(audio, whole) <= 2e-5


def test_decoders_of_any_kind_may_be_asked_together() -> None:
    models = [known_codec(name) for name in ("musicgen", "nano", "musicgen", "nano")]
    weights = [codec_weights(model) for model in models]

    def decoders() -> list[ExactDecoder | OverlapAddDecoder]:
        return [*(ExactDecoder(own) for own in weights), OverlapAddDecoder(weights[0], 1, 3, 1)]

    codes = [random_codes(models[0], 7, seed=seed) for seed in range(5)]
    together = decode_many(decoders(), codes)
    for decoder, own, sound in zip(decoders(), codes, together, strict=True):
        np.testing.assert_allclose(sound, decoder.decode(own), atol=1e-4)


def test_a_bad_code_in_one_stream_changes_none() -> None:
    model = known_codec("nano")
    weights = codec_weights(model)
    codes = [random_codes(model, 6, seed=seed) for seed in range(2)]
    decoders = [ExactDecoder(weights) for _ in codes]
    with pytest.raises(ValueError, match="outside"):
        decode_many(decoders, [codes[0], codes[1] + 1024])
    for decoder, own in zip(decoders, codes, strict=True):
        assert relative_error(torch.from_numpy(played(decoder, own, [2])), whole_decode(model, own)) <= 2e-5


def test_the_state_grows_neither_with_the_stream_nor_with_its_chunks() -> None:
    weights = codec_weights(known_codec("musicgen"))
    state = new_state(weights)
    codes = random_codes(known_codec("musicgen"), 100)
    sizes = []
    for frames in (20, 1, 2, 100, 7, 50):
        decode_step(weights, state, codes[None, :, :frames])
        sizes.append(sum(tensor.untyped_storage().nbytes() for tensor in tensors(state)))
    assert len(set(sizes)) == 1


def tensors(thing: object) -> Iterator[Tensor]:
    """Every tensor that hangs on an object."""
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, list):
        for item in thing:
            yield from tensors(item)
    elif hasattr(thing, "__dict__"):
        yield from tensors(list(vars(thing).values()))


def test_a_language_model_may_use_the_first_codebooks_only() -> None:
    model = known_codec("nano")
    codes = random_codes(model, 9)[:2]
    audio = played(ExactDecoder(codec_weights(model, codebooks=2)), codes, [3, 3])
    assert relative_error(torch.from_numpy(audio), whole_decode(model, codes)) <= 2e-5


def test_a_decoder_is_had_by_its_name() -> None:
    weights = codec_weights(known_codec("nano"))
    assert isinstance(open_decoder(weights, 2, "exact"), ExactDecoder)
    assert isinstance(open_decoder(weights, 2, "overlap"), OverlapAddDecoder)
    with pytest.raises(ValueError, match="'exact' or 'overlap'"):
        open_decoder(weights, 2, "magic")  # type: ignore[arg-type]


def test_time_group_norm_is_refused_with_its_reason() -> None:
    weights = codec_weights(random_codec(**{**MUSICGEN_32KHZ, **SMALL, "norm_type": "time_group_norm"}))
    with pytest.raises(ModelError, match=r"every later frame.*'overlap'"):
        ExactDecoder(weights)


def test_a_codec_of_chunks_is_refused_with_its_reason() -> None:
    weights = codec_weights(random_codec(**{**ENCODEC_48KHZ, **SMALL, "norm_type": "weight_norm"}))
    with pytest.raises(ModelError, match=r"chunk_length_s.*'overlap'"):
        ExactDecoder(weights, 2)


@pytest.mark.parametrize(
    ("config", "reason"),
    [({"pad_mode": "replicate"}, "pads with 'replicate'"), ({"chunk_length_s": 1.0}, "no overlap")],
)
def test_a_codec_that_no_decoder_fits_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        codec_weights(random_codec(**{**NANO, **SMALL, **config}))


def test_another_codec_than_encodec_is_refused() -> None:
    small = DacConfig(encoder_hidden_size=4, decoder_hidden_size=16, n_codebooks=2)
    with pytest.raises(ModelError, match="'dac': only EnCodec"):
        codec_weights(DacModel(small))  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [0, -1, 3])
def test_channels_that_the_codec_cannot_give_are_refused(channels: int) -> None:
    weights = codec_weights(random_codec(**{**NANO, **SMALL, "audio_channels": 2}))
    with pytest.raises(ModelError, match=f"cannot give {channels}"):
        ExactDecoder(weights, channels)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (np.zeros((3, 5), np.int64), r"needs \(4, frames\)"),
        (np.zeros(4, np.int64), r"needs \(4, frames\)"),
        (np.zeros((4, 5)), "integers"),
        (np.full((4, 5), 1024), r"outside 0 \.\. 1023"),
        (np.full((4, 5), -1), r"outside 0 \.\. 1023"),
    ],
)
def test_codes_that_do_not_fit_are_refused_and_change_nothing(codes: NDArray[Any], reason: str) -> None:
    model = known_codec("nano")
    decoder = ExactDecoder(codec_weights(model))
    with pytest.raises(ValueError, match=reason):
        decoder.decode(codes)
    good = random_codes(model, 6)
    expected = whole_decode(model, good)
    assert relative_error(torch.from_numpy(played(decoder, good, [2])), expected) <= 2e-5
