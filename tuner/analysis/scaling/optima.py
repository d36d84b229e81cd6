"""Hyperparameters at the optimum against batch size, beside the rules of thumb for learning rates."""

from dataclasses import dataclass

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, MOMENTUM, value_of
from tuner.analysis.scaling.curve import ScalingCurve
from tuner.experiment.batch_sizes.rules import ScalingRule


@dataclass(frozen=True, slots=True)
class Optima:
    """One hyperparameter's value at the optimum of each batch size that reached the target.

    Attributes:
        linear, square_root: What the rules say, from the smallest batch size on: `value[0] * B / B[0]` and
            `value[0] * sqrt(B / B[0])`; empty for a hyperparameter that they are not about.
    """

    name: str
    batch_sizes: tuple[int, ...]
    values: tuple[float, ...]
    linear: tuple[float, ...] = ()
    square_root: tuple[float, ...] = ()


def optima(curve: ScalingCurve) -> tuple[Optima, ...]:
    """Learning rate, momentum and effective learning rate at the optimum: those that the workload has."""
    points = curve.reached()
    found = []
    for name in (LEARNING_RATE, MOMENTUM, EFFECTIVE_LEARNING_RATE):
        values = [value_of(name, each.hyperparameters) for each in points]
        known = tuple(value for value in values if value is not None)
        if known and len(known) == len(points):
            sizes = tuple(each.batch_size for each in points)
            found.append(Optima(name, sizes, known) if name == MOMENTUM else _with_rules(name, sizes, known))
    return tuple(found)


def _with_rules(name: str, batch_sizes: tuple[int, ...], values: tuple[float, ...]) -> Optima:
    """The values with both rules."""
    linear, square_root = (
        tuple(values[0] * rule.factor(size / batch_sizes[0]) for size in batch_sizes)
        for rule in (ScalingRule.LINEAR, ScalingRule.SQUARE_ROOT)
    )
    return Optima(name, batch_sizes, values, linear, square_root)
