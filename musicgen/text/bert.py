"""BERT as a text encoder, in numpy: what nano reads its prompts with, without the seconds that torch takes to import.

The architecture is that of Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", as
transformers' ``BertModel`` computes it (post-norm, learnt positions), for one text at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import floats, widened_finite
from musicgen.load.tensors import Tensors
from musicgen.sampling import softmax
from musicgen.text.activations import ACTIVATIONS

# BertConfig's own values, where a config.json names none. The others of its keys change nothing here.
DEFAULTS: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
_PLAIN = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}

Floats = NDArray[np.float32]
Kept = NDArray[Any]  # as the file has it: of float16 a prompt is sooner widened than as much again is kept
Linear = tuple[Kept, Floats]  # weight (in, out), bias (out,)
Norm = tuple[Floats, Floats]  # scale (d,), shift (d,)

_PIECE = 2**16
"""Weights that are widened at a time, for a product: as many as stay in the processor's second cache."""


@dataclass(frozen=True)
class Layer:
    """One layer. d: hidden size, f: intermediate size."""

    qkv: Linear  # (d, 3 d)
    out: Linear  # (d, d)
    out_norm: Norm
    feed_in: Linear  # (d, f)
    feed_out: Linear  # (f, d)
    feed_norm: Norm


@dataclass(frozen=True)
class Bert:
    """A BERT encoder. Immutable.

    Attributes
    ----------
    words
        (vocabulary, d).
    positions
        (longest, d), with the embedding of the first token type added: a prompt is one text.
    norm
        Of the embeddings.
    layers
        From the first to the last.
    activation
        Of the feed-forward parts.
    heads
        Attention heads.
    epsilon
        Of every norm.
    """

    words: Kept
    positions: Kept
    norm: Norm
    layers: tuple[Layer, ...]
    activation: Callable[[Floats], Floats]
    heads: int
    epsilon: float


def is_plain(config: dict[str, Any]) -> bool:
    """Whether the text encoder that a config.json describes is a BERT as it is computed here."""
    activation = config.get("hidden_act", DEFAULTS["hidden_act"])
    usual = all(config.get(name, value) == value for name, value in _PLAIN.items())
    return config.get("model_type") == "bert" and activation in ACTIVATIONS and usual


def read_bert(config: dict[str, Any], tensors: Tensors) -> Bert:
    """The weights of transformers' ``BertModel``; the pooler is left out.

    Raises
    ------
    ModelError
        A weight is missing or has another shape than the configuration says.
    """
    values = DEFAULTS | config
    size, inner = values["hidden_size"], values["intermediate_size"]

    def linear(part: Tensors, outputs: int, inputs: int, *names: str) -> Linear:
        """Layers with the same input, one beside the other. A product with few rows reads them from end to end."""
        weights = [part.take(f"{name}.weight", outputs, inputs, stored=True) for name in names]
        biases = [part.take(f"{name}.bias", outputs) for name in names]
        return np.ascontiguousarray(np.concatenate(weights).T), np.concatenate(biases)

    def norm(part: Tensors) -> Norm:
        return part.take("LayerNorm.weight", size), part.take("LayerNorm.bias", size)

    def layer(part: Tensors) -> Layer:
        return Layer(
            qkv=linear(part.part("attention.self"), size, size, "query", "key", "value"),
            out=linear(part.part("attention.output"), size, size, "dense"),
            out_norm=norm(part.part("attention.output")),
            feed_in=linear(part.part("intermediate"), inner, size, "dense"),
            feed_out=linear(part.part("output"), size, inner, "dense"),
            feed_norm=norm(part.part("output")),
        )

    embeddings = tensors.part("embeddings")
    types = embeddings.take("token_type_embeddings.weight", values["type_vocab_size"], size)
    positions = embeddings.take("position_embeddings.weight", values["max_position_embeddings"], size)
    return Bert(
        words=embeddings.take("word_embeddings.weight", values["vocab_size"], size, mapped=True),
        positions=positions + types[0],
        norm=norm(embeddings),
        layers=tuple(layer(tensors.part(f"encoder.layer.{i}")) for i in range(values["num_hidden_layers"])),
        activation=ACTIVATIONS[values["hidden_act"]],
        heads=values["num_attention_heads"],
        epsilon=values["layer_norm_eps"],
    )


def bert_states(bert: Bert, tokens: NDArray[np.int64]) -> Floats:
    """The last layer's states of one text: (S,) -> (S, d)."""

    def norm(x: Floats, weights: Norm) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(bert.epsilon))
        y: Floats = centred / spread * weights[0] + weights[1]
        return y

    x = norm(floats(bert.words[tokens]) + bert.positions[: len(tokens)], bert.norm)
    for layer in bert.layers:
        queries, keys, values = _linear(x, layer.qkv).reshape(len(x), 3, bert.heads, -1).transpose(1, 2, 0, 3)
        x = norm(x + _linear(_attended(queries, keys, values), layer.out), layer.out_norm)
        x = norm(x + _linear(bert.activation(_linear(x, layer.feed_in)), layer.feed_out), layer.feed_norm)
    return x


def _attended(queries: Floats, keys: Floats, values: Floats) -> Floats:
    """(heads, S, head size) each -> (S, d)."""
    heads, count, size = queries.shape
    scores = queries @ keys.transpose(0, 2, 1) * np.float32(size**-0.5)
    heard: Floats = softmax(scores) @ values
    joined: Floats = heard.transpose(1, 0, 2).reshape(count, heads * size)
    return joined


def _linear(x: Floats, weights: Linear) -> Floats:
    weight, y = weights
    rows = max(1, _PIECE // weight.shape[1])
    for start in range(0, len(weight), rows):
        piece = floats(widened_finite(weight[start : start + rows]))  # a file with others has been refused
        y = y + x[:, start : start + rows] @ piece
    return y
