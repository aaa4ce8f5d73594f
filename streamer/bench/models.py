"""What is measured: models of this machine, and released ones with random weights of their shape."""

from __future__ import annotations

import copy
import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from musicgen import ModelError, MusicGen, Sampling, StreamingPolicy
from musicgen.backends import prepare, step_bytes
from musicgen.codec import CodecWeights, codec_weights
from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights, sinusoids
from musicgen.delay import delays_of
from musicgen.models.table import RELEASED, Card
from streamer.engine.loading import one_thread, share_threads
from streamer.errors import UserError
from streamer.process.heap import free_memory

if TYPE_CHECKING:
    from musicgen.load.checkpoint import Checkpoint

PROMPT_TOKENS = 12  # of a random prompt
HEAD = 64  # head size of every released model
VOCABULARY = 2048  # likewise
SPARE = 2**30  # bytes: the interpreter, torch, and whatever else the user has open


def card(name: str) -> Card | None:
    """The released model that a name means, "small" for short or in full; None for any other name."""
    return next((card for card in RELEASED if name in (card.name, card.name.removeprefix("facebook/musicgen-"))), None)


def checkpoint(name: str, apart: bool = True) -> Checkpoint:
    """A released model with random weights, see :func:`random_checkpoint`, or a model of this machine.

    Raises
    ------
    UserError
        It cannot be loaded.
    """
    one_thread()
    from musicgen.load.checkpoint import load_checkpoint

    released = card(name)
    if released is not None:
        return random_checkpoint(released, apart)
    try:
        return load_checkpoint(name)
    except ModelError as error:
        raise UserError(str(error)) from None


@contextmanager
def opened(source: Checkpoint, backend: str, threads: int | None = None) -> Iterator[MusicGen]:
    """A checkpoint on a backend, with the threads it plays with."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # Windows keeps files that are mapped
        one_thread()
        backend_in_use = prepare(source.decoder, backend, threads=threads, folder=Path(folder))
        share_threads(backend_in_use)
        yield MusicGen(source, backend_in_use)


def shortage(card: Card, backend: str, copies: int = 1) -> str:
    """Why a model, so many times over, does not fit into the free memory; "" where it does."""
    rest = card.memory() - 4 * (card.step_size + card.text_encoder)
    needed = int(copies * step_bytes(backend, card)) + rest + SPARE
    free = free_memory()
    if free is None or needed <= free:
        return ""
    return f"it needs {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free."


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
    prompts: Any = SimpleNamespace(states=lambda text: states.numpy(), longest=PROMPT_TOKENS)
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
        codec_again=random_codec,
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
        positions=torch.from_numpy(sinusoids(card.positions, hidden)),
        layers=tuple(copy.deepcopy(layer) if apart else layer for _ in range(card.layers)),
        norm=norm(),
        heads=matrix(hidden, codebooks * VOCABULARY),
        activation="gelu",
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
