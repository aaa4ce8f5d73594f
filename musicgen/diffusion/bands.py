"""A sound as bands that are equally wide in mel, and as strong as another's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import scipy.fft
import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    pass

EQUALISER_BANDS = 32


def lowpass_filters(bands: int, rate: int) -> Tensor:
    """Low-passes (bands - 1, taps) between bands that are equally wide in mel: sinc functions under a Hann window that
    holds 8 zero crossings of the lowest one (as julius has them).
    """
    top = 2595 * math.log10(1 + rate / 2 / 700)
    cutoffs = [700 * (10 ** (top * i / bands / 2595) - 1) / rate for i in range(1, bands)]
    half = int(8 / cutoffs[0] / 2)
    time = torch.arange(-half, half + 1, dtype=torch.float64)
    window = torch.hann_window(2 * half + 1, periodic=False, dtype=torch.float64)
    filters = torch.stack([2 * cutoff * torch.sinc(2 * cutoff * time) * window for cutoff in cutoffs])
    return (filters / filters.sum(1, keepdim=True)).float()


def split_bands(sound: Tensor, filters: Tensor) -> Iterator[Tensor]:
    """The bands of a sound (samples,) from the lowest to the highest, as long as it is. Their sum is the sound."""
    half = filters.shape[1] // 2
    padded = F.pad(sound[None, None], (half, half), mode="replicate")[0, 0]
    size = scipy.fft.next_fast_len(len(padded), real=True)  # what wraps around falls on what is cut off
    spectrum = torch.fft.rfft(padded, size)
    below = torch.zeros_like(sound)
    for taps in filters:
        low = torch.fft.irfft(spectrum * torch.fft.rfft(taps, size), size)[2 * half :][: len(sound)]
        yield low - below
        below = low
    yield sound - below


def equalise(sound: Tensor, reference: Tensor, rate: int) -> Tensor:
    """The sound (samples,) with every one of `EQUALISER_BANDS` bands as strong as in the reference."""
    filters = lowpass_filters(EQUALISER_BANDS, rate).to(sound.device)
    out = torch.zeros_like(sound)
    for band, wanted in zip(split_bands(sound, filters), split_bands(reference, filters), strict=True):
        strength = band.std()
        if strength > 0:  # a silent band has nothing to be made louder
            out += band * (wanted.std() / strength)
    return out
