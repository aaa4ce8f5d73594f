"""What a step, the codec and both together cost."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from musicgen import ModelError, MusicGen, Stream, StreamingPolicy
from musicgen.backends import obstacle
from streamer.bench.models import card, checkpoint, opened, shortage
from streamer.process.child import BLOCK_SECONDS

PROMPT = "lo-fi hip hop, mellow electric piano, soft drums, warm bass"
BACKENDS = ("native", "onnx", "torch")
WARM = 5  # frames that are not counted: caches start cold
FEWEST = 5  # frames that are, however slow they are
ENOUGH = 50  # from so many on, a second of music, figures are not few
SETTLED = 0.05  # of the median: where the middle half of the frames lies as close, more of them would tell no more
SETTLED_SECONDS = 1.0  # but for so long stalls are waited for: they make the slowest frame and the safe lead
SHARED = 10  # times as long as one measurement may take, for all of one model; then the fewest frames have to do


@dataclass(frozen=True)
class Figures:
    """What one model costs on one backend.

    Attributes
    ----------
    model, backend, threads
        What was measured.
    step_ms, step_worst_ms
        A frame of tokens: median, and the slowest.
    decode_ms
        The codec, for a second of sound.
    rtf
        Seconds of sound made in a second, tokens and codec together.
    lead_ms
        The smallest safe lead, see :func:`safe_lead`; None where the machine is too slow to play this live.
    frames
        That these figures rest on. Of fewer than ``ENOUGH`` a stall may be missing, or weigh too much.
    """

    model: str
    backend: str
    threads: int
    step_ms: float
    step_worst_ms: float
    decode_ms: float
    rtf: float
    lead_ms: float | None
    frames: int

    @property
    def few(self) -> bool:
        """Whether there were too few frames to rely on their slowest one."""
        return self.frames < ENOUGH


def measure(
    name: str, backends: Sequence[str], threads: int | None = None, seconds: float = 4.0
) -> Iterator[Figures | str]:
    """Measure a model on some backends.

    Parameters
    ----------
    name
        "nano", a folder, or a released model's name, see :func:`card`.
    backends
        Each is left out where it cannot run.
    threads
        Of a step; None for as many as each backend finds best.
    seconds
        That each measurement may take, besides what preparing takes. It ends before that when its figures have
        settled, and those of all backends share ``SHARED`` times as much, preparing included.

    Yields
    ------
    Figures or str
        For each backend; a sentence where it was left out.

    Raises
    ------
    UserError
        The model cannot be loaded.
    """
    released, able = card(name), []
    for backend in backends:
        against = obstacle(backend) or (shortage(released, backend) if released else "")
        if against:
            yield f"{name} on {backend} was left out: {against}"
        else:
            able.append(backend)
    if not able:
        return
    end = time.perf_counter() + SHARED * seconds
    source = checkpoint(name, apart="torch" in able)
    for backend in able:
        try:
            with opened(source, backend, threads) as model:
                seconds = max(0.0, min(seconds, end - time.perf_counter()))
                yield figures(model, seconds, "" if released and released.melody else PROMPT)
        except ModelError as error:
            yield f"{name} on {backend} was left out: {error}"


def figures(model: MusicGen, seconds: float, prompt: str = PROMPT) -> Figures:
    """Play for some seconds from the middle of a piece."""
    steps, decodes = frame_times(begin(model, prompt), seconds)
    both, frame = [step + decode for step, decode in zip(steps, decodes, strict=True)], 1 / model.frame_rate
    lead = safe_lead(both, frame)
    return Figures(
        model=model.name,
        backend=model.backend.name,
        threads=model.backend.threads,
        step_ms=round(1000 * statistics.median(steps), 2),
        step_worst_ms=round(1000 * max(steps), 2),
        decode_ms=round(1000 * statistics.median(decodes) * model.frame_rate, 1),
        rtf=round(frame * len(both) / sum(both), 2),
        lead_ms=None if lead is None else round(1000 * lead, 1),
        frames=len(both),
    )


def frame_times(stream: Stream, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of every frame's tokens and of its decoding, of frames that follow each other: at least ``FEWEST``."""
    decoder = stream.model.new_decoder()
    steps: list[float] = []
    decodes: list[float] = []
    begun = time.perf_counter()
    while not _suffices(steps, time.perf_counter() - begun, seconds):
        start = time.perf_counter()
        frame = stream.next_frame()
        stepped = time.perf_counter()
        decoder.decode(frame[:, None])
        steps.append(stepped - start)
        decodes.append(time.perf_counter() - stepped)
    warm = min(WARM, len(steps) - FEWEST)
    return steps[warm:], decodes[warm:]


def _suffices(steps: Sequence[float], elapsed: float, seconds: float) -> bool:
    """Whether so many frames tell enough, or have taken all the time there is."""
    if len(steps) <= FEWEST:
        return False
    if elapsed >= seconds:
        return True
    if elapsed < SETTLED_SECONDS or len(steps) < WARM + ENOUGH or len(steps) % 25:  # not after every frame
        return False
    low, median, high = np.percentile(steps[WARM:], (25, 50, 75))
    return bool(high - low <= SETTLED * median)


def safe_lead(times: Sequence[float], frame: float) -> float | None:
    """Seconds that must be queued ahead so that the music would not have broken off in what was measured.

    A frame that takes longer than it lasts leaves the queue shorter; faster ones make up for it. The longest that
    playing ever had to go on without a new frame must be queued when a frame is begun; and the engine begins one only
    when a block is missing (``streamer.process.child.BLOCK_SECONDS``). It holds for a machine as busy as it was then.

    Parameters
    ----------
    times
        Seconds that consecutive frames took.
    frame
        Seconds that a frame lasts.

    Returns
    -------
    float or None
        None where frames take longer than they last on average: no lead is safe.
    """
    if sum(times) >= frame * len(times):
        return None
    behind = longest = 0.0
    for taken in times:
        longest = max(longest, behind + taken)
        behind = max(0.0, behind + taken - frame)
    return longest + BLOCK_SECONDS


def begin(
    model: MusicGen, prompt: str = PROMPT, policy: StreamingPolicy | None = None, at: Sequence[int] | None = None
) -> Stream:
    """A stream as if it had been playing for long; one that follows melodies begins at its beginning.

    Parameters
    ----------
    policy
        None for the model's own.
    at
        Positions of the live lane and, if there is a second one, of the shadow; by default where they stand on
        average, once the shadow has begun.
    """
    stream = model.stream(prompt, policy=policy, guidance=3.0)
    settle(stream, at)
    return stream


def settle(stream: Stream, at: Sequence[int] | None = None) -> None:
    """Put a stream where it stands after long playing, see `begin`; one that follows melodies stays where it is."""
    state = stream.past.state
    touch(state.memory)
    if stream.model.follows_melody:
        return
    if at is None:
        at = (state.policy.life - state.policy.keep // 2, state.policy.keep // 2)
    state.lanes = list(range(len(at)))
    state.positions[: len(at)] = at


def touch(memory: Any) -> None:
    """Write to all of a backend's memory: what was never written takes no time to read."""
    if isinstance(memory, Tensor):
        memory.zero_()
    elif isinstance(memory, np.ndarray):
        memory[:] = 0
    else:
        for part in vars(memory).values():
            if part is not None:
                touch(part)
