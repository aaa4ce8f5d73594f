"""Muon's step is the same however many workers share it."""

from pathlib import Path

import pytest
import torch

from training import loop
from training.muon import Muon, orthogonalise

SHAPES = ((8, 8), (8, 8), (8, 8), (16, 4), (4, 6, 2))


def step(folder: Path) -> None:
    """One step on weights and gradients that every worker has alike; written by the first."""
    generator = torch.Generator().manual_seed(3)
    weights = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator)
    Muon(weights, lr=0.1, weight_decay=0.1).step()
    torch.save([weight.detach() for weight in weights], folder / f"{loop.workers()}-{loop.rank()}.pt")


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_that_share_the_work_all_get_the_step_of_one(workers: int, tmp_path: Path) -> None:
    step(tmp_path)
    loop.launch(step, workers, tmp_path)
    alone = torch.load(tmp_path / "1-0.pt")
    for rank in range(workers):
        for mine, shared in zip(alone, torch.load(tmp_path / f"{workers}-{rank}.pt"), strict=True):
            torch.testing.assert_close(mine, shared, atol=1e-5, rtol=1e-4)


def test_an_update_is_nearly_orthogonal() -> None:
    values = torch.linalg.svdvals(orthogonalise(torch.randn(3, 12, 20)).float())
    assert (values > 0.6).all() and (values < 1.3).all()
