"""Overlap-add: chunks decoded apart and crossfaded, by the codec's own rule or as a choice."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import EncodecModel

from musicgen.codec import OverlapAddDecoder, codec_weights
from tests.musicgen.codec_schedules import played, schedules
from tests.musicgen.random_codec import (
    ENCODEC_48KHZ,
    MUSICGEN_32KHZ,
    SMALL,
    random_codec,
    random_codes,
    relative_error,
    whole_decode,
)


@cache
def codec_of_chunks() -> EncodecModel:
    """The 48 kHz EnCodec's rule with shorter chunks: 24 frames in 7500 samples, starting every 6750 samples."""
    return random_codec(**{**ENCODEC_48KHZ, **SMALL, "chunk_length_s": 0.15625, "overlap": 0.1})


@cache
def codec_without_chunks() -> EncodecModel:
    return random_codec(forget_bias=1.0, **{**MUSICGEN_32KHZ, **SMALL})


@torch.no_grad()
def own_decode(model: EncodecModel, codes: Tensor, chunk: int) -> Tensor:
    """transformers' decode of a codec defined on chunks: (samples, channels)."""
    missing = -codes.shape[1] % chunk
    apart = torch.stack(torch.split(torch.nn.functional.pad(codes, (0, missing)), chunk, 1))[:, None]
    decode: Any = model.decode
    audio: Tensor = decode(apart, [None] * len(apart), last_frame_pad_length=missing).audio_values[0].mT
    return audio


@settings(max_examples=20, deadline=None)
@given(schedule=schedules, more=st.integers(1, 60))
def test_a_codec_of_chunks_is_decoded_as_transformers_does(schedule: list[int], more: int) -> None:
    model = codec_of_chunks()
    codes = random_codes(model, sum(schedule) + more)
    assume(codes.shape[1] % 24 not in (1, 2))  # a last chunk within the overlap, at which transformers fails
    audio = played(OverlapAddDecoder(codec_weights(model), channels=2), codes, schedule)
    assert relative_error(torch.from_numpy(audio), own_decode(model, codes, 24)) <= 2e-5


@settings(max_examples=30, deadline=None)
@given(schedule=schedules, chunk=st.integers(1, 9), data=st.data())
def test_other_codecs_are_crossfaded_linearly_and_keep_their_length(
    schedule: list[int], chunk: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, chunk // 2))
    model = codec_without_chunks()
    codes = random_codes(model, sum(schedule) + 1)
    audio = torch.from_numpy(played(OverlapAddDecoder(codec_weights(model), 1, chunk, overlap), codes, schedule))
    assert len(audio) == codes.shape[1] * 640
    assert relative_error(audio, crossfaded(model, codes, chunk, overlap)) <= 2e-5


def crossfaded(model: EncodecModel, codes: Tensor, chunk: int, overlap: int) -> Tensor:
    """Chunks joined one after the other, each faded in over what it shares with the sound so far."""
    audio = whole_decode(model, codes[:, :chunk])
    for start in range(chunk - overlap, codes.shape[1] - overlap, chunk - overlap):
        part = whole_decode(model, codes[:, start : start + chunk])
        shared = overlap * 640
        fade = (torch.arange(1, shared + 1) / (shared + 1))[:, None]
        seam = audio[len(audio) - shared :] * (1 - fade) + part[:shared] * fade
        audio = torch.cat((audio[: len(audio) - shared], seam, part[shared:]))
    return audio


def test_more_overlap_comes_closer_to_the_whole_clip() -> None:
    model = codec_without_chunks()
    codes = random_codes(model, 100)
    expected = whole_decode(model, codes).numpy()
    weights = codec_weights(model)
    errors = [
        np.square(played(OverlapAddDecoder(weights, 1, chunk, overlap), codes, [7] * 14) - expected).mean()
        for chunk, overlap in ((5, 0), (10, 2), (25, 10))
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_stereo_chunks_are_two_mono_decodes() -> None:
    model = codec_without_chunks()
    codes = random_codes(model, 20, channels=2)
    weights = codec_weights(model)
    audio = played(OverlapAddDecoder(weights, 2, 8, 2), codes, [5, 5])
    for side in range(2):
        mono = played(OverlapAddDecoder(weights, 1, 8, 2), codes[side::2], [5, 5])[:, 0]
        np.testing.assert_allclose(audio[:, side], mono, atol=1e-4)


def test_a_stream_starts_anew_after_its_flush_and_after_a_reset() -> None:
    codes = random_codes(codec_without_chunks(), 23)
    decoder = OverlapAddDecoder(codec_weights(codec_without_chunks()), 1, 8, 2)
    first = played(decoder, codes, [9])
    np.testing.assert_array_equal(played(decoder, codes, [9]), first)
    decoder.decode(codes)
    decoder.reset()
    np.testing.assert_array_equal(played(decoder, codes, [9]), first)
    assert decoder.flush().shape == (0, 1)


def test_the_look_ahead_is_the_most_that_is_held_back() -> None:
    decoder = OverlapAddDecoder(codec_weights(codec_without_chunks()), 1, 8, 2)
    codes = random_codes(codec_without_chunks(), 80)
    had, held = 0, 0
    for i in range(80):
        had += len(decoder.decode(codes[:, i : i + 1]))
        held = max(held, 640 * (i + 1) - had)
    assert held == decoder.look_ahead


@pytest.mark.parametrize(("chunk", "overlap"), [(0, 0), (5, 5), (5, -1)])
def test_an_overlap_that_does_not_fit_its_chunk_is_refused(chunk: int, overlap: int) -> None:
    with pytest.raises(ValueError, match=r"choose"):
        OverlapAddDecoder(codec_weights(codec_without_chunks()), 1, chunk, overlap)


def test_a_codec_of_chunks_keeps_its_own() -> None:
    with pytest.raises(ValueError, match="chunks of its own"):
        OverlapAddDecoder(codec_weights(codec_of_chunks()), 2, 10, 2)
