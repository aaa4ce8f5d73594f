"""A model's name -> the model, ready to play: the one way in for live music, files and measurements."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from streamer.errors import UserError

if TYPE_CHECKING:
    from musicgen import MusicGen
    from musicgen.backends import Backend


def load(
    name: str,
    backend: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    *,
    anchor: str = "card",
) -> MusicGen:
    """Load a model, see `musicgen.MusicGen.load`, and set torch's threads for it, see `share_threads`.

    Raises
    ------
    UserError
        When it cannot be loaded: why, and what to do.
    """
    from musicgen import ModelError, MusicGen

    one_thread()
    try:
        model = MusicGen.load(name, backend=backend, threads=threads, anchor=anchor, progress=progress)
    except ModelError as error:
        raise UserError(str(error)) from None
    share_threads(model.backend)
    return model


def one_thread() -> None:
    """Have torch compute with one thread, also where it is imported later, for a sound to go on from for example.

    Its sums depend on their number, and the music must not.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


def share_threads(backend: Backend) -> None:
    """Give torch, where it decodes, as many threads as the step has, but leave one core to the audio callback.

    torch's threads spin at barriers, and collapse beside a busy neighbour. The torch backend has set its own. The
    native one decodes by itself, and torch keeps one thread.
    """
    from musicgen.backends.threads import cores

    if backend.name.startswith("native"):
        one_thread()
    elif backend.name != "torch":
        import torch

        torch.set_num_threads(max(1, min(backend.threads, cores() - 1)))


def reading_speed() -> float:
    """Bytes of weights that this machine reads a second: what bounds a step, which uses every weight once.

    By the native library where it was built; else the best of a few products of a matrix that no cache can hold with a
    vector, in float32 and with as many threads as a big model may get.
    """
    from musicgen.backends import native_step, obstacle
    from musicgen.backends.threads import cores, least_time

    if not obstacle("native"):
        return native_step.read_rate()
    import torch

    torch.set_num_threads(max(1, cores() - 1))
    matrix, vector = torch.ones(8192, 8192), torch.ones(8192)
    return 4 * matrix.numel() / least_time(lambda: torch.mv(matrix, vector))
