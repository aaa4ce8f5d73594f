"""How long decoding small chunks takes beside transformers' decode of the whole clip, and how exact it is.

    python -m benchmarks.codec [--codec NAME | --model FOLDER] [--frames 50] [--threads 1] [--overlap] [--json]

Every round measures all ways in turn, and the least time of each counts, so that the ratios hold on a busy machine too,
where the milliseconds do not. One thread is measured in processor time, several in wall time. Without ``--model`` the
codecs have random weights in the shapes of nano's and of the 32 kHz MusicGen models'. ``--json`` prints a line a codec.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicgen import MusicGen
from musicgen.codec import (
    Decoder,
    ExactDecoder,
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


def in_chunks(decoder: Decoder, codes: torch.Tensor, frames: int) -> NDArray[np.float32]:
    """A whole stream: (samples, 1)."""
    parts = [decoder.decode(codes[:, i : i + frames]) for i in range(0, codes.shape[1], frames)]
    return np.concatenate([*parts, decoder.flush()])


def together(decoders: list[ExactDecoder], codes: torch.Tensor, frames: int) -> None:
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
    streams = [ExactDecoder(weights) for _ in range(STREAMS)]
    crowds = {f"float32, {STREAMS} streams in chunks of {frames}": frames for frames in (1, 5)}
    ways |= {name: partial(together, streams, codes, frames) for name, frames in crowds.items()}
    rounds = [{name: seconds_of(run) for name, run in ways.items()} for _ in range(ROUNDS)]
    audio = codes.shape[1] * weights.hop / weights.sample_rate
    least = {name: min(times[name] for times in rounds) / (STREAMS if name in crowds else 1) for name in ways}
    whole = next(iter(least.values()))
    return {
        name: {"ms_per_second": round(seconds / audio * 1e3, 1), "ratio": round(seconds / whole, 2)}
        for name, seconds in least.items()
    }


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
    print(f"{result['codec']}, {result['threads']} thread(s), largest error {result['largest_error']} of the RMS")
    for name, cost in result["cost"].items():
        print(f"  {name:38} {cost['ms_per_second']:8.1f} ms per second of sound   x {cost['ratio']:.2f}")
    for name, decibels in result["snr_db"].items():
        print(f"  {name:38} {decibels:8.1f} dB signal to noise")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--codec", choices=SHAPES, help="only this shape, with random weights")
    which.add_argument("--model", type=Path, help="a folder with a mono MusicGen in transformers' layout")
    parser.add_argument("--frames", type=int, default=50, help="length of the clip, 50 a second")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--overlap", action="store_true", help="also how far overlap-add is from the whole clip")
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
        result = {
            "codec": name if options.model else f"{name}, random weights",
            "threads": options.threads,
            "torch": torch.__version__,
            **errors(model, codes, options.overlap),
            "cost": costs(model, codes),
        }
        print(json.dumps(result), flush=True) if options.json else show(result)


if __name__ == "__main__":
    main()
