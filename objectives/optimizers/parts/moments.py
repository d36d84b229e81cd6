"""The moments of Adam (Kingma and Ba 2015, algorithm 1), which LAMB has too."""

from collections.abc import Mapping

import torch
from torch import Tensor

from objectives.optimizers import State

MOMENTS = frozenset({"beta1", "beta2", "epsilon"})

CORRECTION = "correction"
"""The number that `direction` leaves to be multiplied with: `sqrt(1 - beta2^t) / (1 - beta1^t)`."""
_FIRST, _SECOND, _EPSILON = "share_in_first", "share_in_second", "epsilon"


def no_moments(parameters: Tensor) -> State:
    """Both moments before the first step."""
    return torch.zeros_like(parameters), torch.zeros_like(parameters)


def moment_numbers(step: Tensor, hyperparameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `direction` needs, and the correction, for steps `[step, lane]`."""
    first, second, count = hyperparameters["beta1"], hyperparameters["beta2"], step + 1
    unbiased = (1 - second**count).sqrt()
    return {
        _FIRST: 1 - first,
        _SECOND: 1 - second,
        _EPSILON: hyperparameters["epsilon"] * unbiased,
        CORRECTION: unbiased / (1 - first**count),
    }


def direction(gradient: Tensor, state: State, numbers: Mapping[str, Tensor]) -> None:
    """Update both moments by a gradient, and overwrite it with the direction of the step, but for `CORRECTION`.

    `m / sqrt(1 - ..) / (sqrt(v) / sqrt(1 - ..) + epsilon)` as Adam has it is the same with the corrections of bias
    moved into `epsilon` and into the factor: that saves a pass over all parameters.
    """
    first, second = state
    first.lerp_(gradient, numbers[_FIRST])
    second.lerp_(gradient.mul_(gradient), numbers[_SECOND])
    torch.sqrt(second, out=gradient).add_(numbers[_EPSILON])
    torch.div(first, gradient, out=gradient)
