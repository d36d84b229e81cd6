"""The Hessian of the training loss: its largest eigenvalues and its trace, by products with vectors alone.

The products are those of `curvlinops`, the eigenvalues are found by Lanczos' method as `scipy` has it, and the trace is
estimated by Hutch++ (Meyer et al. 2021, arXiv 2010.09649).
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from objectives.diagnostics.training_loss import INPUTS_AT_ONCE, TrainingLoss
from objectives.losses import Loss

if TYPE_CHECKING:
    from curvlinops import HessianLinearOperator  # type: ignore[import-untyped]

PRECISION = 1e-3
"""Of the eigenvalues, relative."""


@dataclass(frozen=True, slots=True)
class Curvature:
    """What is known of a Hessian.

    Attributes:
        eigenvalues: The largest, the largest first; fewer than were asked for if Lanczos' method did not find them.
        trace: An estimate.
    """

    eigenvalues: tuple[float, ...]
    trace: float


def curvature(loss: TrainingLoss, *, eigenvalues: int, products: int, seed: int) -> Curvature:
    """The largest eigenvalues of the Hessian at the module's parameters, and its trace.

    Args:
        loss: The training loss.
        eigenvalues: How many.
        products: With vectors, from which the trace is estimated, at most.
        seed: Of the vectors.
    """
    with warnings.catch_warnings(), torch.random.fork_rng(devices=_generators(loss)):
        warnings.simplefilter("ignore", FutureWarning)  # of what is loaded with curvlinops, and with its first product
        torch.manual_seed(seed)
        from curvlinops import hutchpp_trace

        hessian = _hessian(loss)
        at_once = max(1, INPUTS_AT_ONCE // max(inputs.numel() for inputs, _ in loss.blocks))
        affordable = min(products, len(loss.point) - 1) // 3 * 3
        trace = float(hutchpp_trace(_FewAtOnce(hessian, at_once), affordable))
    return Curvature(_largest(hessian, min(eigenvalues, len(loss.point) - 1), seed), trace)


def _largest(hessian: "HessianLinearOperator", many: int, seed: int) -> tuple[float, ...]:
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    start = np.random.default_rng(seed).standard_normal(hessian.shape[1]).astype(np.float32)
    product = hessian.to_scipy(np.float32)
    try:
        found = eigsh(product, many, which="LA", tol=PRECISION, v0=start, return_eigenvectors=False)
    except ArpackNoConvergence as error:
        found = np.real(error.eigenvalues)
    return tuple(sorted(map(float, found), reverse=True))


def _hessian(loss: TrainingLoss) -> "HessianLinearOperator":
    """The Hessian as a linear operator."""
    from curvlinops import HessianLinearOperator

    return HessianLinearOperator(
        loss.module, _Mean(loss.loss), list(loss.trained.values()), loss.blocks, check_deterministic=False
    )


@dataclass(frozen=True, slots=True)
class _FewAtOnce:
    """A linear operator that is multiplied with a few columns of a matrix at a time, as the memory allows."""

    operator: "HessianLinearOperator"
    columns: int

    @property
    def shape(self) -> torch.Size:
        return torch.Size(self.operator.shape)

    @property
    def device(self) -> torch.device:
        return torch.device(self.operator.device)

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = self.operator.dtype
        return found

    def __matmul__(self, matrix: Tensor) -> Tensor:
        return torch.cat([self.operator @ each for each in torch.split(matrix, self.columns, dim=1)], dim=1)


class _Mean(nn.Module):
    """A loss as `curvlinops` takes it."""

    reduction = "mean"

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self._loss = loss

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self._loss.function(outputs, targets)


def _generators(loss: TrainingLoss) -> list[torch.device]:
    """The devices whose random numbers are drawn, other than the host."""
    return [loss.point.device] if loss.point.device.type == "cuda" else []
