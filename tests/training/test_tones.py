"""What `training.tones` adds to the distances: each is near 0 for what is right and large for its own fault."""

import numpy as np
import torch

from musicgen import MusicGen  # noqa: F401 (before transformers)

# isort: split
from training.codec import HOP, RATE
from training.tones import attack_distance, comb_distance, fine_distances, rho_distance

FRAMES = 100


def noise(seed: int, rows: int = 4) -> torch.Tensor:
    return 0.1 * torch.randn(rows, FRAMES * HOP, generator=torch.Generator().manual_seed(seed))


def sines(*hertz: float) -> torch.Tensor:
    t = torch.arange(FRAMES * HOP) / RATE
    tones = torch.stack([torch.sin(2 * np.pi * h * t) for h in hertz]).sum(0)
    return 0.1 * tones.repeat(2, 1)


def test_a_texture_in_every_frame_is_a_comb_and_other_noise_is_none() -> None:
    texture = noise(5)[:, :HOP].repeat(1, FRAMES)
    assert comb_distance(noise(1), noise(2)) < 0.1
    assert comb_distance(noise(1) + 0.5 * texture, noise(2)) > 1
    assert comb_distance(noise(1) + 0.5 * texture, noise(2) + 0.5 * texture) < comb_distance(
        noise(1) + texture, noise(2)
    )


def test_autocorrelation_tells_a_comb_and_a_hole_alike() -> None:
    comb, plain = noise(1) + 0.5 * noise(5)[:, :HOP].repeat(1, FRAMES), noise(2)
    held = noise(3).reshape(4, -1, 10, HOP)
    hole = (held - held.mean(2, keepdim=True)).reshape(4, -1)
    near = rho_distance(noise(1), plain)
    assert rho_distance(comb, plain) > 3 * near
    assert rho_distance(hole, plain) > 1.5 * near


def test_tones_that_became_noise_are_far_in_flatness() -> None:
    tone, other = sines(440, 880, 1320), sines(440, 880, 1320).roll(77, 1)
    assert fine_distances(tone, other)[1] < 0.1
    assert fine_distances(noise(1, 2), tone)[1] > 1


def test_a_smeared_attack_is_far_and_an_equal_one_is_near() -> None:
    gate = torch.zeros(FRAMES * HOP)
    gate[:: 10 * HOP] = 1
    sharp = torch.nn.functional.conv1d(gate[None, None], torch.ones(1, 1, 3200), padding=3199)[0, 0, : FRAMES * HOP]
    soft = torch.nn.functional.avg_pool1d(sharp[None, None], 1281, 1, 640)[0, 0]
    assert attack_distance(noise(1) * sharp, noise(2) * sharp) < 0.5 * attack_distance(
        noise(1) * soft, noise(2) * sharp
    )


def test_every_distance_has_a_gradient_that_is_finite_in_silence() -> None:
    silent = torch.zeros(2, FRAMES * HOP, requires_grad=True)
    target = noise(1, 2)
    total = comb_distance(silent, target) + rho_distance(silent, target) + attack_distance(silent, target)
    magnitudes, flatness = fine_distances(silent, target)
    torch.autograd.backward(total + magnitudes + flatness)
    assert silent.grad is not None and bool(silent.grad.isfinite().all())
