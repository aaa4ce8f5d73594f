"""A codec's weights in torch: where it computes, and in which precision."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from musicgen.arrays import Array
from musicgen.codec.matrix import matrix
from musicgen.codec.seanet import read_codec
from musicgen.codec.weights import CodecWeights, Conv, Layer, Lstm, Matrix, Residual, dense
from musicgen.load.tensors import Tensors

if TYPE_CHECKING:
    from transformers import EncodecModel


def codec_weights(model: EncodecModel, codebooks: int | None = None, dtype: torch.dtype | None = None) -> CodecWeights:
    """Take the decoder's weights out of transformers' EnCodec, on its device; see :func:`read_codec`.

    Parameters
    ----------
    model
        Any configuration: causal or not, reflect or constant padding, weight norm or time group norm.
    codebooks
        How many of the codec's codebooks the language model uses, the first ones; all of them by default.
    dtype
        To compute in; the model's own by default.

    Returns
    -------
    CodecWeights
        Independent of ``model``, which may be dropped.
    """
    config: dict[str, Any] = model.config.to_dict()
    count = codebooks or int(getattr(model.config, "num_quantizers", 0))
    wide = np.float64 if model.dtype == torch.float64 else np.float32
    read = read_codec(config, Tensors(model.state_dict(), dtype=wide), count)
    return in_torch(read, str(model.device), dtype or model.dtype)


def in_torch(weights: CodecWeights, device: str, dtype: torch.dtype) -> CodecWeights:
    """The same codec as tensors of their own, laid out for the device and the type to compute in.

    Half precision halves what is read (docs/codec.md has the error). The last layer stays in float32: it would save
    little there and round every sample.
    """

    def tensor(array: Array, kind: torch.dtype) -> Tensor:
        return torch.as_tensor(array).to(device, kind, copy=True)

    def laid_out(given: Matrix, kind: torch.dtype, rows: int | None = None) -> Matrix:
        return matrix(torch.as_tensor(dense(given)).to(device, kind), rows)

    def conv(own: Conv) -> Conv:
        kind = torch.promote_types(dtype, torch.float32) if own.narrow else dtype
        norm = None if own.norm is None else (tensor(own.norm[0], kind), tensor(own.norm[1], kind))
        return replace(own, matrix=laid_out(own.matrix, kind), bias=tensor(own.bias, kind), norm=norm)

    def layer(own: Layer) -> Layer:
        if isinstance(own, Conv):
            return conv(own)
        if isinstance(own, Residual):
            shortcut = None if own.shortcut is None else conv(own.shortcut)
            return Residual(conv(own.convolve), conv(own.project), shortcut)
        gates = (
            (laid_out(weight, dtype), laid_out(recurrent, dtype, rows=1), tensor(bias, dtype))
            for weight, recurrent, bias in own.layers
        )
        return Lstm(tuple(gates), own.size)

    return replace(
        weights,
        table=tensor(weights.table, dtype),
        offsets=tensor(weights.offsets, torch.int64),
        layers=tuple(map(layer, weights.layers)),
    )
