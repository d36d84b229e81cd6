"""A measured curve explained by the noisy quadratic model: which one, how well, and the model's own curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuner.analysis.hyperparameters import MOMENTUM
from tuner.analysis.nqm import Method, Never, Optimum, Rule
from tuner.analysis.nqm.fitting import TARGET, Apply, fit_power_law
from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.scaling.curve import LEAST_POINTS, NotFitted, ScalingCurve, ScalingPoint, scaling_curve
from tuner.analysis.words import percent
from tuner.experiment import Experiment
from tuner.experiment.space import Choice, Fixed, Parameter, Range
from tuner.records import ExperimentRecord, StudyRecord

Json = dict[str, object]

MOST_MOMENTUM = 0.9999
"""More is not looked at: such momentum is a swing timed to pass the target, which no training would rely on."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The noisy quadratic model that fits an experiment's steps to target best.

    Attributes:
        rule: How the model is trained.
        noise_scale, exponent, start: The model's, as in `power_law`.
        residual: Root mean square of the model's over measured steps, in log2.
        measured: Confirmed steps, else searched ones.
        curve: The model's exact optimum at the same batch sizes.
    """

    rule: Rule
    noise_scale: float
    exponent: float
    start: float
    residual: float
    measured: ScalingCurve
    curve: ScalingCurve

    @property
    def sentence(self) -> str:
        """What was found, for a person."""
        trained = "heavy ball" if self.rule.method is Method.HEAVY_BALL else "plain SGD"
        off = percent(2**self.residual - 1, 1)
        return (
            f"A noisy quadratic model trained by {trained} (noise scale {self.noise_scale:.3g}, spectrum exponent "
            f"{self.exponent:.2f}, initial scale {self.start:.3g}) is {off} off the measured "
            f"steps at {len(self.measured.points)} batch sizes (root mean square)."
        )

    def to_json(self) -> Json:
        """What `tuner fit --json` prints; null stands for an infinite number of steps."""
        return {
            "model": {
                "method": str(self.rule.method),
                "noise_scale": self.noise_scale,
                "exponent": self.exponent,
                "start": self.start,
                "target": TARGET,
            },
            "rms_log2_residual": self.residual if math.isfinite(self.residual) else None,
            "fitted": [
                {
                    "batch_size": point.batch_size,
                    "measured": measured.score,
                    "steps": point.score if math.isfinite(point.score) else None,
                    "params": dict(point.hyperparameters),
                }
                for measured, point in zip(self.measured.points, self.curve.points, strict=True)
            ],
        }


def explain(record: ExperimentRecord, *, apply: Apply = map) -> Explanation | NotFitted:
    """The model that fits best: heavy ball within the space's momentum if it has one, else plain SGD.

    Args:
        record: The experiment, complete or not.
        apply: Calls a function for each batch size.
    """
    goal = record.experiment.goal
    if not goal.unit.counts_steps:
        return NotFitted(f"The model is fitted to steps to a target, and the goal is the {goal.phrase}.")
    measured = measured_curve(record)
    points = measured.points
    if len(points) < LEAST_POINTS:
        have = f"{len(points)} batch size{'s' * (len(points) != 1)}"
        return NotFitted(f"A model needs {LEAST_POINTS} batch sizes that reached the target; {have} did.")
    momentum = _momentum(record.experiment)
    rule = Rule() if momentum is None else Rule(Method.HEAVY_BALL)
    found = fit_power_law(
        [each.batch_size for each in points],
        [each.score for each in points],
        rule,
        coefficient=momentum or (0.0, 0.0),
        apply=apply,
    )
    return Explanation(
        rule, found.noise_scale, found.exponent, found.start, found.residual, measured, _curve(found.optima)
    )


def measured_curve(record: ExperimentRecord) -> ScalingCurve:
    """The steps of every batch size that reached the target: confirmed, else the search's best."""
    confirmed = {each.batch_size: each for each in scaling_curve(record).reached()}
    points = [confirmed.get(study.batch_size) or _searched(study) for study in record.studies]
    return ScalingCurve(tuple(each for each in points if each is not None))


def _searched(study: StudyRecord) -> ScalingPoint | None:
    """The best search trial."""
    for best in best_trials(study, 1):
        return ScalingPoint(study.batch_size, best.score, (best.score,), best.plan.hyperparameters)
    return None


def _momentum(experiment: Experiment) -> tuple[float, float] | None:
    """The least and the most momentum of all studies; None without any."""
    spaces = [experiment.space.at(each).parameters for each in experiment.batch_sizes]
    found = [each for each in map(_extent, [each.get(MOMENTUM) for each in spaces]) if each is not None]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def _extent(momentum: Parameter | None) -> tuple[float, float] | None:
    """The least and the most of a momentum; None without any."""
    match momentum:
        case Range(low=low, high=high):
            values: Sequence[float] = (low, high)
        case Fixed(value=int() | float() as value):
            values = (float(value),)
        case Choice(options=options):
            values = [float(each) for each in options if isinstance(each, int | float)]
        case _:
            return None
    inside = [min(max(each, 0.0), MOST_MOMENTUM) for each in values]
    return (min(inside), max(inside)) if inside and max(inside) > 0 else None


def _curve(optima: Sequence[Optimum]) -> ScalingCurve:
    """Exact optima as a curve."""
    points = []
    for each in optima:
        if isinstance(each.steps, Never):
            points.append(ScalingPoint(each.batch_size, math.inf, (), {}, each.steps.sentence))
        else:
            points.append(ScalingPoint(each.batch_size, each.steps, (), dict(each.parameters)))
    unreached = tuple(each.batch_size for each in points if math.isinf(each.score))
    return ScalingCurve(tuple(sorted(points, key=lambda each: each.batch_size)), unreached)
