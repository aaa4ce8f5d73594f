"""numpy's arrays and torch's tensors, side by side: torch is not imported for what needs none."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = Any
"""An array of numpy or a tensor of torch."""


def as_numpy(array: Array) -> NDArray[Any]:
    """numpy's array, in the type of the given one where numpy has that, else float32."""
    if isinstance(array, np.ndarray):
        return array
    tensor = array.detach().cpu()
    lacking = str(tensor.dtype).removeprefix("torch.").startswith(("bfloat", "float8", "float4"))
    numbers: NDArray[Any] = (tensor.float() if lacking else tensor).numpy()
    return numbers


def floats(array: Array) -> NDArray[np.float32]:
    """An array as one of float32, itself where it is one."""
    return widened(as_numpy(array)).astype(np.float32, copy=False)


def widened(array: NDArray[Any]) -> NDArray[Any]:
    """An array of float16 as one of float32, others as they are.

    By moving bits, some fifteen times as fast as numpy does it: exponent and fraction keep their places beside each
    other, and a product makes up for the exponents' different zeros. It is exact, subnormal numbers included.
    """
    wide = widened_finite(array)
    # from 65536 on it was infinity or none
    known = wide is array or not wide.size or max(wide.max(), -wide.min()) < 65536
    return wide if known else array.astype(np.float32)


def widened_finite(array: NDArray[Any]) -> NDArray[Any]:
    """As `widened`, of an array without infinity and NaN: nobody looks for them."""
    if array.dtype != np.float16:
        return array
    bits = array.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= _SIGN_AND_NUMBER
    wide: NDArray[np.float32] = bits.view(np.float32)
    wide *= _EXPONENTS
    return wide


_SIGN_AND_NUMBER = np.int32(0x8FFFE000 - 2**32)
_EXPONENTS = np.float32(2.0**112)
