"""What the codec is trained on: distances that neither phase nor a quiet way out can fool."""

import math

import pytest
import torch

from training import polish
from training.codec import RATE
from training.losses import level_distance, spectral_losses


def tone(hertz: float, turn: float = 0.0) -> torch.Tensor:
    t = torch.arange(RATE) / RATE
    return 0.2 * torch.sin(2 * math.pi * (hertz * t + turn))[None]


def test_level_distance_hears_levels_and_not_phases() -> None:
    torch.manual_seed(0)
    noise, other = 0.1 * torch.randn(2, 1, 2 * RATE)
    assert float(level_distance(noise, other, RATE)) < 0.1
    assert float(level_distance(0.5 * noise, other, RATE)) == pytest.approx(math.log(2), abs=0.05)
    assert float(level_distance(noise, noise, RATE)) == 0
    silence = torch.zeros(1, RATE)
    assert float(level_distance(silence, silence, RATE)) == 0


def heard(output: torch.Tensor, audio: torch.Tensor) -> float:
    return float(polish.distances(output, audio)["heard"])


@pytest.mark.parametrize("turn", [0.2, 0.5])
def test_a_tone_of_untold_phase_may_not_fall_silent(turn: float) -> None:
    for hertz in (1000, 1700, 5000):
        wanted, invented = tone(hertz), tone(hertz, turn)
        assert heard(invented, wanted) < heard(0.5 * invented, wanted) < heard(0.0 * invented, wanted)


def test_phase_counts_where_the_codes_tell_it() -> None:
    wanted, turned = tone(200), tone(200, 0.5)
    assert heard(turned, wanted) > heard(wanted, wanted) + 0.5
    both, above_turned = tone(200) + tone(1000), tone(200) + tone(1000, 0.5)
    told, deaf = (float(spectral_losses(above_turned, both, RATE, low=low)["complex"]) for low in (2000, 750))
    assert told > 0.5 and deaf < 0.2
