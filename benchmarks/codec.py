"""How long decoding a chunk takes, and how far overlap-add is from the whole clip. Prints JSON.

    python -m benchmarks.codec [--frames 100] [--model FOLDER]

Times are processor time on one core, every round measuring all ways in turn, so that the ratios hold on a busy machine
too, where the milliseconds do not. Without ``--model`` the codecs have random weights in the shapes of nano's and of
the 32 kHz MusicGen models'.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicgen import MusicGen
from musicgen.codec import CodecWeights, Decoder, ExactDecoder, OverlapAddDecoder, codec_weights
from tests.musicgen.random_codec import MUSICGEN_32KHZ, NANO, random_codec, random_codes, whole_decode

if TYPE_CHECKING:
    from transformers import EncodecModel

SHAPES: dict[str, dict[str, Any]] = {
    "nano, random weights": {**NANO, "num_filters": 16, "hidden_size": 64},
    "encodec_32khz, random weights": {**MUSICGEN_32KHZ, "num_filters": 64, "hidden_size": 128},
}
CHUNKS = (1, 2, 5, 10, 25)
OVERLAPS = ((5, 1), (10, 1), (10, 2), (10, 5), (25, 2), (25, 5), (25, 10))
ROUNDS = 3


def in_chunks(decoder: Decoder, codes: torch.Tensor, frames: int) -> NDArray[np.float32]:
    """A whole stream: (samples, 1)."""
    parts = [decoder.decode(codes[:, i : i + frames]) for i in range(0, codes.shape[1], frames)]
    return np.concatenate([*parts, decoder.flush()])


def seconds_of(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def costs(model: EncodecModel, weights: CodecWeights, codes: torch.Tensor) -> dict[str, Any]:
    """Milliseconds per second of audio, and the ratio to transformers' whole decode of the same round."""
    exact = ExactDecoder(weights)
    ways: dict[str, Callable[[], object]] = {"whole clip, transformers": partial(whole_decode, model, codes)}
    ways["whole clip, exact"] = partial(in_chunks, exact, codes, codes.shape[1])
    for frames in CHUNKS:
        ways[f"exact, chunks of {frames}"] = partial(in_chunks, exact, codes, frames)
    for frames, overlap in ((10, 2), (25, 5)):
        stateless = OverlapAddDecoder(weights, 1, frames, overlap)
        ways[f"overlap-add, {frames} frames sharing {overlap}"] = partial(in_chunks, stateless, codes, frames)
    rounds = [{name: seconds_of(run) for name, run in ways.items()} for _ in range(ROUNDS + 1)][1:]
    audio = codes.shape[1] * weights.hop / weights.sample_rate
    whole = next(iter(ways))
    return {
        name: {
            "ms_per_audio_second": round(statistics.median(times[name] for times in rounds) / audio * 1e3, 2),
            "ratio": round(statistics.median(times[name] / times[whole] for times in rounds), 2),
        }
        for name in ways
    }


def errors(model: EncodecModel, weights: CodecWeights, codes: torch.Tensor) -> dict[str, Any]:
    """The exact decoder's largest error relative to the RMS, and overlap-add's signal-to-noise ratio in dB."""
    whole = whole_decode(model, codes).numpy()
    power = float(np.square(whole).mean())
    difference = np.abs(in_chunks(ExactDecoder(weights), codes, 2) - whole).max()
    ratios = {
        f"{frames} frames sharing {overlap}": round(
            10 * float(np.log10(power / np.square(in_chunks(stateless, codes, frames) - whole).mean())), 1
        )
        for frames, overlap in OVERLAPS
        for stateless in [OverlapAddDecoder(weights, 1, frames, overlap)]
    }
    return {"exact_error_of_rms": float(difference / power**0.5), "overlap_add_snr_db": ratios}


def measure(model: EncodecModel, codes: torch.Tensor) -> dict[str, Any]:
    weights = codec_weights(model)
    return {
        "look_ahead_samples": ExactDecoder(weights).look_ahead,
        **errors(model, weights, codes),
        "cost": costs(model, weights, codes),
    }


def measure_model(folder: Path, frames: int) -> dict[str, Any]:
    """The codec of a mono model, on tokens that the model makes."""
    from transformers import MusicgenForConditionalGeneration

    stream = MusicGen.load(str(folder)).stream("calm piano with soft drums", seed=0)
    codes = torch.from_numpy(np.stack([stream.next_frame() for _ in range(frames)], 1))
    model: Any = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return measure(model.audio_encoder.eval(), codes)


def measure_random(frames: int) -> dict[str, Any]:
    """Random weights and tokens. The forget bias gives the LSTM the long memory that training gives it."""
    models = {name: random_codec(forget_bias=1.0, **shape) for name, shape in SHAPES.items()}
    return {name: measure(model, random_codes(model, frames)) for name, model in models.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100, help="length of the clip")
    parser.add_argument("--model", type=Path, help="a folder with a mono MusicGen in transformers' layout")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.model:
        codecs = {options.model.name: measure_model(options.model, options.frames)}
    else:
        codecs = measure_random(options.frames)
    print(json.dumps({"torch": torch.__version__, "codecs": codecs}, indent=2))


if __name__ == "__main__":
    main()
