"""How noise gives way to sound, step by step: the networks with how they are used."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from musicgen.diffusion.bands import split_bands
from musicgen.diffusion.network import Unet

if TYPE_CHECKING:
    pass


STRIDE_OF_STEPS = 50
"""Of the steps that a network was trained on one in so many is taken: 20 of 1000, as in AudioCraft."""
LONGEST, OVERLAP = 1500, 50
"""Frames that a network looks at together, 30 s: as many as AudioCraft's MusicGen makes at once. Longer music goes
through it in windows that share the overlap."""


@dataclass(frozen=True)
class Schedule:
    """How noise gives way to sound: the reverse of a diffusion whose betas follow a power law.

    Attributes
    ----------
    kept
        How much of the sound's power is left after each training step, (steps,) float32: the products of 1 - beta.
    steps
        Those that are taken, from the last one down to 0.
    clip
        No sample leaves -clip..clip; 0 for no limit.
    noise_scale
        Of all noise.
    """

    kept: Tensor
    steps: tuple[int, ...]
    clip: float
    noise_scale: float

    @classmethod
    def powers(
        cls, first: float, last: float, exponent: float, count: int, clip: float = 5.0, noise_scale: float = 1.0
    ) -> Schedule:
        """Betas that rise from first to last, linear in their root."""
        betas = torch.linspace(first ** (1 / exponent), last ** (1 / exponent), count) ** exponent
        steps = (*range(count - 1, 0, -STRIDE_OF_STEPS), 0)
        return cls((1 - betas).cumprod(0), steps, clip, noise_scale)

    def reverse(self, noise: Callable[[], Tensor], estimate: Callable[[Tensor, int], Tensor]) -> Tensor:
        """From noise to sound, by the steps taken (Ho et al. 2020, algorithm 2).

        Parameters
        ----------
        noise
            Gives new noise of the sound's shape at every call.
        estimate
            (noisy sound, step) -> the noise in it.
        """
        now = noise() * self.noise_scale
        for step, following in itertools.pairwise(self.steps):
            kept, kept_then = self.kept[step], self.kept[following]
            alpha = kept / kept_then
            error = estimate(now, step) * self.noise_scale
            now = (now - (1 - alpha) / (1 - kept).sqrt() * error) / alpha.sqrt()
            if following:
                variance = (1 - kept_then) / (1 - kept) * (1 - alpha)
                now = now + variance.sqrt() * noise() * self.noise_scale
            if self.clip:
                now = now.clamp(-self.clip, self.clip)
        return now


@dataclass(frozen=True)
class Levels:
    """What brings a network's output back to the levels of music: networks work on sound whose bands are as strong as
    those of noise.

    Attributes
    ----------
    filters
        Low-passes between the bands, (bands - 1, taps).
    gains, means
        (bands,).
    """

    filters: Tensor
    gains: Tensor
    means: Tensor

    def restore(self, sound: Tensor) -> Tensor:
        """From the network's levels to those of music, (samples,)."""
        bands = split_bands(sound, self.filters)
        parts = (band * gain + mean for band, gain, mean in zip(bands, self.gains, self.means, strict=True))
        return sum(parts, torch.zeros_like(sound))


@dataclass(frozen=True)
class Band:
    """One of the networks, with how it is used."""

    network: Unet
    schedule: Schedule
    levels: Levels | None

    def generate(self, latents: Tensor, noise: Callable[[], Tensor], tick: Callable[[], object]) -> Tensor:
        """This band's part of the sound, (samples,).

        Parameters
        ----------
        latents
            (1, features, frames).
        noise
            Gives new noise (samples,) at every call.
        tick
            Called after every step.
        """

        def estimate(now: Tensor, step: int) -> Tensor:
            found = in_windows(lambda part, leading: self.network(part[None, None], step, leading)[0, 0], now, latents)
            tick()
            return found

        sound = self.schedule.reverse(noise, estimate)
        return sound if self.levels is None else self.levels.restore(sound)


def in_windows(look: Callable[[Tensor, Tensor], Tensor], sound: Tensor, latents: Tensor) -> Tensor:
    """Look at a sound of any length in windows of `LONGEST` frames, and fade from each view to the next.

    Every step of the diffusion is joined so, not only its end: all windows turn the same noise into the same sound,
    and there is no seam (Bar-Tal et al. 2023, "MultiDiffusion", for pictures). What fits into one window is looked at
    as it is.
    """
    frames = latents.shape[-1]
    if frames <= LONGEST:
        return look(sound, latents)
    hop = len(sound) // frames
    length, fade = LONGEST * hop, OVERLAP * hop
    ramp = (torch.arange(length, device=sound.device) + 0.5).clamp(max=fade) / fade
    weight = torch.minimum(ramp, ramp.flip(0))
    seen, weights = torch.zeros_like(sound), torch.zeros_like(sound)
    for start in (*range(0, frames - LONGEST, LONGEST - OVERLAP), frames - LONGEST):
        window = slice(start * hop, start * hop + length)
        seen[window] += weight * look(sound[window], latents[..., start : start + LONGEST])
        weights[window] += weight
    return seen / weights
