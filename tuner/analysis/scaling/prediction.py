"""Optima that are computed and not measured: the curve of an objective that can say where its optimum is."""

import math
from collections.abc import Callable, Iterable
from functools import partial

from tuner.analysis.scaling.curve import ScalingCurve, ScalingPoint
from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.experiment.space import Choice, Parameter, Range
from tuner.objective import Predictor

Apply = Callable[[Callable[[int], ScalingPoint], Iterable[int]], Iterable[ScalingPoint]]
"""`map`, or one like it that spreads the calls over processes."""


def predicted_curve(experiment: Experiment, *, apply: Apply = map) -> ScalingCurve:
    """The fewest steps at each batch size within the experiment's space, whatever its budget, smallest size first.

    Args:
        experiment: Whose objective is a `Predictor`.
        apply: Calls a function for each batch size.

    Raises:
        TunerError: The objective cannot be predicted, or not in this space or to this target.
    """
    objective = experiment.build_objective()
    if not isinstance(objective, Predictor):
        message = f"the optimum of {experiment.objective['kind']} cannot be computed"
        raise TunerError(f"{message}; measure it with `tuner run` and then `tuner fit {experiment.name}`")
    points = list(apply(partial(_point, experiment, objective), sorted(experiment.batch_sizes)))
    return ScalingCurve(tuple(points), tuple(each.batch_size for each in points if math.isinf(each.score)))


def _point(experiment: Experiment, objective: Predictor, batch_size: int) -> ScalingPoint:
    """The optimum at a batch size. Raises `TunerError`."""
    goal = experiment.goal
    bounds = {name: _bounds(name, each) for name, each in experiment.space.at(batch_size).parameters.items()}
    if goal.below is None:
        wanted = goal.phrase if goal.best is not None else goal.target.phrase
        message = f"{experiment.name}: optima are computed for a target below, not {wanted}"
        raise TunerError(f"{message}; give goal.below, or measure them with `tuner run`")
    try:
        found = objective.predict(batch_size, metric=goal.metric, below=goal.below, bounds=bounds)
    except ValueError as error:
        raise TunerError(f"{experiment.name}: {error}") from error
    steps = math.inf if found.steps is None else found.steps
    return ScalingPoint(batch_size, steps, (), found.hyperparameters, found.reason)


def _bounds(name: str, parameter: Parameter) -> tuple[float, float]:
    """The least and the most of a hyperparameter. Raises `TunerError` if they do not say all of it."""
    if isinstance(parameter, Range) and not parameter.integer:
        return parameter.low, parameter.high
    if isinstance(parameter, Choice):
        raise TunerError(f"space.{name}: optima over options are not computed; give low and high, or one value")
    value = parameter.value if not isinstance(parameter, Range) else None
    if isinstance(value, bool | str) or value is None:
        raise TunerError(f"space.{name}: optima are computed for real numbers only; give low and high, or one number")
    return float(value), float(value)
