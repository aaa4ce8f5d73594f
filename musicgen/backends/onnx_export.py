"""A decoder's weights on disk, for ONNX: matrices of 8 bits, quantised as ONNX Runtime's ``MatMulNBits`` takes them.

One safetensors file holds them; :mod:`musicgen.backends.onnx_graph` refers to it, and ONNX Runtime maps it.
"""

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub.constants import HF_HOME
from onnx import TensorProto
from safetensors.torch import save_file
from torch import Tensor

from musicgen.backends.torch_step import TorchBackend, embed, prefill
from musicgen.decoder import DecoderWeights
from musicgen.errors import ModelError
from musicgen.past.policy import StreamingPolicy

Progress = Callable[[int, int], None]
"""Called with what is done and the total, in weights."""

VERSION = "2"  # of what export writes: files of another version are left alone
BLOCK = 128  # weights that share a scale
PROBES = 64  # random columns whose keys and values are looked at, in each of two rows
HEADROOM = 2.5  # of the 8-bit range over their peaks. nano's own music goes 1.2 times beyond them, in one channel 2.6
STALE = 3600  # seconds after which an unfinished file is nobody's
PACKAGE = Path(__file__).parents[1]

PARTS = ("key", "value")
TYPES = {"F32": TensorProto.FLOAT, "U8": TensorProto.UINT8}  # safetensors' names


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in the file."""

    type: int  # of onnx
    shape: tuple[int, ...]
    offset: int  # bytes from the file's start
    length: int  # bytes


@dataclass(frozen=True)
class Exported:
    """A decoder on disk.

    Attributes
    ----------
    path
        The file.
    entries
        Its tensors by name.
    layers, hidden, heads, codebooks, vocabulary
        Of the decoder.
    activation
        "gelu", "relu" or "silu".
    cross
        Whether it attends to prompts.
    """

    path: Path
    entries: dict[str, Entry]
    layers: int
    hidden: int
    heads: int
    codebooks: int
    vocabulary: int
    activation: str
    cross: bool

    @property
    def head_size(self) -> int:
        """Of a key or value."""
        return self.hidden // self.heads


# --- the file


def export(weights: DecoderWeights, folder: Path | None, progress: Progress | None = None) -> Exported:
    """Quantise a decoder, or find it as an earlier call left it.

    The file is named after what is in the weights, so it is made anew where they change, and it is whole or not there.

    Parameters
    ----------
    folder
        Of the checkpoint: the file is put there. None, or a folder that cannot be written: into the user's cache.
    progress
        Told how far it is while it quantises.

    Raises
    ------
    ModelError
        The file can be written nowhere.
    """
    name = f"decoder-{content_hash(weights)[:16]}.onnx-int8.safetensors"
    for place in _places(folder):
        found = _open(place / name)
        if found is not None:
            return found
    tensors = _quantise(weights, progress)
    about = {
        "layers": len(weights.layers),
        "hidden": weights.hidden,
        "heads": weights.head_count,
        "codebooks": weights.codebooks,
        "vocabulary": weights.vocabulary,
        "activation": weights.activation,
        "cross": weights.layers[0].cross is not None,
    }
    for place in _places(folder):
        try:
            _save(tensors, about, place / name)
        except OSError as error:
            reason = error
            continue
        written = _open(place / name)
        if written is not None:
            return written
        reason = OSError("what was written cannot be read back")
    raise ModelError(
        f"The 8-bit weights cannot be stored ({reason}): make room in {_places(folder)[-1]} and try again."
    )


def content_hash(weights: DecoderWeights) -> str:
    """Of everything in the weights that the file depends on, and of how it is made."""
    tensors = [weights.embed, weights.positions, *weights.norm, weights.heads]
    for layer in weights.layers:
        tensors += [*layer.self_norm, layer.qkv, layer.self_out, *layer.feed_norm, layer.feed_in, layer.feed_out]
        if layer.cross is not None:
            tensors += [*layer.cross.norm, layer.cross.q, layer.cross.out]
    total = hashlib.sha256(f"{VERSION} {BLOCK} {weights.head_count} {weights.activation}".encode())
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # hashing frees the interpreter
        for digest in pool.map(_digest, tensors):
            total.update(digest)
    return total.hexdigest()


def _digest(tensor: Tensor) -> bytes:
    head = f"{tensor.dtype} {tuple(tensor.shape)}".encode()
    return hashlib.sha256(head + hashlib.sha256(_bytes(tensor)).digest()).digest()


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data


def _checksum(about: dict[str, Any], parts: Iterator[tuple[str, tuple[int, ...], memoryview]]) -> int:
    """Of a description and of tensors in the order of their names: name, shape, bytes."""
    crc = zlib.crc32(json.dumps(about, sort_keys=True).encode())
    for name, shape, data in parts:
        crc = zlib.crc32(data, zlib.crc32(f"{name} {shape}".encode(), crc))
    return crc


def _places(folder: Path | None) -> list[Path]:
    cache = Path(HF_HOME) / "musicgen-streamer"  # where the user lets models take room
    # a model that comes with the package lies among its code, which is no place for files of the user
    return [cache] if folder is None or folder.is_relative_to(PACKAGE) else [folder, cache]


def _save(tensors: dict[str, Tensor], about: dict[str, Any], path: Path) -> None:
    """Write under another name, then rename: nobody ever sees half a file."""
    checksum = _checksum(about, ((name, tuple(tensors[name].shape), _bytes(tensors[name])) for name in sorted(tensors)))
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.*.part"):  # by one that was killed; a younger one may still be writing
        if time.time() - left.stat().st_mtime > STALE:
            left.unlink(missing_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        save_file(tensors, temporary, {"decoder": json.dumps(about | {"crc32": checksum})})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _open(path: Path) -> Exported | None:
    """The file as it was written; None where there is none or it is damaged."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        about = json.loads(header.pop("__metadata__")["decoder"])
        entries = {name: _entry(fields, 8 + size) for name, fields in header.items()}
        if about.pop("crc32") != _checksum(about, _file_parts(path, entries)):
            return None
        return Exported(path, entries, **about)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError, OverflowError):
        return None


def _entry(fields: dict[str, Any], start: int) -> Entry:
    first, end = fields["data_offsets"]
    return Entry(TYPES[fields["dtype"]], tuple(fields["shape"]), start + first, end - first)


def _file_parts(path: Path, entries: dict[str, Entry]) -> Iterator[tuple[str, tuple[int, ...], memoryview]]:
    data = np.memmap(path, np.uint8, "r")
    for name, entry in sorted(entries.items()):
        yield name, entry.shape, data[entry.offset : entry.offset + entry.length].data


# --- the weights


def _quantise(weights: DecoderWeights, progress: Progress | None) -> dict[str, Tensor]:
    """Everything that the graph refers to, by name."""
    tensors: dict[str, Tensor] = {}
    done, total = 0, weights.step_size
    # one row more, of zeros: what is looked up where the inputs come embedded already
    tensors["embedding_table"] = F.pad(weights.embed.float().cpu(), (0, 0, 0, 1))
    tensors["position_table"] = weights.positions.float().cpu().contiguous()
    for name, (scale, shift) in _norms(weights):
        tensors[f"{name}.scale"], tensors[f"{name}.shift"] = scale.float().cpu().clone(), shift.float().cpu().clone()
    for name, matrix in _matrices(weights):
        tensors[f"{name}.weight"], tensors[f"{name}.scales"] = quantise_matrix(matrix)
        done += matrix.numel()
        if progress is not None:
            progress(done, total)
    for index, scales in enumerate(past_scales(weights)):
        for part, values in zip(PARTS, scales, strict=True):
            tensors[f"layers.{index}.{part}_scales"] = values[None, :, None].clone()
    return tensors


def _norms(weights: DecoderWeights) -> Iterator[tuple[str, tuple[Tensor, Tensor]]]:
    for index, layer in enumerate(weights.layers):
        yield f"layers.{index}.self_norm", layer.self_norm
        if layer.cross is not None:
            yield f"layers.{index}.cross_norm", layer.cross.norm
        yield f"layers.{index}.feed_norm", layer.feed_norm
    yield "norm", weights.norm


def _matrices(weights: DecoderWeights) -> Iterator[tuple[str, Tensor]]:
    for index, layer in enumerate(weights.layers):
        yield f"layers.{index}.qkv", layer.qkv
        yield f"layers.{index}.self_out", layer.self_out
        if layer.cross is not None:
            yield f"layers.{index}.cross_q", layer.cross.q
            yield f"layers.{index}.cross_out", layer.cross.out
        yield f"layers.{index}.feed_in", layer.feed_in
        yield f"layers.{index}.feed_out", layer.feed_out
    yield "heads", weights.heads


def quantise_matrix(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix (in, out) in 8 bits, a scale for every output and BLOCK inputs.

    Returns
    -------
    weight
        (out, blocks, BLOCK) uint8, 128 for zero; the last block is filled up with it.
    scales
        (out, blocks) float32.
    """
    rows = matrix.detach().cpu().float().t().contiguous()
    rows = F.pad(rows, (0, -rows.shape[1] % BLOCK)).view(len(rows), -1, BLOCK)
    scales = rows.abs().amax(2) / 127
    weight = torch.round(rows / scales.clamp(min=1e-30)[:, :, None]) + 128
    return weight.to(torch.uint8), scales


@torch.inference_mode()
def past_scales(weights: DecoderWeights) -> Tensor:
    """What one level of the 8-bit keys and values is worth: (layers, 2, heads, head size) float32.

    A fixed range for every channel, from the keys and values of random columns: how far a channel goes depends on the
    weights far more than on the music.
    """
    generator = torch.Generator().manual_seed(0)
    columns = torch.randint(weights.vocabulary, (2, PROBES, weights.codebooks), generator=generator)
    reference = TorchBackend(weights, torch.get_num_threads())
    state = reference.new_state(StreamingPolicy(keep=1, max_position=PROBES + 1))
    prefill(weights, state, embed(weights, columns.to(weights.device)), (None, None))
    past: Tensor = state.memory[0, :, :, :, :, :PROBES].float().cpu()
    return past.abs().amax((2, 4)).clamp(min=1e-6) * HEADROOM / 127
