"""Where a step is computed: a decoder's weights in a layout of their own, and how to step them.

Every backend does the same as the reference, :mod:`musicgen.backends.torch_step`, to the tolerance that its tests
state. What they share is the bookkeeping, :class:`musicgen.past.state.State`; sampling is the stream's.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from musicgen.backends.threads import cores
from musicgen.decoder import DecoderWeights, Prompt, Prompts
from musicgen.errors import ModelError
from musicgen.past.policy import StreamingPolicy
from musicgen.past.state import State

NAMES = ("torch", "native", "native-int6", "native-int4", "onnx", "cuda")
WEIGHT_BYTES = {"torch": 4.0, "native": 1.032, "native-int6": 0.813, "native-int4": 0.563, "onnx": 1.03, "cuda": 2.0}
"""That a step reads for each weight of the layers, scales included; see `step_bytes` for the heads'."""
LIVE = 2.0
"""Times real time at which the weights alone must be read for live music: a step also attends, samples and decodes."""
STEPS_PER_SECOND = 50  # of every released model
ALWAYS_LIVE = 50_000_000
"""Weights a step reads, up to which no machine is too slow for 8 bits: nano has eight millions."""
WORTH_A_FILE = 1_000_000
"""Weights a step reads, from which on ONNX Runtime is worth the file it prepares: nano has eight times as many."""
OLDEST_ONNX = (1, 28)
"""ONNX Runtime before has no 8-bit keys and values, or computes wrongly with them."""


class StepSizes(Protocol):
    """How many weights a step reads, in all and of the heads alone."""

    @property
    def step_size(self) -> int: ...

    @property
    def heads_size(self) -> int: ...


class Backend(Protocol):
    """A decoder, ready to step. Immutable, shared by any number of streams.

    K: codebooks, V: vocabulary, d: hidden size.
    """

    @property
    def name(self) -> str:
        """As it is chosen by."""

    @property
    def threads(self) -> int:
        """That a step uses. They change its speed alone."""

    def prompt(self, states: NDArray[np.float32]) -> Prompt:
        """What cross-attention needs of a prompt, computed once a prompt. From any thread.

        Parameters
        ----------
        states
            (S, d) float32, see :meth:`musicgen.text.conditioning.PromptEncoder.states`.
        """

    def blend(self, prompts: Sequence[Prompt | None]) -> Prompt:
        """Several prompts side by side, so that a row attends to all of them at once. From any thread.

        Parameters
        ----------
        prompts
            At least two. None, no prompt, takes part as one position whose key and value are zero.

        Returns
        -------
        Prompt
            All with the same weight, see :meth:`weigh`.
        """

    def weigh(self, blend: Prompt, weights: Sequence[float]) -> Prompt:
        """The same blend with other weights: the logarithm of each is added to the scores of its prompt's positions.

        Cheap enough for every frame: keys and values are shared, and the next step knows them again.

        Parameters
        ----------
        blend
            Of :meth:`blend`, with any weights.
        weights
            One for each of its prompts, above 0.
        """

    def new_state(self, policy: StreamingPolicy) -> State:
        """An empty past for one stream, its memory allocated once."""

    def step(
        self,
        states: Sequence[State],
        columns: Sequence[NDArray[np.int64]],
        prompts: Sequence[Prompts],
        added: Sequence[NDArray[np.float32] | None] | None = None,
    ) -> NDArray[np.float32]:
        """One step of every stream at once: the weights are read once for all of them.

        Consumes a column in every active lane, writes its keys and values at the lane's position, predicts the next.
        Counting them is the caller's, see :meth:`musicgen.past.state.State.count`.

        Parameters
        ----------
        states
            One a stream, all different.
        columns
            For each stream (lanes, K), for the active lanes in the state's order.
        prompts
            For each stream.
        added
            For each stream (d,) float32, added to its columns' embeddings in the conditional rows of all lanes; None
            for nothing.

        Returns
        -------
        NDArray
            Logits of the live lanes, (streams, 2, K, V): conditional, null. The caller's own.
        """

    def prefill(self, state: State, inputs: NDArray[np.float32], prompts: Prompts) -> NDArray[np.float32]:
        """Consume many inputs at once, in the live lane alone, and count them with :meth:`State.skip`.

        Parameters
        ----------
        state
            Of one stream, without a shadow at work.
        inputs
            (2, T, d), T >= 1: embedded columns or a prefix, for the conditional and the null row, without
            positions.
        prompts
            Of the stream.

        Returns
        -------
        NDArray
            Logits after the last input, (2, K, V): conditional, null.

        Raises
        ------
        ValueError
            T is more than the positions left, or there is a shadow at work.
        """


def obstacle(name: str) -> str:
    """Why a backend cannot run on this machine, and what to do about it: a sentence, "" where it can."""
    if name.startswith("native"):
        from musicgen.backends import native_step

        try:
            native_step.library()
        except ModelError as error:
            return str(error)
    if name == "onnx":
        return _onnx_obstacle()
    if name == "cuda":
        import torch  # takes a second or two, and most machines ask for no GPU

        if not torch.cuda.is_available():
            return "The cuda backend needs an NVIDIA GPU and a torch that is built for it."
    return ""


def _onnx_obstacle() -> str:
    if not (find_spec("onnx") and find_spec("onnxruntime")):
        return "The onnx backend needs ONNX Runtime: install it with `pip install 'musicgen-streamer[onnx]'`."
    there = version("onnxruntime")
    if tuple(int(part) for part in there.split(".")[:2]) < OLDEST_ONNX:
        wanted = ".".join(map(str, OLDEST_ONNX))
        return f"ONNX Runtime {there} is too old: install {wanted} or newer, which needs Python 3.11."
    return ""


def advice(name: str) -> str:
    """How this machine could step faster than with a backend: a sentence, "" where nothing faster is missing."""
    missing = obstacle("native") if name in ("torch", "onnx") else ""
    return missing and f"It could be several times as fast. {missing}"


def choose(weights: DecoderWeights | None = None) -> tuple[str, str]:
    """What "auto" means: the fastest backend that can run a decoder here, and why it is that one.

    Parameters
    ----------
    weights
        Without them: for a big float32 decoder on the CPU.
    """
    if weights is not None and weights.device.startswith("cuda"):
        return "cuda", "The model is on a GPU."
    kind = "float32" if weights is None else str(weights.dtype).removeprefix("torch.")
    if weights is not None and (weights.device != "cpu" or kind != "float32"):
        return "torch", f"It alone computes on {weights.device.partition(':')[0]} in {kind}."
    against = obstacle("native") or (weights is not None and _native_refusal(weights)) or ""
    if not against:
        return _with_bits(weights) if weights is not None else ("native", "It is the fastest on a CPU.")
    if not obstacle("onnx") and (weights is None or weights.step_size >= WORTH_A_FILE):
        return "onnx", f"It is the next best. {against}"
    return "torch", f"It runs everywhere. {against}"


def _with_bits(weights: DecoderWeights) -> tuple[str, str]:
    """The native backend with as many bits as suit a decoder."""
    if weights.step_size > ALWAYS_LIVE:
        from musicgen.backends import native_step

        rate = native_step.read_rate()
        if native_bits(weights, rate) == "native-int6":
            return "native-int6", f"Memory gives {rate / 1e9:.0f} GB/s, too little to read 8 bits of each weight live."
    return "native", "It is the fastest on a CPU."


def native_bits(sizes: StepSizes, rate: float) -> str:
    """The native backend's name: with 8 bits where they can be read live, with 6 where they cannot.

    Parameters
    ----------
    sizes
        Of a decoder's weights or of a model's card.
    rate
        Bytes that memory gives a second.
    """
    live = sizes.step_size <= ALWAYS_LIVE or reading_factor("native", sizes, rate) >= LIVE
    return "native" if live else "native-int6"


def reading_factor(name: str, sizes: StepSizes, rate: float) -> float:
    """Times real time at which a backend could step if it did nothing but read its weights; see `native_bits`."""
    return rate / (step_bytes(name, sizes) * STEPS_PER_SECOND)


def step_bytes(name: str, sizes: StepSizes) -> float:
    """Of weights that a backend reads each step, scales included. The native one's heads have 8 bits in all widths."""
    heads = WEIGHT_BYTES["native" if name.startswith("native") else name]
    return WEIGHT_BYTES[name] * (sizes.step_size - sizes.heads_size) + heads * sizes.heads_size


def _native_refusal(weights: DecoderWeights) -> str:
    from musicgen.backends import native_step

    reason = native_step.refusal(weights)
    return f"{reason[:1].upper()}{reason[1:]}." if reason else ""


def prepare(
    weights: DecoderWeights,
    name: str = "auto",
    *,
    threads: int | None = None,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Backend:
    """Lay a decoder out for a backend.

    Parameters
    ----------
    name
        "auto" (see :func:`choose`) or one of ``NAMES``.
    threads
        Of a step; None for as many as a short measurement finds best.
    folder
        Of the checkpoint, where a backend that prepares a file may keep it.
    progress
        Told how far that is: what is done, and the total.

    Raises
    ------
    ModelError
        There is no such backend, it cannot run here, or not this decoder; the message says what to do.
    """
    if name == "auto":
        name, _ = choose(weights)
    if name not in NAMES:
        raise ModelError(f"There is no backend '{name}': use auto, {', '.join(NAMES[:-1])} or {NAMES[-1]}.")
    against = obstacle(name)
    if against:
        raise ModelError(against)
    if name.startswith("native"):
        from musicgen.backends.native_step import BITS, NativeBackend

        return NativeBackend(weights, bits=BITS[name], threads=threads)
    if name == "onnx":
        from musicgen.backends.onnx_step import OnnxBackend

        return OnnxBackend(weights, folder, threads=threads or cores(), progress=progress)
    if name == "cuda":
        from musicgen.backends.cuda_step import CudaBackend

        return CudaBackend(weights)
    from musicgen.backends.torch_step import TorchBackend

    return TorchBackend(weights, threads)
