"""What every training stage shares: allocator settings, worker processes, checkpoints, logs and the clock.

A stage is resumed by running the same command again. Nothing random is stored: each step draws from a generator
seeded by (seed, rank, step), so a resumed run continues with the draws it would have made.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn
from torch.utils.data import DataLoader, Dataset

# glibc hands large buffers back to the kernel after every step by default: half of the time went into page faults.
# Passive waiting matters when other programs share the cores: a spinning barrier burns the time the other side needs.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "67108864",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
}


def tune_allocator(module: str) -> None:
    """Restart ``python -m module`` once with `ALLOCATOR` in its environment: glibc reads it only at the start."""
    if os.environ.get("TRAINING_TUNED") or not sys.platform.startswith("linux"):
        return
    environment = {**os.environ, **ALLOCATOR, "TRAINING_TUNED": "1"}
    os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment)


def options(about: str | None, out: Path, minutes: float) -> argparse.ArgumentParser:
    """The options that every stage that trains has; it adds its own."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--minutes", type=float, default=minutes, help="wall-clock budget, earlier runs included")
    parser.add_argument("--steps", type=int, help="stop after this many steps all the same")
    parser.add_argument("--workers", type=int, default=1 if torch.cuda.is_available() else 2)
    parser.add_argument("--seed", type=int, default=1)
    return parser


def pick_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def matrix_type(device: torch.device) -> torch.dtype:
    """What matrices are multiplied in quickest: bfloat16 on CUDA, on CPU what a trial says.

    Some with AMX or AVX-512's bfloat16 instructions are more than twice as fast in it, others slower.
    """
    if device.type != "cpu":
        return torch.bfloat16
    return min((torch.float32, torch.bfloat16), key=_seconds_to_multiply)


def _seconds_to_multiply(kind: torch.dtype) -> float:
    """CPU time of a product of two matrices of 512 x 512: the least of five."""
    matrix = torch.ones(512, 512, dtype=kind)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        torch.mm(matrix, matrix)
        seconds.append(time.process_time() - start)
    return min(seconds)


def mixed(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 where that is quicker."""
    return torch.autocast(device.type, torch.bfloat16, enabled=matrix_type(device) == torch.bfloat16)


def launch(work: Callable[..., None], workers: int, *args: Any) -> None:
    """Run ``work(*args)`` in ``workers`` processes that average their gradients over gloo (1: in this process).

    Two processes of one thread beat one process of two threads on CPU: most operators here are small.
    """
    if workers == 1:
        torch.set_num_threads(1)
        work(*args)
        return
    with tempfile.TemporaryDirectory() as folder:
        cast(Any, spawn)(_join, (workers, f"file://{folder}/rendezvous", work, args), nprocs=workers)


def _join(rank: int, workers: int, address: str, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=workers)
    work(*args)
    dist.destroy_process_group()
    # At the usual end of a process some thread of torch's now and then outlives what it belongs to, and aborts it all.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def rank() -> int:
    """This process's number, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def workers() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def sum_over_workers(*tensors: torch.Tensor) -> None:
    """Add each tensor over all workers, in place, in one message."""
    if workers() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    offset = 0
    for tensor in tensors:
        tensor.copy_(flat[offset : offset + tensor.numel()].view_as(tensor))
        offset += tensor.numel()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the workers."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    sum_over_workers(*gradients)
    for gradient in gradients:
        gradient /= workers()


def agree(value: float) -> float:
    """Rank 0's value, on every worker (so that all stop at the same step)."""
    if workers() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared)


def draws(seed: int, step: int) -> np.random.Generator:
    """The random generator of one step on this worker."""
    return np.random.default_rng([seed, rank(), step])


class _Batches(Dataset[Any]):
    """The batches of a run, by step."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> Any:
        return self._make(step)


def batches(make: Callable[[int], Any], first: int, helpers: int) -> Iterator[Any]:
    """``make(step)`` for every step from ``first`` on, made ahead by as many processes; 0: here, when it is asked for.

    A GPU takes a step in less time than one process needs to cut out the next crops.
    """
    forked = {"multiprocessing_context": "fork", "prefetch_factor": 2} if helpers else {}
    loader: Any = DataLoader(
        _Batches(make), batch_size=None, sampler=range(first, 2**31), num_workers=helpers, **cast(Any, forked)
    )
    return iter(loader)


def rates(optimizers: Iterable[torch.optim.Optimizer]) -> list[float]:
    """The learning rates of all groups, as `prepare` wants them: taken down before any of them is changed."""
    return [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]


def prepare(optimizers: Sequence[torch.optim.Optimizer], full: Sequence[float], factor: float) -> None:
    """Before a step: every group's rate is its ``full`` one times ``factor``, and there are no gradients."""
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    for group, rate in zip(groups, full, strict=True):
        group["lr"] = rate * factor
    for optimizer in optimizers:
        optimizer.zero_grad()


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a crash leaves either the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint written by `save`; tensors and plain values only, nothing is executed."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class Log:
    """One JSON object a line, in a file and on the terminal; silent on all workers but the first."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a") if rank() == 0 else None

    def __call__(self, **values: Any) -> None:
        if self._file:
            rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}
            line = json.dumps(rounded)
            print(line, file=self._file, flush=True)
            print(line, flush=True)


class Clock:
    """Training time in minutes, counted across restarts, against a budget."""

    def __init__(self, minutes: float, spent: float = 0.0) -> None:
        self._budget = minutes
        self._start = time.monotonic() - 60 * spent

    def spent(self) -> float:
        """Minutes trained so far, earlier runs included."""
        return (time.monotonic() - self._start) / 60

    def progress(self) -> float:
        """Share of the budget that is spent, 0 to 1, the same on all workers."""
        return min(1.0, agree(self.spent() / self._budget))


def steps(clock: Clock, first: int, last: int | None) -> Iterator[tuple[int, float]]:
    """(step, progress) until the budget is spent, or ``last`` is reached."""
    step = first
    while (progress := clock.progress()) < 1 and (last is None or step < last):
        yield step, progress
        step += 1


def trapezoid(progress: float, cooldown: float) -> float:
    """Learning-rate factor: 1, then a linear fall to 0 over the last ``cooldown`` share of the budget."""
    return min(1.0, (1 - progress) / cooldown)
