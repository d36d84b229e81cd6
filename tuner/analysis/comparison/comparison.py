"""Several experiments by one goal: their curves, how their files differ, and how what they measured differs."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuner.analysis.comparison.contrasts import Contrast, contrasts
from tuner.analysis.comparison.redrawing import Compared, compared
from tuner.analysis.comparison.settings import Setting, differing
from tuner.analysis.finite import finite
from tuner.analysis.other_goals import judged_again
from tuner.analysis.scaling.curve import ScalingFit, ScalingPoint
from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.experiment.growth import ABSENT
from tuner.objective import Target
from tuner.records import CurvesOf, ExperimentRecord

Json = dict[str, object]

MOST = 8
"""Experiments that a figure can tell apart."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Experiments side by side.

    Attributes:
        experiments: In the order in which they were named; the first is what the others are compared with.
        settings: Those that differ.
        contrasts: Of every other experiment to the first.
    """

    experiments: tuple[Compared, ...]
    settings: tuple[Setting, ...]
    contrasts: tuple[Contrast, ...]

    @property
    def unit(self) -> ScoreUnit:
        """What the scores of all are."""
        return self.experiments[0].record.experiment.goal.unit

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the experiments."""
        return tuple(each.name for each in self.experiments)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Those at which any of them is confirmed."""
        return tuple(sorted({size for each in self.experiments for size in each.scores}))

    def to_json(self) -> Json:
        """What `tuner compare --json` prints; null stands for an infinite number and for a setting that is absent."""
        return {
            "goal": self.unit.wanted,
            "experiments": [_experiment_json(each) for each in self.experiments],
            "differences": [
                {
                    "path": each.path,
                    "values": {
                        name: None if value is ABSENT else value
                        for name, value in zip(self.names, each.values, strict=True)
                    },
                }
                for each in self.settings
            ],
            "contrasts": [each.to_json() for each in self.contrasts],
        }


def compare(asked: Sequence[tuple[ExperimentRecord, CurvesOf]], *, target: Target | None = None) -> Comparison:
    """Compare experiments that have the same goal, or that another one is asked for.

    Args:
        asked: Two experiments or more, with what reads their curves.
        target: A target by which to judge them all; none of them may have been searched for a weaker one.

    Raises:
        TunerError: They have different goals, one of them has been searched for a weaker target, or nothing is
            confirmed.
    """
    judged = [_judged(record, curves, target) for record, curves in asked]
    found = [compared(record, note=note) for record, note in judged]
    _check_goals([each.record.experiment for each in found])
    for each in found:
        if not each.curve.points and not each.curve.unreached:
            raise TunerError(f"nothing of {each.name} is confirmed yet; `tuner status {each.name}` says how far it is")
    return Comparison(
        tuple(found),
        differing([record.experiment for record, _ in asked]),
        tuple(contrast for each in found[1:] for contrast in contrasts(each, found[0])),
    )


def _judged(record: ExperimentRecord, curves: CurvesOf, target: Target | None) -> tuple[ExperimentRecord, str]:
    """An experiment by a target, and what had to be made of its curves for that. Raises `TunerError`."""
    goal = record.experiment.goal
    if target is None or (goal.unit.counts_steps and goal.target == target):
        return record, ""
    try:
        other = judged_again(record, curves, target=target)
    except TunerError as error:
        raise TunerError(f"{record.experiment.name}: {error}") from error
    return other.record, other.sentence


def _check_goals(experiments: Sequence[Experiment]) -> None:
    """Raise `TunerError` if the goals are not the same but for their budgets."""
    goals = [each.goal for each in experiments]
    if all(each.unit == goals[0].unit for each in goals):
        return
    said = ", ".join(f"{each.goal.phrase} in {each.name}" for each in experiments)
    advice = "compare experiments that have one goal"
    if all(each.unit.counts_steps for each in goals):
        sides = {(each.metric, each.target.above) for each in goals}
        if len(sides) == 1:
            above = goals[0].target.above
            weakest = (min if above else max)(each.target.value for each in goals)
            option = "--above" if above else "--below"
            advice = f"{option} {weakest:g} judges them all by the weakest of these targets"
    raise TunerError(f"the goals differ: {said}; {advice}")


def _experiment_json(each: Compared) -> Json:
    """One entry of `experiments`."""
    experiment, curve, unit = each.record.experiment, each.curve, each.record.experiment.goal.unit
    return {
        "experiment": experiment.name,
        "within": experiment.goal.budget,
        "complete": each.is_complete,
        "note": each.note,
        "perfect_scaling_ends": None if each.regions is None else each.regions.perfect_end.to_json(),
        "fit": _fit_json(each),
        "points": [_point_json(point, unit) for point in curve.points],
        "unreached": list(curve.unreached),
    }


def _fit_json(each: Compared) -> Json | None:
    """Critical batch size and least steps with their intervals over training seeds."""
    fit, floor = each.fit, each.floor
    if not isinstance(fit, ScalingFit):
        return None
    return {
        "critical_batch_size": fit.critical_batch_size,
        "critical_low": fit.low,
        "critical_high": fit.high,
        "is_extrapolated": fit.is_extrapolated,
        "least_steps": fit.least_steps,
        "least_low": None if floor is None else floor.low,
        "least_high": None if floor is None else finite(floor.high),
        "rms_log2_residual": fit.residual,
    }


def _point_json(point: ScalingPoint, unit: ScoreUnit) -> Json:
    """One entry of `points`: the median, and the seeds from the lowest to the highest value."""
    low, high = unit.ends(point.low, point.high)
    values = {unit.key: unit.value(point.score), "low": low, "high": high}
    shown = {name: finite(value) for name, value in values.items()}
    return {"batch_size": point.batch_size, **shown, "params": dict(point.hyperparameters)}
