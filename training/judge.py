"""How the evaluation listens: tempo, key, and small networks that are fitted on renders, never on what nano plays."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from training.codec import RATE
from training.losses import log_mel, spectrum

TEMPOS = np.arange(60.0, 180.25, 0.25)
FRAME_RATE = RATE / 256  # of the onset curve
SMOOTHING = np.hanning(9)[1:-1] / np.hanning(9).sum()
EMBEDDED = 32  # size of a network's last hidden layer: Frechet distances are taken there

Audio = NDArray[np.float32]
Curve = NDArray[np.float64]


# --- tempo --------------------------------------------------------------------------------------------------------


def mel_frames(audio: Audio) -> torch.Tensor:
    """Log-mel spectrogram of a clip, (windows, 80), hop 256."""
    return log_mel(spectrum(torch.from_numpy(audio)[None], 1024).abs(), 1024, RATE)[0]


def onset_curve(mel: torch.Tensor) -> Curve:
    """Spectral flux: how much the bands rise from one window to the next, less its local mean.

    Smoothed over 56 ms: an onset is sharper than a window, and a lag between two windows would miss it.
    """
    flux = (mel[1:] - mel[:-1]).clamp_min(0).mean(1).double()
    local = F.avg_pool1d(flux[None, None], 63, 1, 31, count_include_pad=False)[0, 0]
    curve: Curve = np.convolve((flux - local).clamp_min(0).numpy(), SMOOTHING, "same")
    return curve


def autocorrelation(curve: Curve) -> Curve:
    """How alike an onset curve and the same curve later are, by lag; 1 at lag 0, about 0 where nothing repeats."""
    centred = curve - curve.mean()
    power = np.abs(np.fft.rfft(centred, 2 * len(curve))) ** 2
    products = np.fft.irfft(power)[: len(curve)] / np.arange(len(curve), 0, -1)
    normalised: Curve = products / max(products[0], 1e-12)
    return normalised


def tempo_scores(curve: Curve) -> Curve:
    """How well each of `TEMPOS` explains an onset curve: its autocorrelation at 1, 2 and 4 beats, averaged.

    Lags beyond three quarters of the clip are left out: too little of the curve meets itself there.
    """
    correlation = autocorrelation(curve)
    grid = np.arange(len(correlation))
    lags = 60 * FRAME_RATE / TEMPOS * np.array([[1.0], [2.0], [4.0]])
    heard = lags < 0.75 * len(curve)
    total = np.where(heard, np.interp(lags, grid, correlation), 0.0).sum(0)
    scores: Curve = total / np.maximum(heard.sum(0), 1)
    return scores


def tempo_of(audio: Audio) -> float:
    """Estimated tempo in bpm, 60 to 180."""
    return float(TEMPOS[tempo_scores(onset_curve(mel_frames(audio))).argmax()])


def same_tempo(estimate: float, wanted: float) -> bool:
    """Within 4 %, octaves allowed."""
    return any(abs(estimate * factor / wanted - 1) < 0.04 for factor in (0.25, 0.5, 1.0, 2.0, 4.0))


def pulse(audio: Audio) -> float:
    """How strong a beat there is, at whatever tempo: the highest autocorrelation between 0.25 and 1.05 s."""
    beats = autocorrelation(onset_curve(mel_frames(audio)))[round(0.25 * FRAME_RATE) : round(1.05 * FRAME_RATE)]
    return float(beats.max())


# --- key ----------------------------------------------------------------------------------------------------------

CHROMA_WINDOW = 8192  # 3.9 Hz a bin: semitones are apart from 66 Hz (C2) on
CHROMA_BINS = 480  # up to 1870 Hz
REGISTERS = ((55.0, 220.0), (220.0, 1760.0))  # Hz: the bass names the tonic, what stands above it the mode


@cache
def _pitch_classes() -> torch.Tensor:
    """(bins, 24): how much a bin belongs to each pitch class of the lower and of the upper register."""
    hertz = torch.arange(CHROMA_BINS) * (RATE / CHROMA_WINDOW)
    pitch = 69 + 12 * torch.log2(hertz.clamp_min(1.0) / 440)
    away = (pitch[:, None] - torch.arange(12) + 6) % 12 - 6  # semitones to the nearest pitch of each class, C first
    bells = torch.exp(-0.5 * (away / 0.3) ** 2)
    return torch.cat([bells * ((hertz >= low) & (hertz < high))[:, None] for low, high in REGISTERS], 1)


def chroma(audio: Audio) -> torch.Tensor:
    """Pitch classes of a clip, (2, 12) for the two `REGISTERS`, C first; each register sums to 1.

    What stands still from one window to the next counts and what is broad in frequency does not: harmonies, not drums
    (after Fitzgerald 2010, median filtering).
    """
    magnitude = spectrum(torch.from_numpy(audio)[None], CHROMA_WINDOW)[0, :CHROMA_BINS, ::2].abs().T  # (windows, bins)
    tonal = F.pad(magnitude[None], (0, 0, 2, 2), mode="replicate")[0].unfold(0, 5, 1).median(-1).values
    broad = F.pad(tonal[None], (15, 15), mode="replicate")[0].unfold(1, 31, 1).median(-1).values
    peaks = (tonal - 2 * broad).clamp_min(0).sqrt()
    classes = (peaks @ _pitch_classes()).mean(0).view(2, 12)
    return classes / classes.sum(1, keepdim=True).clamp_min(1e-6)


class KeyProfiles(nn.Module):
    """Major and minor profiles of both registers, fitted; a key's score is its correlation with the rotated profile.

    The method of Krumhansl and Kessler (1982), with profiles of this music instead of theirs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.profiles = nn.Parameter(torch.zeros(2, 24))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (clips, 24) of chroma (clips, 2, 12): C major, C sharp major, ..., then the minor keys."""
        rotated = torch.stack([x.roll(-tonic, 2).flatten(1) for tonic in range(12)], 1)  # (clips, 12, 24)
        scores: torch.Tensor = (rotated - rotated.mean(2, keepdim=True)) @ self.profiles.T + self.bias
        return scores.transpose(1, 2).flatten(1)


@torch.enable_grad()
def fit_key(examples: torch.Tensor, keys: torch.Tensor) -> KeyProfiles:
    """Fit the profiles on the chroma (clips, 2, 12) of renders in known keys, 0 to 23."""
    model = KeyProfiles()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(examples), keys) + 3e-3 * model.profiles.square().mean()
        torch.autograd.backward(loss)
        return loss

    cast(Any, optimizer).step(closure)
    return model.eval().requires_grad_(False)


# --- style and instruments ----------------------------------------------------------------------------------------


SMEAR = (9, 5)  # windows (72 ms) and bands
QUIET = 1e-3  # -60 dB


def smeared(mel: torch.Tensor) -> torch.Tensor:
    """A log-mel spectrogram, (windows, bands), at the resolution that a codec of 2 kb/s keeps.

    Finer detail tells more of renders, but it is what a codec blurs and fills with noise: a judge that is fitted on
    renders and listens to it takes the codec for another style.
    """
    windows, bands = SMEAR
    padded = F.pad(mel.exp()[None], (bands // 2, bands // 2, windows // 2, windows // 2), mode="replicate")
    return F.avg_pool2d(padded, SMEAR, 1)[0].clamp_min(QUIET).log()


def features(audio: Audio) -> torch.Tensor:
    """One vector a clip, of any length from 3 s: the bands' levels, spreads and rises, and the rhythm."""
    sharp = mel_frames(audio)
    mel = smeared(sharp)
    rises = (mel[SMEAR[0] - 1 :] - mel[: 1 - SMEAR[0]]).clamp_min(0)
    rhythm = torch.from_numpy(tempo_scores(onset_curve(sharp))[::8].copy()).float()
    quantiles = mel.quantile(torch.tensor([0.1, 0.5, 0.95]), 0)
    return torch.cat([mel.mean(0), mel.std(0), rises.mean(0), *quantiles, rhythm])


class Network(nn.Module):
    """Standardised features, two hidden layers, one logit a style or instrument."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(inputs))
        self.spread = nn.Buffer(torch.ones(inputs))
        self.body = nn.Sequential(
            nn.Linear(inputs, 192), nn.GELU(), nn.Dropout(0.4), nn.Linear(192, EMBEDDED), nn.GELU(), nn.Dropout(0.1)
        )
        self.head = nn.Linear(EMBEDDED, outputs)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """The last hidden layer (clips, `EMBEDDED`) of features (clips, numbers)."""
        y: torch.Tensor = self.body((x - self.mean) / self.spread)
        return y

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (clips, outputs)."""
        y: torch.Tensor = self.head(self.embed(x))
        return y


@torch.enable_grad()
def fit(examples: torch.Tensor, targets: torch.Tensor, outputs: int, seed: int) -> Network:
    """Fit a network on renders.

    Parameters
    ----------
    examples
        Features (clips, numbers).
    targets
        int64 (clips,): one class each. Or float (clips, outputs): what is present, 0 or 1, independently.
    """
    torch.manual_seed(seed)
    network = Network(examples.shape[1], outputs).train()
    network.mean.copy_(examples.mean(0))
    network.spread.copy_(examples.std(0) + 1e-3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
    # What is rare counts for more, so that presence and absence weigh the same: accuracy is judged balanced too.
    rarity = (1 - targets.float().mean(0)) / targets.float().mean(0).clamp_min(0.01) if targets.ndim == 2 else None
    epochs = 40
    steps = epochs * -(-len(examples) // 64)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(examples)), 64):
            noisy = examples[rows] + 0.3 * network.spread * torch.randn(len(rows), examples.shape[1])
            logits, wanted = network(noisy), targets[rows]
            if wanted.ndim == 1:
                loss = F.cross_entropy(logits, wanted, label_smoothing=0.05)
            else:
                loss = F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=rarity)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def frechet(a: torch.Tensor, b: torch.Tensor) -> float:
    """Frechet distance of two sets of vectors (clips, numbers), taken as Gaussian (Heusel et al. 2017).

    It grows as the sets get smaller: compare only distances between sets of the same sizes.
    """
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    # The trace of the root of a product of two positive matrices is the sum of the roots of its eigenvalues.
    roots = torch.linalg.eigvals(cov_a @ cov_b).real.clamp_min(0).sqrt()
    squared = (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * roots.sum()
    return float(squared.clamp_min(0))
