"""EnCodec decoding as a stream.

:class:`ExactDecoder` gives, for any chunk schedule, the samples that decoding the whole clip at once would give: every
layer carries its own state, nothing is computed twice. :class:`OverlapAddDecoder` decodes chunks without state and
crossfades them: the rule of codecs that are defined on chunks, and a choice for the others.

:class:`NativeDecoder` is the exact decoder in the native library, and :class:`ExactDecoder` what it is compared with.

Weights and state are separate: :class:`CodecWeights` is immutable and shared by any number of streams,
:class:`CodecState` belongs to one, and :func:`decode_step` is the function between them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from musicgen.codec.batched import decode_many
from musicgen.codec.decoders import Decoder, open_decoder
from musicgen.codec.native import NativeCodec, NativeDecoder, native_refusal
from musicgen.codec.native_encoder import NativeEncoder
from musicgen.codec.seanet import read_codec, read_encoder
from musicgen.codec.weights import CodecWeights, EncoderWeights, look_ahead

if TYPE_CHECKING:
    from musicgen.codec.exact import CodecState, decode_step, new_state
    from musicgen.codec.half import fastest, in_half
    from musicgen.codec.matrix import multiplies_natively
    from musicgen.codec.tensors import codec_weights, in_torch
    from musicgen.codec.with_torch import ExactDecoder, OverlapAddDecoder

__all__ = [
    "CodecState",
    "CodecWeights",
    "Decoder",
    "EncoderWeights",
    "ExactDecoder",
    "NativeCodec",
    "NativeDecoder",
    "NativeEncoder",
    "OverlapAddDecoder",
    "codec_weights",
    "decode_many",
    "decode_step",
    "fastest",
    "in_half",
    "in_torch",
    "look_ahead",
    "multiplies_natively",
    "native_refusal",
    "new_state",
    "open_decoder",
    "read_codec",
    "read_encoder",
]

_WITH_TORCH = {
    "exact": ("CodecState", "decode_step", "new_state"),
    "half": ("fastest", "in_half"),
    "matrix": ("multiplies_natively",),
    "tensors": ("codec_weights", "in_torch"),
    "with_torch": ("ExactDecoder", "OverlapAddDecoder"),
}


def __getattr__(name: str) -> Any:
    """Import what computes with torch when it is asked for: torch takes a second or two."""
    for module, names in _WITH_TORCH.items():
        if name in names:
            return getattr(import_module(f"musicgen.codec.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
