"""How long decoding small chunks takes beside transformers' decode of the whole clip, and how exact it is.

    python -m benchmarks.codec [--codec NAME | --model FOLDER] [--frames 50] [--threads 1] [--overlap] [--json]
                               [--only cost frames errors]

Every round measures all ways in turn, and the least time of each counts, so that the ratios hold on a busy machine too,
where the milliseconds do not. One thread is measured in processor time, several in wall time. Without ``--model`` the
codecs have random weights in the shapes of nano's and of the 32 kHz MusicGen models'. ``--json`` prints a line a codec.
``frames`` times every call of the native decoder and of torch's, in turns: the least, the median and the worst.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicgen import MusicGen
from musicgen.backends import native_step, obstacle
from musicgen.codec import (
    Decoder,
    ExactDecoder,
    NativeCodec,
    NativeDecoder,
    OverlapAddDecoder,
    codec_weights,
    decode_many,
    multiplies_natively,
)
from tests.musicgen.random_codec import MUSICGEN_32KHZ, NANO, random_codec, random_codes, whole_decode

if TYPE_CHECKING:
    from transformers import EncodecModel

SHAPES: dict[str, dict[str, Any]] = {
    "nano": {**NANO, "num_filters": 16, "hidden_size": 64},
    "encodec_32khz": {**MUSICGEN_32KHZ, "num_filters": 64, "hidden_size": 128},
}
CHUNKS = (1, 2, 5, 10, 25)
OVERLAPS = ((5, 1), (10, 1), (10, 2), (10, 5), (25, 2), (25, 5), (25, 10))
ROUNDS = 4
STREAMS = 12
LIVE = (1, 5)  # frames of a chunk in live music
TURNS = 6


def in_chunks(decoder: Decoder, codes: torch.Tensor, frames: int) -> NDArray[np.float32]:
    """A whole stream: (samples, 1)."""
    parts = [decoder.decode(codes[:, i : i + frames]) for i in range(0, codes.shape[1], frames)]
    return np.concatenate([*parts, decoder.flush()])


def natives(model: EncodecModel, threads: int) -> dict[str, NativeDecoder]:
    """The native decoder on this machine's best kernels and on AVX2's, in float32 and in fewer bits."""
    if obstacle("native"):
        return {}
    weights, available = codec_weights(model), native_step.kernels()
    return {
        f"native {kernels}, {'16 and 8 bits' if compact else 'float32'}": NativeDecoder(
            NativeCodec(weights, compact=compact, threads=threads, kernels=kernels)
        )
        for kernels in dict.fromkeys((available[0], *(name for name in available if name == "avx2")))
        for compact in (False, True)
    }


def together(decoders: Sequence[Decoder], codes: torch.Tensor, frames: int) -> None:
    """The same frames through several streams in one batch."""
    for start in range(0, codes.shape[1], frames):
        decode_many(decoders, [codes[:, start : start + frames]] * len(decoders))


def precisions() -> dict[str, torch.dtype]:
    """float32, and the half precisions that this processor multiplies itself."""
    halves = {"float16": torch.float16, "bfloat16": torch.bfloat16}
    return {"float32": torch.float32, **{name: dtype for name, dtype in halves.items() if multiplies_natively(dtype)}}


def seconds_of(run: Callable[[], object]) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    run()
    return clock() - start


def costs(model: EncodecModel, codes: torch.Tensor) -> dict[str, Any]:
    """Milliseconds per second of sound, and the ratio to transformers' decode of the whole clip."""
    ways: dict[str, Callable[[], object]] = {"whole clip, transformers": partial(whole_decode, model, codes)}
    for name, dtype in precisions().items():
        decoder = ExactDecoder(codec_weights(model, dtype=dtype))
        for frames in (*CHUNKS, codes.shape[1]):
            ways[f"{name}, chunks of {frames}"] = partial(in_chunks, decoder, codes, frames)
    weights = codec_weights(model)
    crowd: dict[str, list[Decoder]] = {"float32": [ExactDecoder(weights) for _ in range(STREAMS)]}
    for name, native in natives(model, torch.get_num_threads()).items():
        for frames in (*CHUNKS, codes.shape[1]):
            ways[f"{name}, chunks of {frames}"] = partial(in_chunks, native, codes, frames)
        crowd[name] = [NativeDecoder(native.codec) for _ in range(STREAMS)]
    crowds = {
        f"{name}, {STREAMS} streams in chunks of {frames}": partial(together, streams, codes, frames)
        for name, streams in crowd.items()
        for frames in LIVE
    }
    ways |= crowds
    rounds = [{name: seconds_of(run) for name, run in ways.items()} for _ in range(ROUNDS)]
    audio = codes.shape[1] * weights.hop / weights.sample_rate
    least = {name: min(times[name] for times in rounds) / (STREAMS if name in crowds else 1) for name in ways}
    whole = next(iter(least.values()))
    return {
        name: {"ms_per_second": round(seconds / audio * 1e3, 1), "ratio": round(seconds / whole, 2)}
        for name, seconds in least.items()
    }


def frame_costs(model: EncodecModel, codes: torch.Tensor, threads: int) -> dict[str, Any]:
    """Milliseconds a frame of every call, in turns, and the ratio of the medians to torch's."""
    torch_decoder: dict[str, Decoder] = {"torch, float32": ExactDecoder(codec_weights(model))}
    result: dict[str, Any] = {}
    for frames in LIVE:
        ways = torch_decoder | natives(model, threads)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TURNS):
            for name, decoder in ways.items():
                for start in range(0, codes.shape[1] - frames + 1, frames):
                    chunk = codes[:, start : start + frames]
                    times[name].append(1000 * seconds_of(partial(decoder.decode, chunk)) / frames)
        begun = {name: sorted(own[len(own) // TURNS :]) for name, own in times.items()}  # without the first turn
        base = statistics.median(begun["torch, float32"])
        for name, own in begun.items():
            median = statistics.median(own)
            result[f"{name}, chunks of {frames}"] = {
                "least_ms": round(own[0], 3),
                "median_ms": round(median, 3),
                "worst_ms": round(own[-1], 3),
                "ratio": round(median / base, 2),
            }
    return result


def noise(sound: NDArray[np.float32], whole: NDArray[np.float32]) -> float:
    """Signal-to-noise ratio in dB."""
    return round(10 * float(np.log10(np.square(whole).mean() / np.square(sound - whole).mean())), 1)


def errors(model: EncodecModel, codes: torch.Tensor, overlap_add: bool) -> dict[str, Any]:
    """Signal-to-noise ratios in dB against the whole clip, and exact decoding's largest error relative to the RMS."""
    whole = whole_decode(model, codes).numpy()
    sounds = {
        name: in_chunks(ExactDecoder(codec_weights(model, dtype=dtype)), codes, 2)
        for name, dtype in precisions().items()
    }
    for frames, shared in OVERLAPS if overlap_add else ():
        stateless = OverlapAddDecoder(codec_weights(model), 1, frames, shared)
        sounds[f"overlap-add, {frames} frames sharing {shared}"] = in_chunks(stateless, codes, frames)
    sounds |= {name: in_chunks(decoder, codes, 2) for name, decoder in natives(model, 1).items()}
    worst = np.abs(sounds["float32"] - whole).max() / np.square(whole).mean() ** 0.5
    return {"largest_error": float(f"{worst:.1e}"), "snr_db": {name: noise(own, whole) for name, own in sounds.items()}}


def model_and_codes(folder: Path, frames: int) -> tuple[EncodecModel, torch.Tensor]:
    """The codec of a mono model, and tokens that the model makes."""
    from transformers import MusicgenForConditionalGeneration

    stream = MusicGen.load(str(folder)).stream("calm piano with soft drums", seed=0)
    codes = torch.from_numpy(np.stack([stream.next_frame() for _ in range(frames)], 1))
    model: Any = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model.audio_encoder.eval(), codes


def random_model_and_codes(shape: dict[str, Any], frames: int) -> tuple[EncodecModel, torch.Tensor]:
    """Random weights and tokens. The forget bias gives the LSTM the long memory that training gives it."""
    model = random_codec(forget_bias=1.0, **shape)
    return model, random_codes(model, frames)


def show(result: dict[str, Any]) -> None:
    error = f", largest error {result['largest_error']} of the RMS" if "largest_error" in result else ""
    print(f"{result['codec']}, {result['threads']} thread(s){error}")
    for name, times in result.get("frames", {}).items():
        print(
            "  {:52} {least_ms:8.3f} {median_ms:8.3f} {worst_ms:8.3f} ms a frame   x {ratio:.2f}".format(name, **times)
        )
    for name, cost in result.get("cost", {}).items():
        print(f"  {name:58} {cost['ms_per_second']:8.1f} ms per second of sound   x {cost['ratio']:.2f}")
    for name, decibels in result.get("snr_db", {}).items():
        print(f"  {name:58} {decibels:8.1f} dB signal to noise")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--codec", choices=SHAPES, help="only this shape, with random weights")
    which.add_argument("--model", type=Path, help="a folder with a mono MusicGen in transformers' layout")
    parser.add_argument("--frames", type=int, default=50, help="length of the clip, 50 a second")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--overlap", action="store_true", help="also how far overlap-add is from the whole clip")
    parser.add_argument("--only", nargs="+", choices=("cost", "frames", "errors"), default=("cost", "frames", "errors"))
    parser.add_argument("--json", action="store_true", help="a line of JSON for each codec")
    options = parser.parse_args()
    names = [options.model.name] if options.model else [options.codec] if options.codec else list(SHAPES)
    for name in names:
        torch.set_num_threads(options.threads)
        make = (
            partial(model_and_codes, options.model) if options.model else partial(random_model_and_codes, SHAPES[name])
        )
        model, codes = make(options.frames)
        torch.set_num_threads(options.threads)  # loading a model chooses its own
        result: dict[str, Any] = {
            "codec": name if options.model else f"{name}, random weights",
            "threads": options.threads,
            "torch": torch.__version__,
        }
        if "errors" in options.only:
            result |= errors(model, codes, options.overlap)
        if "frames" in options.only:
            result["frames"] = frame_costs(model, codes, options.threads)
        if "cost" in options.only:
            result["cost"] = costs(model, codes)
        print(json.dumps(result), flush=True) if options.json else show(result)


if __name__ == "__main__":
    main()
