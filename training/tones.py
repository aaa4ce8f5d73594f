"""What distances between magnitudes of short windows do not hear: combs, tones that have become noise, smeared attacks.

A decoder without a source of noise likes to repeat a texture in every frame. That is a comb of lines at multiples of
the frame rate, far below the music in any one window, and plainly heard in all of them together.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional as F

from training.codec import HOP, RATE
from training.losses import FLOOR, spectrum

FRAME_RATE = RATE // HOP  # Hz
LOWEST, HIGHEST = 25, 320  # multiples of the frame rate that are watched: from 1250 Hz up
LAGS = (1, 2, 3, 4, 6, 8)  # frames
RHO_EDGES = (1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000, 10000, 12500, 16000)  # Hz
BY_CHANCE = 1.39  # log(1 + 3): frames that share nothing add up to more than 3 times their mean in 5 % of the bins
FINE = (4096, 8192)  # windows in samples that tell neighbouring partials apart
BARKS = (100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400,
         7700)  # Hz: critical bands (Zwicker 1961)  # fmt: skip
ATTACK_WINDOW, ATTACK_STEPS = 256, 3  # samples; hops of a quarter of it: 6 ms
ATTACK_EDGES = (300, 750, 1500, 2500, 4000, 6000, 9000, 12500, 16000)  # Hz


@cache
def _critical(device: torch.device) -> torch.Tensor:
    """Averages over a critical band around each multiple, (multiples, multiples)."""
    k = np.arange(LOWEST, HIGHEST)
    width = 24.7 * (4.37 * k * FRAME_RATE / 1000 + 1) / FRAME_RATE  # Glasberg & Moore 1990, in multiples
    near = np.abs(k[:, None] - k) <= np.maximum(width[:, None] / 2, 2)
    return torch.tensor(near / near.sum(1, keepdims=True), dtype=torch.float32, device=device)


@cache
def _bands(edges: Sequence[int], bin_hz: float, bins: int, first: int, device: torch.device) -> torch.Tensor:
    """Which bin is in which band, (bins, bands), 0 or 1."""
    hertz = (first + np.arange(bins)) * bin_hz
    inside = [(hertz >= low) & (hertz < high) for low, high in pairwise(edges)]
    return torch.tensor(np.stack(inside, 1), dtype=torch.float32, device=device)


def frame_spectra(audio: torch.Tensor) -> torch.Tensor:
    """Spectra of the codec's frames, (batch, frames, multiples from `LOWEST`); audio (batch, samples), whole frames."""
    spectra: torch.Tensor = torch.fft.rfft(audio.reshape(len(audio), -1, HOP))[..., LOWEST:HIGHEST]
    return spectra


def _power(z: torch.Tensor) -> torch.Tensor:
    power: torch.Tensor = z.real**2 + z.imag**2
    return power


def _coherence(mean: torch.Tensor, power: torch.Tensor, quiet: float) -> torch.Tensor:
    """Power of the mean frame over the mean power of its critical band: 1 / frames by chance, 1 for a comb."""
    coherence: torch.Tensor = _power(mean) / (power @ _critical(power.device).mT + quiet)
    return coherence


def comb_distance(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How much more of the output than of the target repeats in every frame, by clip and over the whole batch.

    Parameters
    ----------
    output, target
        float32, (batch, samples), beginning on the codec's frame.
    """
    x = frame_spectra(output)
    frames = x.shape[1]
    power, mean = _power(x).mean(1), x.mean(1)
    with torch.no_grad():
        y = frame_spectra(target)
        theirs = torch.log1p(frames * _coherence(y.mean(1), _power(y).mean(1), 1e-3)).clamp_min(BY_CHANCE)
    each = F.relu(torch.log1p(frames * _coherence(mean, power, 1e-3)) - theirs).mean()
    # The texture is the same in all music: together the clips tell it from chance better. Each counts alike.
    gain = (power.sum(1, keepdim=True) + 1e-2).rsqrt().detach()
    shared = _coherence((mean * gain).mean(0), (power * gain**2).mean(0), 1e-9)
    return each + F.relu(torch.log1p(len(x) * frames * shared) - BY_CHANCE).mean()


def _autocorrelation(audio: torch.Tensor) -> torch.Tensor:
    """Of the frames' spectra at `LAGS`, in the bands of `RHO_EDGES`: (lags, batch, bands), -1 to 1."""
    x = frame_spectra(audio)
    bands = _bands(RHO_EDGES, FRAME_RATE, HIGHEST - LOWEST, LOWEST, audio.device)
    energy = _power(x).sum(1) @ bands + 0.1
    rows = []
    for lag in LAGS:
        a, b = x[:, lag:], x[:, :-lag]
        product = (a.real * b.real + a.imag * b.imag).sum(1) @ bands
        rows.append(product / energy * (x.shape[1] / (x.shape[1] - lag)))
    return torch.stack(rows)


def rho_distance(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 between the autocorrelations of the frames' spectra. Against a comb alone an anti-comb would be best."""
    with torch.no_grad():
        wanted = _autocorrelation(target)
    return ((_autocorrelation(output) - wanted) ** 2 + 1e-4).sqrt().mean()


def _flatness(power: torch.Tensor, size: int) -> torch.Tensor:
    """Mean logarithm of the power less the logarithm of its mean, by critical band: (batch, windows, bands).

    About -0.6 in noise, below -2 where a tone stands out.
    """
    bands = _bands(BARKS, RATE / size, size // 2 + 1, 0, power.device)
    bands = bands / bands.sum(0)
    power = power.clamp_min(FLOOR**2).mT
    flatness: torch.Tensor = power.log() @ bands - (power @ bands).log()
    return flatness


def fine_distances(output: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances in windows that tell neighbouring partials apart, (batch, samples) each.

    Returns
    -------
    tuple
        L1 between logarithms of magnitudes; and between how far tones stand out of each critical band, in nats.
    """
    magnitudes, flatness = output.new_zeros(()), output.new_zeros(())
    for size in FINE:
        a, b = _power(spectrum(output, size)) + 1e-10, _power(spectrum(target, size))
        magnitudes = magnitudes + 0.5 * F.l1_loss(a.clamp_min(FLOOR**2).log(), b.clamp_min(FLOOR**2).log())
        flatness = flatness + F.l1_loss(_flatness(a, size), _flatness(b, size))
    return magnitudes / len(FINE), flatness / len(FINE)


def _rises(audio: torch.Tensor) -> torch.Tensor:
    """Nats by which the power in the bands of `ATTACK_EDGES` rises within 6 ms, at least 0: (batch, times, bands)."""
    z = spectrum(audio, ATTACK_WINDOW)
    bands = _bands(ATTACK_EDGES, RATE / ATTACK_WINDOW, ATTACK_WINDOW // 2 + 1, 0, audio.device)
    level = (_power(z).mT @ bands + 10 * FLOOR**2).log()
    return F.relu(level[:, ATTACK_STEPS:] - level[:, :-ATTACK_STEPS])


def attack_distance(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How differently power rises within 6 ms, in nats; the steeper the rise in either of both, the more it counts."""
    a, b = _rises(output), _rises(target)
    weight = torch.maximum(a, b).detach()
    return (weight * (a - b).abs()).sum() / weight.sum().clamp_min(1e-3)
