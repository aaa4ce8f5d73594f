"""What this machine can do: what a step, the codec and both together cost, for any model and backend.

nano and models on this machine are loaded; the released ones get random weights of their shape, which cost the same,
so nothing is downloaded. Everything is measured in the middle of a piece, where it stays for ever: guidance on, the
shadow at work, so four rows a step (see :mod:`musicgen.past`), the music in chunks of one frame as it is played.
"""

from __future__ import annotations

import copy
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from musicgen import ModelError, MusicGen, Sampling, Stream, StreamingPolicy
from musicgen.backends import WEIGHT_BYTES, obstacle, prepare
from musicgen.backends.threads import cores
from musicgen.codec import CodecWeights, codec_weights
from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights, sinusoids
from musicgen.delay import delays_of
from musicgen.models.table import RELEASED, Card
from streamer.engine.loading import share_threads
from streamer.errors import UserError
from streamer.process.child import BLOCK_SECONDS

if TYPE_CHECKING:
    from musicgen.load.checkpoint import Checkpoint

PROMPT = "lo-fi hip hop, mellow electric piano, soft drums, warm bass"
PROMPT_TOKENS = 12  # of a random prompt
BACKENDS = ("native", "onnx", "torch")
HEAD = 64  # head size of every released model
VOCABULARY = 2048  # likewise
WARM = 5  # frames that are not counted: caches start cold
FEWEST = 5  # frames that are, however slow they are
ENOUGH = 50  # from so many on, a second of music, figures are not few
SETTLED = 0.05  # of the median: where the middle half of the frames lies as close, more of them would tell no more
SETTLED_SECONDS = 1.0  # but for so long stalls are waited for: they make the slowest frame and the safe lead
SHARED = 10  # times as long as one measurement may take, for all of one model; then the fewest frames have to do
STEPS = 8  # beside transformers
FEWEST_STEPS = 3
PROBE_PLACE = 10
PEER_PLACE = 250  # frames of past beside transformers, five seconds: its prefill takes longer than all of its steps
PEERS = (torch.float32, torch.bfloat16)  # what transformers may compute in
TRANSFORMERS = "transformers"
SPARE = 2**30  # bytes: the interpreter, torch, and whatever else the user has open


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


def card(name: str) -> Card | None:
    """The released model that a name means, "small" for short or in full; None for any other name."""
    return next((card for card in RELEASED if name in (card.name, card.name.removeprefix("facebook/musicgen-"))), None)


# --------------------------------------------------------------------------------------------------------- measuring


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


def shortage(card: Card, backend: str, copies: int = 1) -> str:
    """Why a model, so many times over, does not fit into the free memory; "" where it does."""
    rest = card.memory() - 4 * (card.decoder + card.text_encoder)
    needed = int(copies * WEIGHT_BYTES[backend] * card.decoder) + rest + SPARE
    free = free_memory()
    if free is None or needed <= free:
        return ""
    return f"it needs {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free."


def free_memory() -> int | None:
    """Bytes that programs can still have; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:  # macOS: all there is, not what is free
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


@contextmanager
def opened(source: Checkpoint, backend: str, threads: int | None = None) -> Iterator[MusicGen]:
    """A checkpoint on a backend, with the threads it plays with."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows keeps files that are mapped
        torch.set_num_threads(1)
        backend_in_use = prepare(source.decoder, backend, threads=threads, folder=Path(folder))
        share_threads(backend_in_use)
        yield MusicGen(source, backend_in_use)


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
    state = stream.past.state
    touch(state.memory)
    if model.follows_melody:
        return stream
    if at is None:
        at = (state.policy.life - state.policy.keep // 2, state.policy.keep // 2)
    state.lanes = list(range(len(at)))
    state.positions[: len(at)] = at
    return stream


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


# ---------------------------------------------------------------------------------------------------- random weights


def checkpoint(name: str, apart: bool = True) -> Checkpoint:
    """A released model with random weights, see :func:`random_checkpoint`, or a model of this machine.

    Raises
    ------
    UserError
        It cannot be loaded.
    """
    torch.set_num_threads(1)  # several would stand in each other's way, as in `streamer.engine.loading.load`
    from musicgen.load.checkpoint import load_checkpoint

    released = card(name)
    if released is not None:
        return random_checkpoint(released, apart)
    try:
        return load_checkpoint(name)
    except ModelError as error:
        raise UserError(str(error)) from None


def random_checkpoint(card: Card, apart: bool = True) -> Checkpoint:
    """A released model with random weights, the codec's too. Prompts are random states; melodies are left out.

    Parameters
    ----------
    apart
        Whether every layer has memory of its own, as it must have where a step reads these very weights. Otherwise all
        are one, which is enough for a backend that copies them.
    """
    from musicgen.load.checkpoint import load_checkpoint

    codebooks = 4 * card.channels
    states = torch.randn(PROMPT_TOKENS, card.hidden, generator=torch.Generator().manual_seed(0))
    prompts: Any = SimpleNamespace(states=lambda text: states, longest=PROMPT_TOKENS)
    policy = StreamingPolicy(card.positions // 2, card.positions)
    return replace(
        load_checkpoint("nano"),  # what is not measured stays nano's
        name=card.name,
        licence=card.licence,
        channels=card.channels,
        pad=VOCABULARY,
        delays=delays_of(codebooks, card.channels),
        turns=(0,) * codebooks,
        decoder=random_decoder(card, apart),
        prompts=prompts,
        melodies=None,
        codec=random_codec(),
        defaults=Sampling(),
        policy=policy,
    )


def random_decoder(card: Card, apart: bool = True) -> DecoderWeights:
    """Float32 weights of a released model's shape; all layers hold the same numbers, which costs the same time."""
    hidden, codebooks = card.hidden, 4 * card.channels
    generator = torch.Generator().manual_seed(0)

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=generator).mul_(rows**-0.5)

    def norm() -> tuple[Tensor, Tensor]:
        return torch.ones(hidden), torch.zeros(hidden)

    cross = CrossWeights(norm(), matrix(hidden, hidden), matrix(hidden, 2 * hidden), matrix(hidden, hidden))
    layer = LayerWeights(
        self_norm=norm(),
        qkv=matrix(hidden, 3 * hidden),
        self_out=matrix(hidden, hidden),
        cross=None if card.melody else cross,
        feed_norm=norm(),
        feed_in=matrix(hidden, 4 * hidden),
        feed_out=matrix(4 * hidden, hidden),
    )
    return DecoderWeights(
        embed=torch.randn(codebooks * (VOCABULARY + 1), hidden, generator=generator),
        offsets=torch.arange(codebooks) * (VOCABULARY + 1),
        positions=sinusoids(card.positions, hidden),
        layers=tuple(copy.deepcopy(layer) if apart else layer for _ in range(card.layers)),
        norm=norm(),
        heads=matrix(hidden, codebooks * VOCABULARY),
        activation=F.gelu,
        head_count=hidden // HEAD,
    )


@functools.cache
def random_codec() -> CodecWeights:
    """The 32 kHz EnCodec of all released models, with random weights."""
    from transformers import EncodecConfig, EncodecModel

    torch.manual_seed(0)
    config = EncodecConfig(
        sampling_rate=32_000,
        upsampling_ratios=[8, 5, 4, 4],
        target_bandwidths=[2.2],
        num_filters=64,
        hidden_size=128,
        codebook_size=VOCABULARY,
        codebook_dim=128,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    model: Any = EncodecModel(config).requires_grad_(False)
    for quantizer in model.quantizer.layers:
        quantizer.codebook.embed.normal_(std=0.5)  # transformers leaves them at zero
    return codec_weights(model)


# ------------------------------------------------------------------------------------------------ beside transformers


@dataclass(frozen=True)
class Ratio:
    """A step beside one of transformers' ``generate``, in the same process, in turns.

    Attributes
    ----------
    model, backend, threads
        What was measured.
    dtype
        Of transformers' weights.
    step_ms, transformers_ms
        The least of some steps.
    ratio
        How many times faster the backend is.
    steps
        That were measured of each.
    """

    model: str
    backend: str
    threads: int
    dtype: str
    step_ms: float
    transformers_ms: float
    ratio: float
    steps: int

    @property
    def few(self) -> bool:
        """Whether there was no time for more steps."""
        return self.steps < STEPS


def against(
    name: str, backends: Sequence[str], threads: int | None = None, seconds: float = 4.0
) -> Iterator[Ratio | str]:
    """Measure a model's step beside transformers', see :func:`beside_transformers`; arguments as in :func:`measure`.

    Raises
    ------
    UserError
        The model cannot be loaded, or transformers cannot generate with it as it is done here.
    """
    released = card(name)
    if released is not None:
        refusal = shortage(released, "torch", copies=2) if not released.melody else "it follows melodies."
        if refusal:
            yield f"{name} was not measured beside transformers: {refusal}"
            return
    able = [backend for backend in backends if not obstacle(backend)]
    source = checkpoint(name, apart="torch" in able)
    place = min(PEER_PLACE, source.policy.life // 2)
    with ExitStack() as stack:
        models = {}
        for backend in able:
            try:
                models[backend] = stack.enter_context(opened(source, backend, threads))
            except ModelError as error:
                yield f"{name} on {backend} was left out: {error}"
        for dtype in PEERS:
            peer = transformers_model(name, dtype)
            runs = {backend: standing(model, place).next_frame for backend, model in models.items()}
            best, steps = beside_transformers(peer, place, runs, seconds)
            del peer
            for backend, model in models.items():
                yield Ratio(
                    model=model.name,
                    backend=backend,
                    threads=model.backend.threads,
                    dtype=str(dtype).removeprefix("torch."),
                    step_ms=round(1000 * best[backend], 2),
                    transformers_ms=round(1000 * best[TRANSFORMERS], 2),
                    ratio=round(best[TRANSFORMERS] / best[backend], 2),
                    steps=steps,
                )


def standing(model: MusicGen, place: int, prompt: str = PROMPT) -> Stream:
    """A stream with so much past and no shadow, for some hundred steps."""
    most = model.positions
    return begin(model, prompt, StreamingPolicy(1, min(most, place + 300)), [place])


def transformers_model(name: str, dtype: torch.dtype) -> Any:
    """transformers' model: a released one's shape with random weights, or what is on this machine. It decodes nothing.

    A random one has a small text encoder: it is not measured.
    """
    from musicgen.load.hub import find_folder
    from musicgen.load.with_transformers import read_files

    released = card(name)
    model: Any = random_peer(released) if released is not None else read_files(find_folder(name)).model
    model.audio_encoder.decode = lambda codes, **_: SimpleNamespace(audio_values=codes)
    return model.to(dtype).eval().requires_grad_(False)


def random_peer(card: Card) -> Any:
    """transformers' model of a released shape with cross-attention, as transformers itself initialises it."""
    from transformers import EncodecConfig, EncodecModel, MusicgenConfig, MusicgenDecoderConfig, T5Config
    from transformers import MusicgenForConditionalGeneration as Model
    from transformers.models.musicgen.modeling_musicgen import MusicgenForCausalLM
    from transformers.models.t5.modeling_t5 import T5EncoderModel

    decoder = MusicgenDecoderConfig(
        vocab_size=VOCABULARY,
        hidden_size=card.hidden,
        num_hidden_layers=card.layers,
        num_attention_heads=card.hidden // HEAD,
        ffn_dim=4 * card.hidden,
        num_codebooks=4 * card.channels,
        audio_channels=card.channels,
        pad_token_id=VOCABULARY,
        bos_token_id=VOCABULARY,
    )
    parts: dict[str, Any] = {
        "text_encoder": T5EncoderModel(T5Config(num_layers=1)),
        "audio_encoder": EncodecModel(EncodecConfig(num_filters=2, hidden_size=8)),
        "decoder": MusicgenForCausalLM(decoder),
    }
    return Model(config=MusicgenConfig(**{name: part.config for name, part in parts.items()}), **parts)


def beside_transformers(
    peer: Any, place: int, runs: Mapping[str, Callable[[], object]], seconds: float = 4.0
) -> tuple[dict[str, float], int]:
    """The least seconds of a step of transformers' ``generate`` (``TRANSFORMERS``) and of everything in ``runs``.

    ``generate`` is at work with guidance and a past of ``place`` frames. It has one of torch's threads or one a core,
    since on some machines the latter is the slower: whichever is faster behind a short past.

    Parameters
    ----------
    seconds
        That all steps may take together, as long as there are ``FEWEST_STEPS``; the prefill comes on top.

    Returns
    -------
    dict, int
        And how many steps of each were measured.
    """
    before, probes = torch.get_num_threads(), {}
    for threads in {1, cores()}:
        torch.set_num_threads(threads)
        probes[threads] = _in_turns(peer, PROBE_PLACE, runs, FEWEST_STEPS)
    best = min(probes, key=lambda threads: probes[threads][TRANSFORMERS])
    steps = max(FEWEST_STEPS, min(STEPS, int(seconds / sum(probes[best].values()))))
    torch.set_num_threads(best)
    least = _in_turns(peer, place, runs, steps)
    torch.set_num_threads(before)
    return least, steps


def _in_turns(peer: Any, place: int, runs: Mapping[str, Callable[[], object]], steps: int) -> dict[str, float]:
    """The least of some steps. After each of ``generate`` every run gets its turn: all meet the same machine."""
    from transformers import GenerationConfig

    taken: dict[str, list[float]] = {name: [] for name in (TRANSFORMERS, *runs)}
    last = 0.0

    def turn(tokens: Tensor, scores: object, **_: object) -> Tensor:
        nonlocal last
        if last:  # the first call comes after the prefill
            taken[TRANSFORMERS].append(time.perf_counter() - last)
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                taken[name].append(time.perf_counter() - start)
        last = time.perf_counter()
        return torch.zeros(len(tokens), dtype=torch.bool)

    decoder = peer.config.decoder
    tokens = {"pad_token_id": decoder.pad_token_id, "bos_token_id": decoder.bos_token_id}
    settings = cast(Any, GenerationConfig)(
        do_sample=True,
        guidance_scale=3.0,
        top_k=250,
        max_new_tokens=steps + 2,
        decoder_start_token_id=decoder.pad_token_id,
        **tokens,
    )
    prompt = torch.arange(PROMPT_TOKENS)[None]
    peer.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        decoder_input_ids=torch.randint(0, decoder.vocab_size, (decoder.num_codebooks, place)),
        generation_config=settings,
        stopping_criteria=[turn],
    )
    return {name: min(times[1:]) for name, times in taken.items()}  # the first one warms up
