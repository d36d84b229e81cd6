"""Weight decay: added to the gradient, or apart from it (Loshchilov and Hutter 2019)."""

from collections.abc import Mapping
from enum import StrEnum

from torch import Tensor

from objectives.models import Layout

WEIGHT_DECAY = "weight_decay"
NONE = {WEIGHT_DECAY: 0.0}
"""The default."""
DISPENSABLE = frozenset(NONE)
"""A study without weight decay spends no time on it."""

_KEPT = "kept"
"""The number of decoupled decay: the share of a parameter that a step keeps."""


class Decay(StrEnum):
    """How parameters decay: `weight_decay` of them is added to the gradient, or taken off at the learning rate."""

    COUPLED = "coupled"
    DECOUPLED = "decoupled"


def decay_numbers(decay: Decay, hyperparameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a step needs to decay parameters: nothing, if no trial names the weight decay."""
    if WEIGHT_DECAY not in hyperparameters:
        return {}
    if decay is Decay.COUPLED:
        return {WEIGHT_DECAY: hyperparameters[WEIGHT_DECAY]}
    return {_KEPT: 1 - hyperparameters["learning_rate"] * hyperparameters[WEIGHT_DECAY]}


def add_decay(sums: Tensor, parameters: Tensor, numbers: Mapping[str, Tensor], layout: Layout) -> None:
    """Add the gradient of coupled decay, `[lane, parameter]`."""
    if WEIGHT_DECAY in numbers:
        trained = slice(layout.trained)
        sums[:, trained].addcmul_(parameters[:, trained], numbers[WEIGHT_DECAY])


def shrink(parameters: Tensor, numbers: Mapping[str, Tensor], layout: Layout) -> None:
    """Decoupled decay of parameters `[lane, parameter]`, once the gradient has been computed at them."""
    if _KEPT in numbers:
        parameters[:, : layout.trained].mul_(numbers[_KEPT])
