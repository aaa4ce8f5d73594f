"""Overlap-add: chunks decoded apart, weighted and added."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from musicgen.codec.exact import decode_step, new_state
from musicgen.codec.weights import CodecWeights


@dataclass(frozen=True)
class ChunkGrid:
    """Which frames each chunk decodes, and where its sound stands."""

    frames: int  # per chunk
    frame_step: int  # from one chunk's first frame to the next one's
    sample_step: int  # from one chunk's first sample to the next one's


@dataclass
class OverlapState:
    """The chunk to come, and the sound from its first sample on."""

    codes: Tensor  # (rows, codebooks, frames)
    sound: Tensor  # (rows, samples, audio_channels), the sum of the weighted chunks
    weight: Tensor  # (samples,), the sum of their weights


def chunk_grid(weights: CodecWeights, chunk_frames: int | None = None, overlap_frames: int | None = None) -> ChunkGrid:
    """The codec's own grid; for a codec without one, chunks of the given sizes (default: 25, a fifth shared)."""
    if weights.own_chunks is not None:
        if chunk_frames is not None or overlap_frames is not None:
            raise ValueError("This codec is defined on chunks of its own: leave chunk and overlap out.")
        frames, sample_step = weights.own_chunks
        return ChunkGrid(frames, frames, sample_step)
    chunk = 25 if chunk_frames is None else chunk_frames
    overlap = chunk // 5 if overlap_frames is None else overlap_frames
    if not 0 <= overlap < chunk:
        raise ValueError(f"Chunks of {chunk} frames cannot overlap by {overlap}: choose 0 to {chunk - 1}.")
    return ChunkGrid(chunk, chunk - overlap, (chunk - overlap) * weights.hop)


def new_overlap_state(weights: CodecWeights, rows: int = 1) -> OverlapState:
    """The state before the first frame."""
    return OverlapState(
        codes=weights.offsets.new_zeros(rows, weights.codebooks, 0),
        sound=weights.table.new_zeros(rows, 0, weights.audio_channels),
        weight=weights.table.new_zeros(0),
    )


@torch.inference_mode()
def overlap_step(
    weights: CodecWeights, grid: ChunkGrid, state: OverlapState, codes: Tensor, final: bool = False
) -> Tensor:
    """Like :func:`decode_step`, for chunks that know nothing of each other."""
    state.codes = torch.cat((state.codes, codes), 2)
    done = []
    while state.codes.shape[2] >= grid.frames:
        _add_chunk(weights, grid, state, state.codes[:, :, : grid.frames])
        state.codes = state.codes[:, :, grid.frame_step :]
        done.append(_take(state, grid.sample_step))
    if final:
        known = grid.frames - grid.frame_step if state.sound.shape[1] else 0
        if state.codes.shape[2] > known:
            _add_chunk(weights, grid, state, state.codes)
        done.append(_take(state, state.sound.shape[1]))
    return torch.cat(done, 1) if done else state.sound[:, :0]


def _add_chunk(weights: CodecWeights, grid: ChunkGrid, state: OverlapState, codes: Tensor) -> None:
    """Add a chunk under EnCodec's triangle: where two chunks overlap, their weights make a linear crossfade."""
    chunk = decode_step(weights, new_state(weights, codes.shape[0]), codes, final=True)
    samples = chunk.shape[1]
    position = torch.arange(1, samples + 1, device=chunk.device, dtype=chunk.dtype) / (grid.frames * weights.hop + 1)
    weight = 0.5 - (position - 0.5).abs()
    missing = max(0, samples - state.sound.shape[1])
    state.sound = F.pad(state.sound, (0, 0, 0, missing))
    state.weight = F.pad(state.weight, (0, missing))
    state.sound[:, :samples] += weight[:, None] * chunk
    state.weight[:samples] += weight


def _take(state: OverlapState, samples: int) -> Tensor:
    """The first samples, which no coming chunk reaches."""
    sound = state.sound[:, :samples] / state.weight[:samples, None]
    state.sound, state.weight = state.sound[:, samples:], state.weight[samples:]
    return sound
