"""The decoder's weights: transformers' tensors, laid out for single steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import Array
from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights
from musicgen.errors import ModelError
from musicgen.load.tensors import Tensors

if TYPE_CHECKING:
    import torch

Make = Callable[[NDArray[Any]], Array]
"""What makes a decoder's weight of an array, which may be a view in any order: contiguous, wherever it is needed."""


def maker(device: str, dtype: torch.dtype | None) -> Make:
    """What makes the decoder's weights: numpy's arrays where every backend for a CPU can use them.

    Raises
    ------
    ModelError
        The device is not available.
    """
    if device == "cpu" and dtype is None:
        return np.ascontiguousarray
    import torch

    from musicgen.backends.torch_step import tensors

    try:
        torch.empty(0, device=torch.device(device))
    except (RuntimeError, AssertionError) as error:  # torch raises either for a device it was built without
        raise ModelError(f"The device '{device}' is not available here: use 'cpu'.") from error
    return tensors(device, dtype or torch.float32)


def decoder_weights(
    tensors: Tensors, shape: Any, positions: NDArray[np.float32], make: Make, *, cross: bool
) -> DecoderWeights:
    """The weights of transformers' ``MusicgenForCausalLM``, laid out for single steps.

    Parameters
    ----------
    shape
        Its configuration, by attributes.
    positions
        Their embeddings, see :func:`musicgen.decoder.sinusoids`.
    make
        What makes its weights.
    cross
        Whether its layers attend to the prompt; the melody models' do not.
    """
    size, inner, codebooks = shape.hidden_size, shape.ffn_dim, range(shape.num_codebooks)
    body = tensors.part("model.decoder")

    def matrix(part: Tensors, outputs: int, inputs: int, *names: str) -> Array:
        """Linear layers side by side, (in, sum of out)."""
        weights = [part.take(f"{name}.weight", outputs, inputs) for name in names]
        return make((weights[0] if len(weights) == 1 else np.concatenate(weights)).T)

    def norm(part: Tensors) -> tuple[Array, Array]:
        return make(part.take("weight", size)), make(part.take("bias", size))

    def cross_weights(part: Tensors) -> CrossWeights:
        attention = part.part("encoder_attn")
        return CrossWeights(
            norm=norm(part.part("encoder_attn_layer_norm")),
            q=matrix(attention, size, size, "q_proj"),
            kv=matrix(attention, size, size, "k_proj", "v_proj"),
            out=matrix(attention, size, size, "out_proj"),
        )

    def layer_weights(part: Tensors) -> LayerWeights:
        attention = part.part("self_attn")
        return LayerWeights(
            self_norm=norm(part.part("self_attn_layer_norm")),
            qkv=matrix(attention, size, size, "q_proj", "k_proj", "v_proj"),
            self_out=matrix(attention, size, size, "out_proj"),
            cross=cross_weights(part) if cross else None,
            feed_norm=norm(part.part("final_layer_norm")),
            feed_in=matrix(part, inner, size, "fc1"),
            feed_out=matrix(part, size, inner, "fc2"),
        )

    rows = shape.vocab_size + 1  # and the padding token
    tables = [body.take(f"embed_tokens.{k}.weight", rows, size) for k in codebooks]
    return DecoderWeights(
        embed=make(np.concatenate(tables)),
        offsets=np.arange(0, len(tables) * rows, rows),
        positions=make(positions),
        layers=tuple(layer_weights(body.part(f"layers.{i}")) for i in range(shape.num_hidden_layers)),
        norm=norm(body.part("layer_norm")),
        heads=matrix(tensors, shape.vocab_size, size, *(f"lm_heads.{k}" for k in codebooks)),
        activation=shape.activation_function,
        head_count=shape.num_attention_heads,
    )
