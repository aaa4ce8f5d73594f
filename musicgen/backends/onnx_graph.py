"""The graph of a step: a few kilobytes, built in memory, that refer to the file of the weights.

Operators of the domain ``com.microsoft`` are described at
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from musicgen.backends.onnx_export import BLOCK, PARTS, Exported

ACCURACY = 4  # of MatMulNBits: the input is quantised too, by row and block, and the products are summed in integers
EPSILON = 1e-5  # of torch's layer norm
OPSET = 17  # of the standard operators: the first with LayerNormalization
IR_VERSION = 8


class Graph:
    """A graph being built: nodes in order, every one named after what it gives."""

    def __init__(self, exported: Exported) -> None:
        self.exported = exported
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.constants: list[Any] = []
        self._used: set[str] = set()

    def input(self, name: str, kind: int, shape: list[int | str]) -> str:
        """Ask for a tensor at every run."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: list[int | str]) -> None:
        """Give a tensor at every run."""
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def node(self, kind: str, inputs: list[str], name: str, *more: str, domain: str = "", **attributes: Any) -> str:
        """Compute ``name``, and ``more``; "" is an input or output that is left out."""
        self.nodes.append(helper.make_node(kind, inputs, [name, *more], name=name, domain=domain, **attributes))
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """A few values in the graph itself."""
        self.constants.append(onnx.numpy_helper.from_array(values, name))
        return name

    def stored(self, name: str) -> str:
        """A tensor of the file."""
        if name not in self._used:
            self._used.add(name)
            entry = self.exported.entries[name]
            tensor = TensorProto(name=name, data_type=entry.type, dims=entry.shape, data_location=TensorProto.EXTERNAL)
            place = {"location": self.exported.path.name, "offset": entry.offset, "length": entry.length}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            self.constants.append(tensor)
        return name

    def matmul(self, x: str, name: str, size: int) -> str:
        """``x`` (..., size) times a stored matrix."""
        inputs = [x, self.stored(f"{name}.weight"), self.stored(f"{name}.scales")]
        out = self.exported.entries[f"{name}.weight"].shape[0]
        return self.node(
            "MatMulNBits",
            inputs,
            name,
            domain="com.microsoft",
            K=size,
            N=out,
            bits=8,
            block_size=BLOCK,
            accuracy_level=ACCURACY,
        )

    def add_and_norm(self, x: str, change: str, name: str) -> tuple[str, str]:
        """``x + change``, and that normed."""
        inputs = [x, change, self.stored(f"{name}.scale"), self.stored(f"{name}.shift")]
        total = f"{name}.sum"
        normed = self.node(
            "SkipLayerNormalization", inputs, name, "", "", total, domain="com.microsoft", epsilon=EPSILON
        )
        return total, normed


def build(exported: Exported, streams: int) -> bytes:
    """The graph of a step of so many streams at once, as a serialised model that refers to the file by its name.

    The rows of a stream lie one behind the other: (conditional, null) for each lane. R: rows of all streams, R0, R1 ..
    of each; T: inputs of a row, 1 but in a prefill; P: positions that the memory of a stream has room for.

    Inputs: ``tokens`` (R, T, K) int64, rows of the embedding; ``positions`` (R, T) int64; ``extra`` float32, added
    to the embedding; ``wanted`` (W,) int64, which of the R * T inputs need logits; ``sections`` (streams,) int64,
    R0, R1 .., only for several streams; ``last.{stream}`` (R0,) int32, the position of a row's last input;
    ``total.{stream}`` (1,) int32, the largest of them + 1; ``past.{stream}.{layer}.{key | value}`` (R0, heads, P,
    head size); with cross-attention ``cross.{layer}.{key | value}`` (R, heads, S, head size) and ``cross_bias`` (R,
    1, T, S) float32, added to the scores. Outputs: ``logits`` (W, K * V) and ``present. ..``, which must be the
    very memory of ``past. ..``: then a step writes its own keys and values there, and copies nothing.
    """
    graph = Graph(exported)
    _declare(graph, streams)
    x = _embedding(graph)
    first = "layers.0.self_norm"
    normed = graph.node(
        "LayerNormalization",
        [x, graph.stored(f"{first}.scale"), graph.stored(f"{first}.shift")],
        first,
        epsilon=EPSILON,
    )
    size, feed = exported.hidden, exported.entries["layers.0.feed_in.weight"].shape[0]
    for index in range(exported.layers):
        layer = f"layers.{index}"
        attended = _self_attention(graph, graph.matmul(normed, f"{layer}.qkv", size), index, streams)
        change = graph.matmul(attended, f"{layer}.self_out", size)
        if exported.cross:
            x, normed = graph.add_and_norm(x, change, f"{layer}.cross_norm")
            attended = _cross_attention(graph, graph.matmul(normed, f"{layer}.cross_q", size), index)
            change = graph.matmul(attended, f"{layer}.cross_out", size)
        x, normed = graph.add_and_norm(x, change, f"{layer}.feed_norm")
        fed = _activation(graph, graph.matmul(normed, f"{layer}.feed_in", size), f"{layer}.activation")
        change = graph.matmul(fed, f"{layer}.feed_out", feed)
        last = index == exported.layers - 1
        x, normed = graph.add_and_norm(x, change, "norm" if last else f"layers.{index + 1}.self_norm")
    flat = graph.node("Reshape", [normed, graph.constant("flat", np.array([-1, size]))], "rows")
    graph.node(
        "Identity", [graph.matmul(graph.node("Gather", [flat, "wanted"], "wanted_rows"), "heads", size)], "logits"
    )
    body = helper.make_graph(graph.nodes, "step", graph.inputs, graph.outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    serialised: bytes = helper.make_model(body, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()
    return serialised


def _declare(graph: Graph, streams: int) -> None:
    """Inputs and outputs that are not a layer's."""
    exported = graph.exported
    graph.input("tokens", TensorProto.INT64, ["R", "T", exported.codebooks])
    graph.input("positions", TensorProto.INT64, ["R", "T"])
    graph.input("extra", TensorProto.FLOAT, ["R", "T", exported.hidden])
    graph.input("wanted", TensorProto.INT64, ["W"])
    if streams > 1:
        graph.input("sections", TensorProto.INT64, [streams])
    for stream in range(streams):
        graph.input(f"last.{stream}", TensorProto.INT32, [f"R{stream}"])
        graph.input(f"total.{stream}", TensorProto.INT32, [1])
    if exported.cross:
        graph.input("cross_bias", TensorProto.FLOAT, ["R", 1, "T", "S"])
    graph.output("logits", TensorProto.FLOAT, ["W", exported.codebooks * exported.vocabulary])


def _embedding(graph: Graph) -> str:
    looked_up = graph.node("Gather", [graph.stored("embedding_table"), "tokens"], "embedded")
    axis = graph.constant("codebook_axis", np.array([2]))
    summed = graph.node("ReduceSum", [looked_up, axis], "embedded.sum", keepdims=0)
    positions = graph.node("Gather", [graph.stored("position_table"), "positions"], "embedded.positions")
    placed = graph.node("Add", [summed, positions], "embedded.placed")
    return graph.node("Add", [placed, "extra"], "x")


def _self_attention(graph: Graph, qkv: str, index: int, streams: int) -> str:
    """Every stream attends to a memory of its own, so batches are put together without moving any."""
    parts = [qkv]
    if streams > 1:
        parts = [f"{qkv}.{stream}" for stream in range(streams)]
        graph.node("Split", [qkv, "sections"], *parts, axis=0)
    attended = [_stream_attention(graph, part, index, stream) for stream, part in enumerate(parts)]
    if streams == 1:
        return attended[0]
    return graph.node("Concat", attended, f"layers.{index}.attended", axis=0)


def _stream_attention(graph: Graph, qkv: str, index: int, stream: int) -> str:
    heads, size = graph.exported.heads, graph.exported.head_size
    past, present = [], []
    for part in PARTS:
        shape: list[int | str] = [f"R{stream}", heads, f"P{stream}", size]
        past.append(graph.input(f"past.{stream}.{index}.{part}", TensorProto.INT8, shape))
        present.append(f"present.{stream}.{index}.{part}")
        graph.output(present[-1], TensorProto.INT8, shape)
    scales = [graph.stored(f"layers.{index}.{part}_scales") for part in PARTS]
    inputs = [qkv, "", "", *past, f"last.{stream}", f"total.{stream}", *5 * [""], *scales]
    return graph.node(
        "GroupQueryAttention",
        inputs,
        f"layers.{index}.attended.{stream}",
        *present,
        domain="com.microsoft",
        num_heads=heads,
        kv_num_heads=heads,
        kv_cache_bit_width=8,
        k_quant_type="PER_CHANNEL",
        v_quant_type="PER_CHANNEL",
    )


def _cross_attention(graph: Graph, query: str, index: int) -> str:
    heads, size = graph.exported.heads, graph.exported.head_size
    shape: list[int | str] = ["R", heads, "S", size]
    keys, values = (graph.input(f"cross.{index}.{part}", TensorProto.FLOAT, shape) for part in PARTS)
    name = f"layers.{index}.cross_attended"
    inputs = [query, keys, values, "", "", "cross_bias"]
    return graph.node("MultiHeadAttention", inputs, name, domain="com.microsoft", num_heads=heads)


def _activation(graph: Graph, x: str, name: str) -> str:
    if graph.exported.activation == "gelu":
        return graph.node("Gelu", [x], name, domain="com.microsoft")
    if graph.exported.activation == "relu":
        return graph.node("Relu", [x], name)
    return graph.node("Mul", [x, graph.node("Sigmoid", [x], f"{name}.gate")], name)
