"""The codec in the native library: the reference's samples for any codec and chunks, the same bits however used."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import EncodecModel

from musicgen import MusicGen
from musicgen.backends import native_step
from musicgen.codec import (
    CodecWeights,
    ExactDecoder,
    NativeCodec,
    NativeDecoder,
    codec_weights,
    decode_many,
    open_decoder,
)
from musicgen.codec.native_packing import TOP_WORD, WORDS_TOGETHER, in_words
from musicgen.errors import ModelError
from musicgen.library import library_path
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
from tests.musicgen.tiny import tiny_checkpoint

if library_path() is None:
    pytest.skip("the native backend was not built: no C++ compiler", allow_module_level=True)

KERNELS = native_step.kernels()
KNOWN: dict[str, dict[str, Any]] = {"musicgen": MUSICGEN_32KHZ, "24 kHz": ENCODEC_24KHZ, "nano": NANO}
FULL: dict[str, dict[str, Any]] = {
    "musicgen": {**MUSICGEN_32KHZ, "num_filters": 64, "hidden_size": 128},
    "nano": {**NANO, "num_filters": 16, "hidden_size": 64},
}


@cache
def known_weights(name: str) -> CodecWeights:
    """Of middling size: features that are multiples of 16 and such that are not, an LSTM that 8 bits can hold."""
    return codec_weights(random_codec(forget_bias=1.0, **{**KNOWN[name], "num_filters": 4, "hidden_size": 24}))


@cache
def full_codec(name: str) -> EncodecModel:
    return random_codec(forget_bias=1.0, **FULL[name])


@cache
def full_weights(name: str) -> CodecWeights:
    return codec_weights(full_codec(name))


def some_codes(weights: CodecWeights, frames: int, seed: int = 0, channels: int = 1) -> NDArray[np.int64]:
    shape = (channels * weights.codebooks, frames)
    return np.random.default_rng(seed).integers(0, weights.codebook_size, shape)


def decibels(sound: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return 10 * float(np.log10(np.square(expected).mean() / np.square(sound - expected).mean()))


@settings(max_examples=150, deadline=None)
@given(
    config=configs(),
    schedule=schedules,
    sides=st.integers(1, 2),
    forget_bias=st.sampled_from([0.0, 1.0]),
    kernels=st.sampled_from(KERNELS),
    seed=st.integers(0, 99),
)
def test_any_codec_in_any_chunks_gives_the_samples_of_the_whole_clip(
    config: dict[str, Any], schedule: list[int], sides: int, forget_bias: float, kernels: str, seed: int
) -> None:
    model = random_codec(seed, forget_bias=forget_bias, **config)
    codes = random_codes(model, max(1, sum(schedule)), channels=sides, seed=seed)
    decoder = NativeDecoder(
        NativeCodec(codec_weights(model), compact=False, kernels=kernels), sides * config["audio_channels"]
    )
    audio = played(decoder, codes, schedule)
    whole = torch.cat([whole_decode(model, codes[side::sides]) for side in range(sides)], 1)
    assert audio.dtype == np.float32 and audio.shape == whole.shape
    level = max(0.1, float(whole.square().mean().sqrt()))  # of one sample or a few, which may be next to nothing
    assert float((torch.from_numpy(audio) - whole).abs().max()) <= 2e-5 * level


@settings(max_examples=40, deadline=None)
@given(config=configs(), data=st.data())
def test_every_call_gives_as_many_samples_as_the_reference(config: dict[str, Any], data: st.DataObject) -> None:
    weights = codec_weights(random_codec(**config))
    plan = data.draw(schedules)
    codes = some_codes(weights, sum(plan) + 1)
    reference = ExactDecoder(weights, config["audio_channels"])
    native = NativeDecoder(NativeCodec(weights, compact=data.draw(st.booleans())), config["audio_channels"])
    assert native.look_ahead == reference.look_ahead
    for chunk in chunks(torch.from_numpy(codes), plan):
        assert native.decode(chunk).shape == reference.decode(chunk).shape
    assert native.flush().shape == reference.flush().shape


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", FULL)
def test_codecs_of_full_size_are_exact(name: str, kernels: str) -> None:
    model = full_codec(name)
    codes = random_codes(model, 24)
    audio = played(
        NativeDecoder(NativeCodec(codec_weights(model), compact=False, kernels=kernels)), codes, [1, 2, 5, 10]
    )
    assert relative_error(torch.from_numpy(audio), whole_decode(model, codes)) <= 2e-5


def test_nano_is_exact_on_music_of_its_own() -> None:
    model = MusicGen.load("nano", backend="native", threads=1)
    frames = own_frames(model, 100)
    expected = played(open_decoder(model.codec), torch.from_numpy(frames), [])
    codec = NativeCodec(model.codec, compact=False)
    heard = played(NativeDecoder(codec), torch.from_numpy(frames), [1] * 50 + [5] * 10)
    assert relative_error(torch.from_numpy(heard), torch.from_numpy(expected)) <= 2e-5


def own_frames(model: MusicGen, count: int) -> NDArray[np.int64]:
    stream = model.stream("calm piano with soft drums", seed=0)
    return np.stack([stream.next_frame() for _ in range(count)], 1)


@pytest.mark.parametrize("name", [*FULL, "nano as it ships"])
def test_fewer_bits_keep_the_noise_45_db_below_the_sound(name: str) -> None:
    if name in FULL:
        weights, codes = full_weights(name), some_codes(full_weights(name), 100)
    else:
        model = MusicGen.load("nano", backend="native", threads=1)
        weights, codes = model.codec, own_frames(model, 250)
    compact = NativeCodec(weights, compact=True)
    assert compact.bytes < 0.55 * NativeCodec(weights, compact=False).bytes
    sounds = [
        played(decoder, torch.from_numpy(codes), [5] * 20)
        for decoder in (NativeDecoder(compact), ExactDecoder(weights))
    ]
    assert decibels(*sounds) > 45


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 2)),
    peak=st.floats(1e-6, 1e6),
    seed=st.integers(0, 99),
)
def test_whole_weights_are_near_and_leave_room_for_every_sum(
    shape: tuple[int, int, int], peak: float, seed: int
) -> None:
    kernel, inputs, outputs = shape[0], 16 * shape[1], 16 * shape[2]
    taps = (peak * np.random.default_rng(seed).uniform(-1, 1, (kernel, inputs, outputs))).astype(np.float32)
    taps[:, :, 0] = 0
    words, scales = in_words(taps)
    again = words.transpose(1, 2, 4, 0, 3).reshape(kernel, inputs, outputs)
    assert np.abs(again * scales - taps).max() <= 0.51 * scales.max()
    assert 20 * np.log10(peak / scales.max()) > 65
    for first in range(0, inputs, WORDS_TOGETHER):
        assert np.abs(again[:, first : first + WORDS_TOGETHER].astype(np.int64)).sum(1).max() * TOP_WORD < 2**31


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=10, deadline=None)
@given(schedule=schedules)
def test_chunks_change_no_bit(name: str, kernels: str, compact: bool, schedule: list[int]) -> None:
    codec = NativeCodec(known_weights(name), compact=compact, kernels=kernels)
    codes = torch.from_numpy(some_codes(known_weights(name), sum(schedule) + 1))
    whole = played(NativeDecoder(codec), codes, [])
    np.testing.assert_array_equal(played(NativeDecoder(codec), codes, schedule), whole)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_neighbours_and_threads_change_no_bit(name: str, compact: bool, data: st.DataObject) -> None:
    """More streams than go together at once, at other places, some stereo."""
    weights = known_weights(name)
    codec = NativeCodec(weights, compact=compact, threads=data.draw(st.integers(1, 3)))
    plan = st.lists(st.sampled_from([0, 1, 1, 2, 5, 14]), min_size=6, max_size=6)
    plans = data.draw(st.lists(plan, min_size=2, max_size=12))
    sides = [1 + i % 2 for i in range(len(plans))]
    streams = [some_codes(weights, sum(plan) + 1, i, sides[i]) for i, plan in enumerate(plans)]
    decoders = [NativeDecoder(codec, count) for count in sides]
    parts = [list(chunks(torch.from_numpy(codes), plan)) for codes, plan in zip(streams, plans, strict=True)]
    sounds = [decode_many(decoders, [part[i] for part in parts]) for i in range(7)]
    alone = NativeCodec(weights, compact=compact)
    for i, codes in enumerate(streams):
        audio = np.concatenate([*(sound[i] for sound in sounds), decoders[i].flush()])
        np.testing.assert_array_equal(audio, played(NativeDecoder(alone, sides[i]), torch.from_numpy(codes), []))


def test_threads_change_no_bit_at_full_size() -> None:
    weights = full_weights("musicgen")
    codes = torch.from_numpy(some_codes(weights, 9, channels=2))
    one, three = (played(NativeDecoder(NativeCodec(weights, threads=n), 2), codes, [1, 5]) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("name", KNOWN)
def test_a_copied_state_goes_on_as_the_original(name: str) -> None:
    """Saved in the middle, put back after other music."""
    decoder = NativeDecoder(NativeCodec(known_weights(name)), 2)
    codes = some_codes(known_weights(name), 30, channels=2)
    decoder.decode(codes[:, :11])
    saved = decoder.state.copy()
    first = [decoder.decode(codes[:, 11:]), decoder.flush()]
    decoder.decode(codes[:, ::-1])
    decoder.state[:] = saved
    for sound, expected in zip([decoder.decode(codes[:, 11:]), decoder.flush()], first, strict=True):
        np.testing.assert_array_equal(sound, expected)


@pytest.mark.parametrize("name", KNOWN)
def test_a_stream_starts_anew_after_its_flush_and_after_a_reset(name: str) -> None:
    decoder = NativeDecoder(NativeCodec(known_weights(name)))
    codes = torch.from_numpy(some_codes(known_weights(name), 12))
    first = played(decoder, codes, [5])
    np.testing.assert_array_equal(played(decoder, codes, [5]), first)
    decoder.decode(codes)
    decoder.reset()
    np.testing.assert_array_equal(played(decoder, codes, [5]), first)


def test_a_stream_without_frames_is_silent() -> None:
    decoder = NativeDecoder(NativeCodec(known_weights("musicgen")))
    assert decoder.decode(np.zeros((4, 0), np.int64)).shape == (0, 1)
    assert decoder.flush().shape == (0, 1)


def test_the_state_is_one_block_that_does_not_grow() -> None:
    decoder = NativeDecoder(NativeCodec(full_weights("musicgen")), 2)
    state = decoder.state
    for frames in (20, 1, 2, 50):
        decoder.decode(np.zeros((8, frames), np.int64))
    assert decoder.state is state and state.shape[0] == 2
    assert state.nbytes < 200_000


def test_kernels_agree_with_each_other() -> None:
    weights = full_weights("nano")
    codes = torch.from_numpy(some_codes(weights, 50))
    for compact, error in ((False, 1e-5), (True, 1e-2)):  # a last bit, where 8 round it, is a step
        sounds = [
            torch.from_numpy(
                played(NativeDecoder(NativeCodec(weights, compact=compact, kernels=name)), codes, [2] * 20)
            )
            for name in KERNELS
        ]
        for one, other in itertools.pairwise(sounds):
            assert relative_error(one, other) <= error


def test_what_it_cannot_decode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = codec_weights(random_codec(**NANO, **SMALL))
    with pytest.raises(ModelError, match="time group norm or chunks of its own"):
        NativeCodec(codec_weights(random_codec(**{**ENCODEC_48KHZ, **SMALL})))
    with pytest.raises(ModelError, match="packs float32 weights"):
        NativeCodec(codec_weights(random_codec(dtype=torch.float64, **NANO, **SMALL)))
    with pytest.raises(ModelError, match="cannot run the kernels 'sse9'"):
        NativeCodec(weights, kernels="sse9")
    with pytest.raises(ModelError, match="cannot give 0"):
        NativeDecoder(NativeCodec(weights), 0)
    native_step.library.cache_clear()
    monkeypatch.setattr("musicgen.library.library_path", lambda: None)
    with pytest.raises(ModelError, match=r"not built: install a C\+\+ compiler"):
        NativeCodec(weights)
    monkeypatch.undo()
    native_step.library.cache_clear()


def test_bad_codes_are_refused_and_change_nothing() -> None:
    codec = NativeCodec(known_weights("nano"))
    codes = [torch.from_numpy(some_codes(known_weights("nano"), 6, seed)) for seed in range(2)]
    decoders = [NativeDecoder(codec) for _ in codes]
    for bad in (codes[1] + 1024, codes[1][:3], codes[1].double()):
        with pytest.raises(ValueError, match="codec"):
            decode_many(decoders, [codes[0], bad])
    for decoder, own in zip(decoders, codes, strict=True):
        np.testing.assert_array_equal(played(decoder, own, [2]), played(NativeDecoder(codec), own, []))


def test_the_native_backend_decodes_natively_and_torch_stays_the_reference(tmp_path: Path) -> None:
    folder = str(tiny_checkpoint(tmp_path, heads=1, hidden=64))
    fast = MusicGen.load(folder, backend="native", threads=1)
    assert isinstance(fast.new_decoder(), NativeDecoder)
    assert isinstance(MusicGen.load(folder, backend="torch").new_decoder(), ExactDecoder)
    assert not isinstance(fast.new_decoder("overlap"), NativeDecoder)


def test_threads_give_the_same_music(tmp_path: Path) -> None:
    folder = str(tiny_checkpoint(tmp_path, heads=1, hidden=64))
    sounds = [
        np.concatenate(list(MusicGen.load(folder, backend="native", threads=n).stream("rain", seed=3).audio(0.5)))
        for n in (1, 3)
    ]
    np.testing.assert_array_equal(sounds[0], sounds[1])
