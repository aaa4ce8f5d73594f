"""Muon: momentum whose update is orthogonalised, for weight matrices and convolution kernels (Jordan et al. 2024)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from training import loop

# Quintic Newton-Schulz coefficients of the reference implementation: fast, not exact; singular values end in 0.7..1.2.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Push all singular values of a batch of matrices towards 1.

    Parameters
    ----------
    matrices
        float, (batch, rows, columns).
    steps
        Newton-Schulz iterations.

    Returns
    -------
    torch.Tensor
        The same shape, in the `loop.matrix_type` of its device.
    """
    a, b, c = COEFFICIENTS
    x: torch.Tensor = matrices.to(loop.matrix_type(matrices.device))
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def _orthogonalise_together(matrices: list[torch.Tensor]) -> torch.Tensor:
    """`orthogonalise` the stack of the matrices, which every worker holds: each does its share, and all get all."""
    share = slice(loop.rank(), None, loop.workers())
    mine = orthogonalise(torch.stack(matrices[share])) if matrices[share] else None
    whole = torch.zeros(len(matrices), *matrices[0].shape, device=matrices[0].device)
    if mine is not None:
        whole[share] = mine.to(whole.dtype)
    loop.sum_over_workers(whole)
    return whole


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; kernels of any rank are seen as (first dimension, the rest).

    Parameters
    ----------
    parameters
        Tensors of two or more dimensions.
    lr
        Length of a step: the spectral norm of an update of a square matrix.
    momentum
        0 to 1.
    weight_decay
        Decoupled, scaled by lr.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; matrices of equal shape are orthogonalised together."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[parameter.flatten(1).shape].append(parameter)
            for shape, parameters in shapes.items():
                updates = _orthogonalise_together([self._push(p, group["momentum"]) for p in parameters])
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update.to(parameter.dtype).view_as(parameter), alpha=-scale)

    def _push(self, parameter: nn.Parameter, momentum: float) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        gradient = parameter.grad
        assert gradient is not None
        average: torch.Tensor = state["momentum"]
        average.lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum).flatten(1)
