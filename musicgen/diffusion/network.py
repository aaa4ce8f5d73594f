"""The network that estimates the noise in a noisy sound."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicgen.decoder import sinusoids

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Shape:
    """Of a network.

    Attributes
    ----------
    widths
        Channels of the sound, then after every layer down.
    kernel, stride, residuals, groups
        Of every layer: its convolution, how many residual blocks follow, and the groups of its norms.
    steps
        Training steps that it has embeddings for.
    embeds_everywhere
        Whether every layer down is told the step, or the first one only.
    latent
        Features of the codec's latents.
    bottleneck
        "lstm", "transformer", or "cross": a transformer that looks at the latents by cross-attention.
    """

    widths: tuple[int, ...]
    kernel: int
    stride: int
    residuals: int
    groups: int
    steps: int
    embeds_everywhere: bool
    latent: int
    bottleneck: str


class Unet(nn.Module):
    """Estimates the noise in a noisy sound. Modules are called as in AudioCraft's ``DiffusionUnet``, whose weights they
    take.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(shape.widths))
        self.encoders = nn.ModuleList(_Down(above, below, shape) for above, below in pairs)
        self.decoders = nn.ModuleList(_Up(below, above, shape) for above, below in reversed(pairs))
        self.embedding = nn.Embedding(shape.steps, shape.widths[1])
        told = shape.widths[2:] if shape.embeds_everywhere else ()
        self.embeddings = nn.ModuleList(nn.Embedding(shape.steps, width) for width in told)
        self.conv_codec = nn.Conv1d(shape.latent, shape.widths[-1], 1)
        self._crosses = shape.bottleneck == "cross"
        if shape.bottleneck == "lstm":
            self.bilstm = _Lstm(shape.widths[-1])
        else:
            self.transformer = _Transformer(shape.widths[-1], self._crosses)

    def forward(self, noisy: Tensor, step: int, latents: Tensor) -> Tensor:
        """The noise, (1, 1, samples), in a noisy sound of that shape, led by latents (1, features, frames)."""
        tables = [self.embedding, *self.embeddings]
        x, skipped = noisy, []
        for encoder, table in itertools.zip_longest(self.encoders, tables):
            x = encoder(x)
            if table is not None:
                x = x + table.weight[step][:, None]
            skipped.append(x)
        leading = self.conv_codec(latents)
        if self._crosses:
            x = self.transformer(x, leading)
        else:
            # the skip past the bottleneck is led, too: AudioCraft adds in place, and its weights are trained so
            skipped[-1] = x = x + F.interpolate(leading, x.shape[-1])
            x = self.bilstm(x) if hasattr(self, "bilstm") else self.transformer(x)
        for decoder in self.decoders:
            skip = skipped.pop()
            x = decoder(x[..., : skip.shape[-1]] + skip)
        noise: Tensor = x[..., : noisy.shape[-1]]
        return noise


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, width), nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return x + added


def _residuals(width: int, shape: Shape) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width, 2**i, shape.groups) for i in range(shape.residuals)))


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int, shape: Shape) -> None:
        super().__init__()
        padding = (shape.kernel - shape.stride) // 2
        self.conv = nn.Conv1d(inputs, outputs, shape.kernel, shape.stride, padding, bias=False)
        self.norm = nn.GroupNorm(shape.groups, outputs)
        self.res_blocks = _residuals(outputs, shape)

    def forward(self, x: Tensor) -> Tensor:
        filled = F.pad(x, (0, -x.shape[-1] % self.conv.stride[0]))
        out: Tensor = self.res_blocks(F.relu(self.norm(self.conv(filled))))
        return out


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, shape: Shape) -> None:
        super().__init__()
        padding = (shape.kernel - shape.stride) // 2
        self.res_blocks = _residuals(inputs, shape)
        self.norm = nn.GroupNorm(shape.groups, inputs)
        self.convtr = nn.ConvTranspose1d(inputs, outputs, shape.kernel, shape.stride, padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convtr(F.relu(self.norm(self.res_blocks(x))))
        return out


class _Lstm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, num_layers=2, bidirectional=True)
        self.linear = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.lstm(x.permute(2, 0, 1))[0])
        return out.permute(1, 2, 0)


class _Transformer(nn.Module):
    """Six layers of eight heads with sinusoidal positions, (1, width, time) to the same."""

    def __init__(self, width: int, crosses: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(width, crosses) for _ in range(6))

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        x, source = _positioned(x), None if source is None else _positioned(source)
        for layer in self.layers:
            x = layer(x, source)
        return x.transpose(1, 2)


def _positioned(x: Tensor) -> Tensor:
    """(1, width, time) to (1, time, width) with positions."""
    return x.transpose(1, 2) + torch.from_numpy(sinusoids(x.shape[2], x.shape[1])).to(x.device)


class _Layer(nn.Module):
    """A layer with its norms behind. What enters the layer asks in its cross-attention, too, as AudioCraft has it."""

    def __init__(self, width: int, crosses: bool) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 8, bias=False, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, 2048, bias=False), nn.Linear(2048, width, bias=False)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        if crosses:
            self.cross_attention = nn.MultiheadAttention(width, 8, bias=False, batch_first=True)
            self.norm_cross = nn.LayerNorm(width)

    def forward(self, x: Tensor, source: Tensor | None) -> Tensor:
        y = self.norm1(x + self.self_attn(x, x, x, need_weights=False)[0])
        if source is not None:
            y = self.norm_cross(y + self.cross_attention(x, source, source, need_weights=False)[0])
        out: Tensor = self.norm2(y + self.linear2(F.relu(self.linear1(y))))
        return out
