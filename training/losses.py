"""Spectral distances between two waveforms: what the codec is trained on and judged by."""

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch.nn import functional as F

WINDOWS = (2048, 1024, 512, 256, 128)
MELS = {2048: 128, 1024: 80, 512: 48, 256: 24, 128: 12}
LOW = 2000  # Hz: below, ears hear pitches; above, mostly envelopes
FLOOR = 1e-4  # magnitudes below -80 dB are as good as silence: without a floor the logarithm would fit noise


@cache
def _window(size: int, device: torch.device) -> torch.Tensor:
    return torch.hann_window(size, device=device)


@cache
def _filters(size: int, bins: int, rate: int, device: torch.device) -> torch.Tensor:
    # Triangles evenly spaced on the mel scale (2595 log10(1 + f / 700)), each of unit sum where bins are dense enough.
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(2595 * math.log10(1 + 20 / 700), top, bins + 2) / 2595) - 1)
    bin_hz = torch.linspace(0, rate / 2, size // 2 + 1)[:, None]
    rising = (bin_hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bin_hz) / (edges[2:] - edges[1:-1])
    bank = torch.minimum(rising, falling).clamp_min(0)
    return (bank * (2 * rate / size) / (edges[2:] - edges[:-2])).to(device)


def spectrum(audio: torch.Tensor, size: int) -> torch.Tensor:
    """Complex STFT with a Hann window and a hop of a quarter, scaled so that a full-scale sine has magnitude 1.

    Parameters
    ----------
    audio
        float32, (batch, samples).
    size
        Window in samples.

    Returns
    -------
    torch.Tensor
        complex64, (batch, size / 2 + 1, windows).
    """
    window = _window(size, audio.device)
    transformed = torch.stft(audio, size, size // 4, window=window, center=True, return_complex=True)
    return transformed * (4 / size)


def log_mel(magnitude: torch.Tensor, size: int, rate: int) -> torch.Tensor:
    """Natural logarithm of mel-band magnitudes, (batch, windows, bins)."""
    bands = magnitude.mT @ _filters(size, MELS[size], rate, magnitude.device)
    return bands.clamp_min(FLOOR).log()


def spectral_losses(
    output: torch.Tensor, target: torch.Tensor, rate: int, windows: Sequence[int] = WINDOWS, low: int = LOW
) -> dict[str, torch.Tensor]:
    """Distances averaged over window sizes.

    Parameters
    ----------
    output, target
        float32, (batch, samples).
    rate
        Sample rate in Hz.
    windows
        Some of `WINDOWS`: training draws a few for each step, which costs less and is right on average.
    low
        Hz below which phase counts.

    Returns
    -------
    dict
        ``mel``: L1 of log-mel magnitudes. ``stft``: spectral convergence plus L1 of log magnitudes (Yamamoto et al.
        2020). ``complex``: L1 of the complex difference below ``low`` Hz relative to the target's magnitude there: the
        only term that hears phase.
    """
    totals = {"mel": output.new_zeros(()), "stft": output.new_zeros(()), "complex": output.new_zeros(())}
    for size in windows:
        a, b = spectrum(output, size), spectrum(target, size)
        # The gradient of |z| is undefined at 0, hence the small constant.
        mag_a, mag_b = (a.real**2 + a.imag**2 + 1e-10).sqrt(), b.abs()
        totals["mel"] += F.l1_loss(log_mel(mag_a, size, rate), log_mel(mag_b, size, rate))
        bins = low * size // rate + 1
        difference = a[:, :bins] - b[:, :bins]
        convergence = (mag_a - mag_b).norm() / mag_b.norm().clamp_min(1e-3)
        totals["stft"] += convergence + F.l1_loss(mag_a.clamp_min(FLOOR).log(), mag_b.clamp_min(FLOOR).log())
        error = (difference.real**2 + difference.imag**2 + 1e-10).sqrt().mean()
        totals["complex"] += error / mag_b[:, :bins].mean().clamp_min(1e-4)
    return {name: total / len(windows) for name, total in totals.items()}


def level_distance(output: torch.Tensor, target: torch.Tensor, rate: int) -> torch.Tensor:
    """How far the levels of mel bands over each whole clip lie apart: mean over bands, natural logarithm of magnitude.

    Distances between moments, and those that hear phase most of all, reward what is quieter wherever the moment cannot
    be foretold. Power over a while can be.
    """
    a, b = (_band_powers(audio, rate) for audio in (output, target))
    return 0.5 * (a.log() - b.log()).abs().mean()


def _band_powers(audio: torch.Tensor, rate: int, size: int = 2048) -> torch.Tensor:
    """Mean power of the mel bands, (batch, bands); no less than `FLOOR` squared."""
    z = spectrum(audio, size)
    power = (z.real**2 + z.imag**2).mean(2)
    return (power @ _filters(size, MELS[size], rate, audio.device)).clamp_min(FLOOR**2)


def si_sdr(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, mean over the batch (Le Roux et al. 2019)."""
    scale = (output * target).sum(-1, keepdim=True) / target.pow(2).sum(-1, keepdim=True).clamp_min(1e-8)
    noise = output - scale * target
    ratio = (scale * target).pow(2).sum(-1) / noise.pow(2).sum(-1).clamp_min(1e-8)
    return 10 * ratio.clamp_min(1e-8).log10().mean()
