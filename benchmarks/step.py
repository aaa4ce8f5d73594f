"""One step of the decoder: ours against transformers' ``generate``, and how flat it stays.

Random weights of nano's shape, guidance on, one thread. The two are timed in turns on the same machine and compared as
ratios; the times are processor time, which other programs disturb less than the clock.

    python -m benchmarks.step [--hidden 256] [--layers 8] [--frames 200] [--rounds 5] [--endless 4000]
"""

import argparse
import json
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch

from benchmarks.processor import seconds_of
from musicgen import MusicGen, Stream, StreamingPolicy
from tests.musicgen.tiny import tiny_checkpoint

PROMPT = "deep house with warm bass and piano"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--frames", type=int, default=200, help="frames of each timed run")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each")
    parser.add_argument("--endless", type=int, default=4000, help="steps of the run that shows the step time is flat")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        shape = {"hidden": options.hidden, "heads": options.hidden // 64, "layers": options.layers, "vocab": 1024}
        path = tiny_checkpoint(Path(folder), text_hidden=384, **cast(Any, shape))
        report = {
            **shape,
            **against_transformers(path, options.frames, options.rounds),
            **by_position(MusicGen.load(str(path), backend="torch"), options.rounds),
            **endless(MusicGen.load(str(path), backend="torch"), options.endless),
        }
    print(json.dumps(report, indent=2))


def against_transformers(path: Path, frames: int, rounds: int) -> dict[str, float]:
    """The first ``frames`` frames of a piece, in turns; medians over the rounds."""
    from transformers import AutoTokenizer, MusicgenForConditionalGeneration

    theirs = cast(Any, MusicgenForConditionalGeneration).from_pretrained(path).eval()
    tokens = AutoTokenizer.from_pretrained(path)([PROMPT], return_tensors="pt")
    steps = frames + 3  # the largest delay
    stream = MusicGen.load(str(path), backend="torch").stream(PROMPT, top_k=50)

    def run_theirs() -> None:
        theirs.audio_encoder.decode = lambda codes, **_: argparse.Namespace(audio_values=codes)  # only steps count
        theirs.generate(**tokens, do_sample=True, guidance_scale=3.0, top_k=50, max_new_tokens=steps)

    def run_ours() -> None:
        stream.reset(0)
        for _ in range(frames):
            stream.next_frame()

    times: dict[str, list[float]] = {"ours": [], "transformers": []}
    for _ in range(rounds):
        times["ours"].append(seconds_of(run_ours) / steps)
        times["transformers"].append(seconds_of(run_theirs) / steps)
    ours, others = (statistics.median(times[name]) for name in ("ours", "transformers"))
    return {
        "ours_ms": round(1000 * ours, 2),
        "transformers_ms": round(1000 * others, 2),
        "transformers_over_ours": round(others / ours, 2),
    }


def by_position(model: MusicGen, rounds: int) -> dict[str, float]:
    """Milliseconds a step where the past is short, long, and long with the shadow at work."""
    stream = model.stream(PROMPT)
    places = {"100": (100,), "550": (550,), "700_with_shadow": (700, 100), "1150_with_shadow": (1150, 550)}
    steps = 20
    best = {}
    for name, positions in places.items():
        runs = [seconds_of(partial(play_from, stream, positions, steps)) for _ in range(rounds)]
        best[f"ms_at_{name}"] = round(1000 * min(runs) / steps, 2)
    return best


def play_from(stream: Stream, positions: tuple[int, ...], steps: int) -> None:
    """Steps as if the lanes stood at these positions; what their past holds does not matter to the time."""
    state = stream.past.state
    state.lanes, state.positions = list(range(len(positions))), [*positions, 0][:2]
    for _ in range(steps):
        stream.next_frame()


def endless(model: MusicGen, steps: int) -> dict[str, float]:
    """Step time of the last quarter of a long run over that of the second quarter: 1.0 is flat."""
    policy = StreamingPolicy(keep=100, max_position=200)  # the shadow is always at work, 10 swaps in 1000 steps
    stream = model.stream(PROMPT, policy=policy)
    quarters = []
    for _ in range(4):
        quarters.append(seconds_of(lambda: [stream.next_frame() for _ in range(steps // 4)]))
    return {"endless_steps": steps, "last_quarter_over_second": round(quarters[3] / quarters[1], 3)}


if __name__ == "__main__":
    main()
