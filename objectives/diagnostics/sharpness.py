"""Sharpness: how far the training loss can rise near the parameters (Keskar et al. 2017, arXiv 1609.04836).

    100 (max f(x + A y) - f(x)) / (1 + f(x)),  |y_i| <= e (|(A^+ x)_i| + 1)

In the full space `A` is the identity. In a subspace it has 100 random columns, here of independent standard normal
numbers: the paper says only that they are random. The maximum is sought by 10 iterations of L-BFGS-B, from a random
point of the box, since a minimum of the loss has no direction to start in.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from objectives.diagnostics.training_loss import TrainingLoss

ITERATIONS = 10
DIMENSIONS = 100
"""Of the random subspace."""
MOST_NUMBERS = 2**29
"""Numbers of the matrix of a subspace, at most: 2 GiB."""

Numbers = NDArray[np.float64]


def sharpness(loss: TrainingLoss, *, reach: float, seed: int) -> float:
    """The sharpness in the full space.

    Args:
        loss: The training loss, and where.
        reach: The `e` of the box: 1e-3 or 5e-4 in the paper.
        seed: Of the point that the search starts from.
    """
    here = loss.point
    return _risen(loss, here, lambda found: found, lambda slope: slope, reach * (here.abs() + 1), seed)


def subspace_sharpness(loss: TrainingLoss, *, reach: float, seed: int) -> float | None:
    """The sharpness in a random subspace, which `seed` chooses. None if there are too many parameters to hold it."""
    here = loss.point
    if len(here) * DIMENSIONS > MOST_NUMBERS:
        return None
    generator = torch.Generator().manual_seed(seed)
    columns = torch.randn(DIMENSIONS, len(here), generator=generator).to(here)
    own = torch.linalg.solve((columns @ columns.T).double(), (columns @ here).double())
    box = reach * (own.abs() + 1)
    return _risen(loss, here, lambda found: found @ columns, lambda slope: columns @ slope, box, seed)


def _risen(
    loss: TrainingLoss,
    here: Tensor,
    outwards: Callable[[Tensor], Tensor],
    inwards: Callable[[Tensor], Tensor],
    box: Tensor,
    seed: int,
) -> float:
    """The sharpness in a box of moves.

    Args:
        loss: The training loss.
        here: The parameters, `[parameter]`.
        outwards: From a place in the box to the move of the parameters.
        inwards: From a gradient by the parameters to one by the place in the box.
        box: The largest move in each direction, `[direction]`.
        seed: Of where to start.
    """
    from scipy.optimize import Bounds, minimize

    before, _ = loss.gradient(here)
    sides = box.double().cpu().numpy()
    highest = before

    def lowered(place: Numbers) -> tuple[float, Numbers]:
        """What is minimised at a place in the box, and its gradient."""
        nonlocal highest
        value, slope = loss.gradient(here + outwards(torch.from_numpy(place).to(here)))
        highest = max(highest, value)
        return -value, -inwards(slope).double().cpu().numpy()

    start = np.random.default_rng(seed).uniform(-sides, sides)
    minimize(lowered, start, jac=True, method="L-BFGS-B", bounds=Bounds(-sides, sides), options={"maxiter": ITERATIONS})
    return 100 * (highest - before) / (1 + before)
