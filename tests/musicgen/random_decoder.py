"""Decoders with random weights, of any size, without a checkpoint around them."""

import torch
from torch import Tensor

from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights, sinusoids


def random_decoder(
    *,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 2,
    codebooks: int = 4,
    vocabulary: int = 64,
    positions: int = 1200,
    cross: bool = True,
    activation: str = "gelu",
    seed: int = 0,
) -> DecoderWeights:
    """A decoder whose logits (standard deviation about 2) depend on prompt and past, as a trained one's do."""
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Tensor:
        return torch.randn(rows, columns, generator=generator).mul_(scale * rows**-0.5)

    def norm() -> tuple[Tensor, Tensor]:
        return 1 + 0.1 * torch.randn(hidden, generator=generator), 0.1 * torch.randn(hidden, generator=generator)

    def layer() -> LayerWeights:
        attention = CrossWeights(norm(), matrix(hidden, hidden), matrix(hidden, 2 * hidden), matrix(hidden, hidden))
        return LayerWeights(
            self_norm=norm(),
            qkv=matrix(hidden, 3 * hidden),
            self_out=matrix(hidden, hidden),
            cross=attention if cross else None,
            feed_norm=norm(),
            feed_in=matrix(hidden, 4 * hidden),
            feed_out=matrix(4 * hidden, hidden),
        )

    return DecoderWeights(
        embed=torch.randn(codebooks * (vocabulary + 1), hidden, generator=generator),
        offsets=torch.arange(codebooks) * (vocabulary + 1),
        positions=torch.from_numpy(sinusoids(positions, hidden)),
        layers=tuple(layer() for _ in range(layers)),
        norm=norm(),
        heads=matrix(hidden, codebooks * vocabulary, 2.0),
        activation=activation,
        head_count=heads,
    )
