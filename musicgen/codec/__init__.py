"""EnCodec decoding as a stream.

:class:`ExactDecoder` gives, for any chunk schedule, the samples that decoding the whole clip at once would give: every
layer carries its own state, nothing is computed twice. :class:`OverlapAddDecoder` decodes chunks without state and
crossfades them: the rule of codecs that are defined on chunks, and a choice for the others.

:class:`NativeDecoder` is the exact decoder in the native library, and :class:`ExactDecoder` what it is compared with.

Weights and state are separate: :class:`CodecWeights` is immutable and shared by any number of streams,
:class:`CodecState` belongs to one, and :func:`decode_step` is the function between them.
"""

from musicgen.codec.decoders import Decoder, ExactDecoder, OverlapAddDecoder, decode_many, open_decoder
from musicgen.codec.exact import CodecState, decode_step, new_state
from musicgen.codec.half import fastest, in_half
from musicgen.codec.matrix import multiplies_natively
from musicgen.codec.native import NativeCodec, NativeDecoder, native_refusal
from musicgen.codec.weights import CodecWeights, codec_weights, look_ahead, read_codec

__all__ = [
    "CodecState",
    "CodecWeights",
    "Decoder",
    "ExactDecoder",
    "NativeCodec",
    "NativeDecoder",
    "OverlapAddDecoder",
    "codec_weights",
    "decode_many",
    "decode_step",
    "fastest",
    "in_half",
    "look_ahead",
    "multiplies_natively",
    "native_refusal",
    "new_state",
    "open_decoder",
    "read_codec",
]
