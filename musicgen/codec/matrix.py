"""Matrix products of few rows, which is what a small chunk makes of every layer.

Most of their time goes into reading the weights. oneDNN reads them in one sweep once they are laid out for it
("packed"); the same product from plain rows takes up to twice as long when the weights come from memory.
"""

from __future__ import annotations

import torch
from torch import Tensor

from musicgen.codec.weights import Matrix

# Smaller float32 weights are read from the processor's caches, and the plain product with its cheaper call wins.
PACKED_FROM = 8 * 1024 * 1024  # bytes


def matrix(weight: Tensor, rows: int | None = None) -> Matrix:
    """Lay out a weight (in, out) for its device and type, and for ``rows`` rows at a time if that is known."""
    if not _worth_packing(weight, rows):
        return Matrix(weight.clone(memory_format=torch.contiguous_format), packed=False)
    return Matrix(torch.ops.mkldnn._reorder_linear_weight(weight.T.contiguous()), packed=True)


def multiply(matrix: Matrix, x: Tensor, bias: Tensor | None = None, add: Tensor | None = None) -> Tensor:
    """``x @ weight + bias + add``: x is (n, in), contiguous, bias (out,), add (n, out); the result is a new tensor."""
    if matrix.packed:
        return _multiply_packed(matrix, x, bias, add)
    if bias is None:
        return torch.mm(x, matrix.weight) if add is None else torch.addmm(add, x, matrix.weight)
    y = torch.addmm(bias, x, matrix.weight)
    return y if add is None else y.add_(add)


def _multiply_packed(matrix: Matrix, x: Tensor, bias: Tensor | None, add: Tensor | None) -> Tensor:
    product = torch.ops.mkldnn._linear_pointwise
    if add is None:
        y: Tensor = product(x, matrix.weight, bias, "none", [], "")
    else:
        y = product.binary(x, add, matrix.weight, bias, "add")
    return y


def _worth_packing(weight: Tensor, rows: int | None) -> bool:
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if weight.dtype == torch.float32:
        return rows != 1 and weight.numel() * weight.element_size() >= PACKED_FROM
    return weight.dtype in (torch.float16, torch.bfloat16) and multiplies_natively(weight.dtype)


def multiplies_natively(dtype: torch.dtype) -> bool:
    """Whether this processor multiplies numbers of this type itself; where not, half precision is slow."""
    if dtype == torch.float16:
        return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return True
