"""Frames as they come from outside, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Codes: TypeAlias = "NDArray[np.integer[Any]] | Tensor"


def checked(codes: Codes, books: int, entries: int) -> NDArray[np.int64]:
    """Interleaved frames, int64 (books, frames), contiguous.

    Raises
    ------
    ValueError
        If there are not so many codebooks, or a code is no whole number below ``entries``.
    """
    values = codes if isinstance(codes, np.ndarray) else codes.cpu().numpy()
    if values.ndim != 2 or len(values) != books:
        raise ValueError(f"Codes have the shape {values.shape}: the codec needs ({books}, frames).")
    if values.dtype.kind not in "iu":
        raise ValueError(f"Codes are {values.dtype}: the codec needs integers.")
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < entries:
        raise ValueError(f"A code is outside 0 .. {entries - 1}, the codec's codebook.")
    return np.ascontiguousarray(values, np.int64)
