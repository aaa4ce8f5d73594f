"""The states of several streams as the state of one batch, and back."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from musicgen.codec.exact import CodecState


def phase(state: Any) -> Hashable:
    """What must be equal for streams to be stepped as one: all but the numbers in the tensors.

    Streams of one codec are in the same phase once each has begun and has played its start.
    """
    if isinstance(state, Tensor):
        return state.shape
    if isinstance(state, list):
        return tuple(phase(item) for item in state)
    if is_dataclass(state) and not isinstance(state, type):
        return tuple(phase(getattr(state, field.name)) for field in fields(state))
    assert isinstance(state, int)
    return state


def join(states: Sequence[CodecState]) -> CodecState:
    """One state with the rows of all, which are in the same phase."""
    state: CodecState = _join(states)
    return state


def _join(parts: Sequence[Any]) -> Any:
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(list(parts))
    if isinstance(first, list):
        return [_join(items) for items in zip(*parts, strict=True)]
    if is_dataclass(first) and not isinstance(first, type):
        names = [field.name for field in fields(first)]
        return replace(first, **{name: _join([getattr(part, name) for part in parts]) for name in names})
    return first


def take(state: Any, rows: slice) -> Any:
    """The state of these rows alone."""
    if isinstance(state, Tensor):
        return state[rows]
    if isinstance(state, list):
        return [take(item, rows) for item in state]
    if is_dataclass(state) and not isinstance(state, type):
        return replace(state, **{field.name: take(getattr(state, field.name), rows) for field in fields(state)})
    return state
