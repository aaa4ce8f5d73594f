"""What a CPU is promised: a line of JSON for each goal, as soon as it is measured.

    python -m benchmarks.cpu [--threads 2] [--kernels avx2] [--only peers end_to_end parts ...]

musicgen-small's shape with random weights, guidance on, a past of 600 frames; nano is itself. Ratios are of the least
times of one run in turns. "value" is to be compared with "at_least" or "at_most"; the goals hold for two threads on
two cores of a quiet machine. Beside a busy neighbour nothing is promised: there the slow-down is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from musicgen import Ensemble, MusicGen, Stream, StreamingPolicy
from musicgen.backends import native_step, obstacle
from musicgen.backends.native_step import NativeBackend
from musicgen.codec import NativeCodec, NativeDecoder
from musicgen.load.checkpoint import Checkpoint, load_checkpoint
from streamer.bench.figures import BACKENDS, begin
from streamer.bench.models import card, opened, random_checkpoint, random_codec, transformers_model
from streamer.bench.peers import PEERS, TRANSFORMERS, beside_transformers, standing

SMALL = "small"
PLACE = 600
CHUNK = 5  # frames
ROUNDS = 4
WIDTHS = ("native", "native-int6", "native-int4")
CODEC_MS = {("nano", 1): 0.35, ("32 kHz", 1): 7.0, ("32 kHz", 5): 3.5}  # by frames of a chunk
LEAST_AT = {"native-int6": {0: 0.0, 18: 0.8, 28: 1.2}, "native-int4": {0: 0.0, 18: 0.9}}
"""Real-time factors asked of small end to end with the shadow at work, by GB/s of memory; in between in proportion."""
RATIOS = {("native", "float32"): 12, ("native", "bfloat16"): 6, ("onnx", "float32"): 7, ("onnx", "bfloat16"): 3.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--threads", type=int, default=2, help="of a step, where two are not part of the goal")
    parser.add_argument("--kernels", help="of the native library, as `avx2`; default: the best that this machine has")
    options = parser.parse_args()
    if options.kernels:
        native_step.kernels = lambda: [options.kernels]  # of all that is opened, the codec too
    for name in options.only:
        try:
            GOALS[name](options.threads)
        except Exception as error:  # the other goals are measured all the same
            print(json.dumps({"goal": name, "failed": f"{type(error).__name__}: {error}"}), flush=True)


def show(goal: str, value: float, **rest: object) -> None:
    print(json.dumps({"goal": goal, "value": round(value, 2), **rest}), flush=True)


@cache
def small() -> Checkpoint:
    """musicgen-small's shape, with positions to spare."""
    shape = card(SMALL)
    assert shape is not None
    return random_checkpoint(replace(shape, positions=1600))


# ------------------------------------------------------------------------------------------------------------- goals


def peers(threads: int) -> None:
    """A step against one of transformers' ``generate``, in turns."""
    with ExitStack() as stack:
        names = [name for name in ("native", "onnx") if not obstacle(name)]
        models = {name: stack.enter_context(opened(small(), name, threads)) for name in names}
        for dtype in PEERS:
            peer = transformers_model(SMALL, dtype)
            runs = {name: standing(model, PLACE).next_frame for name, model in models.items()}
            best = {name: 1000 * seconds for name, seconds in beside_transformers(peer, PLACE, runs)[0].items()}
            del peer
            theirs, label = best[TRANSFORMERS], str(dtype).removeprefix("torch.")
            for name in names:
                show(
                    f"step, {name} against transformers {label}",
                    theirs / best[name],
                    at_least=RATIOS[name, label],
                    step_ms=round(best[name], 1),
                    transformers_ms=round(theirs, 1),
                    threads=threads,
                )


def end_to_end(threads: int) -> None:
    """Tokens and codec: with 8 bits as a render makes them, and with the shadow at work, as live, in all widths."""
    with opened(small(), "native", threads) as model:
        stood = rtf([standing(model, PLACE)])
    with ExitStack() as stack:
        models = {name: stack.enter_context(opened(small(), name, threads)) for name in WIDTHS}
        playing = {name: [begin(model, policy=StreamingPolicy())] for name, model in models.items()}
        backend = models["native"].backend
        assert isinstance(backend, NativeBackend)
        factors: dict[str, list[float]] = {name: [] for name in models}
        rates = []
        for _ in range(ROUNDS):
            rates.append(backend.read_rate())
            for name, streams in playing.items():
                factors[name].append(rtf(streams))
    best = {name: max(several) for name, several in factors.items()}
    facts: dict[str, object] = {"memory_gb_per_second": [round(rate / 1e9, 1) for rate in (min(rates), max(rates))]}
    facts |= {"threads": threads, "kernels": backend.kernels}
    goal = "small end to end, chunks of 5 frames, "
    show(f"{goal}native", stood, at_least=1.2, with_shadow=round(best["native"], 2), **facts)
    for name, asked in LEAST_AT.items():
        at_least = round(float(np.interp(max(rates) / 1e9, list(asked), list(asked.values()))), 2)
        share = round(best[name] / best["native"], 2)
        show(f"{goal}{name}, with shadow", best[name], at_least=at_least, times_native=share, **facts)


def parts(threads: int) -> None:
    """Where the time of a frame end to end goes: what bounds the goal above, in all widths."""
    for name in WIDTHS:
        with opened(small(), name, threads) as model:
            backend, stream = model.backend, standing(model, PLACE)
            assert isinstance(backend, NativeBackend)
            past = past_bytes(stream)
            works: dict[str, Callable[[], object]] = {
                "step": still(stream),
                "step and sampling": stream.next_frame,
                "decode": partial(stream.decoder.decode, np.zeros((model.codebooks, CHUNK), np.int64)),
            }
            times: dict[str, list[float]] = {part: [] for part in works}
            rates = []
            for _ in range(ROUNDS):
                rates.append(backend.read_rate())
                for part, work in works.items():
                    work()
                    times[part] += [timed(work) for _ in range(8)]
            best = {part: 1000 * min(several) for part, several in times.items()}
            decode, per_gb = best["decode"] / CHUNK, 1000 / max(rates)
            show(
                f"ms of a frame of 20, small, {name}",
                best["step and sampling"] + decode,
                weights_mb=round(backend.step_bytes / 1e6),
                reading_weights_ms=round(backend.step_bytes * per_gb, 2),
                reading_past_ms=round(past * per_gb, 2),
                step_ms=round(best["step"], 2),
                sampling_ms=round(best["step and sampling"] - best["step"], 2),
                decode_ms=round(decode, 2),
                memory_gb_per_second=round(max(rates) / 1e9, 1),
                threads=threads,
            )


def widths(threads: int) -> None:
    """Processor time of a frame of small on one core, the shadow at work, in turns: other programs matter less."""
    with only_cores(1), ExitStack() as stack:
        models = {name: stack.enter_context(opened(small(), name, 1)) for name in WIDTHS}
        ensembles = {name: Ensemble([begin(model, policy=StreamingPolicy())]) for name, model in models.items()}
        times: dict[str, list[float]] = {name: [] for name in models}
        for turn in range(3 * ROUNDS):
            for name, ensemble in ensembles.items():
                start = time.process_time()
                ensemble.next_chunks(CHUNK)
                if turn:
                    times[name].append(1000 * (time.process_time() - start) / CHUNK)
        for name, own in times.items():
            show(
                f"ms of processor time a frame of small, {name}, with shadow",
                min(own),
                median=round(statistics.median(own), 1),
                worst=round(max(own), 1),
                times_native=round(min(own) / min(times["native"]), 2),
                kernels=native_step.kernels()[0],
            )


def memory(threads: int) -> None:
    """Bytes that a native step must read, over its time, over the rate at which the same threads read memory."""
    with opened(small(), "native", threads) as model:
        backend, stream = model.backend, standing(model, PLACE)
        assert isinstance(backend, NativeBackend)
        past = past_bytes(stream)
        read, step = backend.step_bytes + past, still(stream)
        rates, steps = [], []
        for _ in range(ROUNDS):
            rates.append(backend.read_rate())
            steps += [timed(step) for _ in range(10)]
        reached = read / min(steps)
        show(
            "share of the memory's read rate, native",
            reached / max(rates),
            at_least=0.6,
            step_ms=round(1000 * min(steps), 2),
            step_mb=round(read / 1e6),
            gb_per_second=round(reached / 1e9, 1),
            memory_gb_per_second=round(max(rates) / 1e9, 1),
            threads=threads,
        )


def growth(threads: int) -> None:
    """A step behind a long past over one behind a short one, in turns."""
    for name in ("native", "onnx"):
        if obstacle(name):
            continue
        with opened(small(), name, threads) as model:
            steps = {place: still(standing(model, place)) for place in (100, 1200)}
            times: dict[int, list[float]] = {place: [] for place in steps}
            for _ in range(40):
                for place, step in steps.items():
                    times[place].append(timed(step))
        short, long = (1000 * min(times[place]) for place in (100, 1200))
        show(
            f"step at cache 1200 over 100, {name}",
            long / short,
            at_most=1.35,
            step_ms_at_100=round(short, 2),
            step_ms_at_1200=round(long, 2),
            threads=threads,
        )


def codec(threads: int) -> None:
    """The native decoder by itself, one thread, in processor time: every call of some seconds of sound."""
    shapes = {"nano": load_checkpoint("nano").codec, "32 kHz": random_codec()}
    for (name, frames), most in CODEC_MS.items():
        weights = shapes[name]
        decoder = NativeDecoder(NativeCodec(weights), weights.audio_channels)
        codes = np.random.default_rng(0).integers(0, weights.codebook_size, (weights.codebooks, frames))
        times = []
        for _ in range(200 // frames):
            start = time.process_time()
            decoder.decode(codes)
            times.append(1000 * (time.process_time() - start) / frames)
        show(
            f"ms a frame of the {name} codec, chunks of {frames}",
            statistics.median(times[1:]),
            at_most=most,
            least=round(min(times), 2),
            worst=round(max(times[1:]), 2),
            kernels=decoder.codec.kernels,
        )


def nano(threads: int) -> None:
    """nano with one thread, on one core."""
    with only_cores(1), opened(load_checkpoint("nano"), "native", 1) as model:
        torch.set_num_threads(1)
        show("nano on one core, native", rtf([begin(model)]), at_least=8)
        show("nano on one core, native, chunks of 1 frame", rtf([begin(model)], 1), at_least=7)


def streams(threads: int) -> None:
    """How many streams of nano play at real time in one batch on two cores."""
    with only_cores(2), opened(load_checkpoint("nano"), "native", 2) as model:
        factors = factors_by_streams(model)
        most = max((count for count, factor in factors.items() if factor >= 1), default=0)
        show("streams of nano at real time on two cores", most, at_least=20, rtf_by_streams=factors)


def factors_by_streams(model: MusicGen) -> dict[int, float]:
    """Real-time factors of more and more streams, then halving the gap until it is closed."""
    playing: list[Stream] = []
    factors: dict[int, float] = {}
    enough, few = 0, 8
    too_many: int | None = None
    while few and (too_many is None or too_many - enough > 1):
        playing += [begin(model) for _ in range(few - len(playing))]
        factors[few] = round(rtf(playing[:few]), 2)
        if factors[few] >= 1:
            enough = few
        else:
            too_many = few
        few = 2 * enough if too_many is None else (enough + too_many) // 2
    return factors


def first_sound(threads: int) -> None:
    """From the start of `streamer play` to the word that it plays, which comes after the first sound."""
    times = sorted(seconds_to_play() for _ in range(3))
    show(
        "seconds from `streamer play` (nano) to the first sound",
        times[0],
        at_most=1.2,
        all=[round(t, 2) for t in times],
    )


def neighbour(threads: int) -> None:
    """A step beside a process that keeps one core busy, with the threads that each backend chooses."""
    for name in BACKENDS:
        if obstacle(name):
            continue
        with opened(small(), name) as model, busy_process() as process:
            step = still(standing(model, PLACE))
            times: dict[str, list[float]] = {"alone": [], "beside": []}
            for _ in range(ROUNDS):
                for state, order in (("alone", signal.SIGSTOP), ("beside", signal.SIGCONT)):
                    process.send_signal(order)
                    step()
                    end = time.perf_counter() + 0.7
                    while time.perf_counter() < end:
                        times[state].append(timed(step))
            alone, beside = (1000 * statistics.median(times[state]) for state in ("alone", "beside"))
            show(
                f"slow-down of a step beside a busy process, {name}",
                beside / alone,
                median_ms=[round(alone, 1), round(beside, 1)],
                slowest_ms=[round(1000 * max(times[state]), 1) for state in ("alone", "beside")],
                threads=model.backend.threads,
            )


GOALS: dict[str, Callable[[int], None]] = {
    goal.__name__: goal
    for goal in (peers, end_to_end, parts, widths, memory, growth, codec, nano, streams, first_sound, neighbour)
}


# ------------------------------------------------------------------------------------------------------------- parts


def timed(run: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def past_bytes(stream: Stream) -> int:
    """That a step reads of both rows of the live lane's past."""
    state = stream.past.state
    return int(state.memory[0].nbytes) * PLACE // state.policy.max_position


def still(stream: Stream) -> Callable[[], object]:
    """The backend's part of a step, which can be repeated where it stands."""
    prompts, columns, backend = stream.conditions.kv, stream.past.columns(), stream.model.backend
    return lambda: backend.step([stream.past.state], [columns], [prompts])


def rtf(playing: list[Stream], frames: int = CHUNK) -> float:
    """Seconds of sound that each stream makes in a second, in the best round; a round is half a second of sound."""
    chunks = 25 // frames
    ensemble = Ensemble(playing)
    ensemble.next_chunks(frames)
    least = min(timed(lambda: [ensemble.next_chunks(frames) for _ in range(chunks)]) for _ in range(ROUNDS))
    return chunks * frames / playing[0].model.frame_rate / least


@contextmanager
def only_cores(count: int) -> Iterator[None]:
    """Keep this process to so many cores, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def busy_process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def seconds_to_play() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "streamer.cli.main", "play", "--seconds", "0.2", "--osc-port", "0"]
        command += ["--wav-out", str(Path(folder) / "heard.wav")]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "Ctrl-C" in line:
                    return time.perf_counter() - start
    raise RuntimeError("`streamer play` did not play")


if __name__ == "__main__":
    main()
