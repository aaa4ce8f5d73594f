"""Give nano's decoder twice the channels, so that it starts out as what it was: a larger decoder for the same codes.

    python -m training.widen --codec runs/shipped/codec.pt --out runs/wide/codec.pt
    python -m training.polish --codec runs/wide/codec.pt

Every channel of the decoder is doubled, and what reads it shares its weight out unevenly between the two: so they learn
different things. The encoder gets channels that are silent, since transformers' codecs have one width: all codes stay.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
import torch
from torch import nn
from transformers import EncodecModel

from training.codec import checkpoint, codebooks, codec_config, load_codec

UNEVEN = 0.25  # standard deviation of a share, whose mean is a half


def layers_of(part: nn.Module) -> Iterator[Any]:
    """Convolutions and LSTMs, in order."""
    return (m for m in part.modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d, nn.LSTM)))


def set_kernel(layer: Any, kernel: torch.Tensor) -> None:
    """Give a weight-normed convolution this kernel.

    The norm is over all but the first dimension, and has no direction where it is 0: ones stand there.
    """
    norm = kernel.flatten(1).norm(dim=1).view(-1, 1, 1)
    layer.parametrizations.weight.original0.data.copy_(norm)
    layer.parametrizations.weight.original1.data.copy_(torch.where(norm > 0, kernel, 1.0))


def pad(small: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Zeros with ``small`` in the first corner."""
    wide = torch.zeros(shape)
    wide[tuple(slice(size) for size in small.shape)] = small
    return wide


def pad_layer(old: Any, new: Any) -> None:
    """The same channels, and silent ones behind them."""
    if isinstance(old, nn.LSTM):
        for name, small in old.named_parameters():
            wide = getattr(new, name).data
            for mine, gate in zip(wide.chunk(4), small.data.chunk(4), strict=True):
                mine.copy_(pad(gate, mine.shape))
        return
    set_kernel(new, pad(old.weight.data, new.weight.shape))
    new.bias.data.copy_(pad(old.bias.data, new.bias.shape))


def shared_out(weight: torch.Tensor, dim: int, random: torch.Generator) -> torch.Tensor:
    """``weight`` for twice the inputs along ``dim``, whose two halves carry the same: shares that add up to 1."""
    share = 0.5 + UNEVEN * torch.randn(weight.shape, generator=random)
    return torch.cat([weight * share, weight * (1 - share)], dim)


def double_layer(old: Any, new: Any, random: torch.Generator) -> None:
    """Every channel twice."""
    if isinstance(old, nn.LSTM):
        for name, small in old.named_parameters():
            twice = torch.cat([torch.cat([gate, gate]) for gate in small.data.chunk(4)])
            getattr(new, name).data.copy_(shared_out(twice, 1, random) if twice.dim() == 2 else twice)
        return
    outputs, inputs = (1, 0) if isinstance(old, nn.ConvTranspose1d) else (0, 1)
    kernel, bias = old.weight.data, old.bias.data
    if new.weight.shape[outputs] > kernel.shape[outputs]:
        kernel, bias = torch.cat([kernel, kernel], outputs), torch.cat([bias, bias])
    if new.weight.shape[inputs] > kernel.shape[inputs]:
        kernel = shared_out(kernel, inputs, random)
    set_kernel(new, kernel)
    new.bias.data.copy_(bias)


def widen(old: Any, seed: int = 0) -> EncodecModel:
    """A codec of twice the filters with the same codes, whose decoder plays the same."""
    random = torch.Generator().manual_seed(seed)
    new: Any = EncodecModel(codec_config(2 * old.config.num_filters))
    for mine, theirs in zip(codebooks(new), codebooks(old), strict=True):
        mine.load_state_dict(theirs.state_dict())
    for a, b in zip(layers_of(old.encoder), layers_of(new.encoder), strict=True):
        pad_layer(a, b)
    for a, b in zip(layers_of(old.decoder), layers_of(new.decoder), strict=True):
        double_layer(a, b, random)
    widened: EncodecModel = new.train(False)
    return widened


def main() -> None:
    """Read the command line and widen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", type=Path, default=Path("runs/shipped/codec.pt"))
    parser.add_argument("--out", type=Path, default=Path("runs/wide/codec.pt"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    checkpoint(arguments.out, widen(load_codec(arguments.codec), arguments.seed), [], 0, 0.0)


if __name__ == "__main__":
    main()
