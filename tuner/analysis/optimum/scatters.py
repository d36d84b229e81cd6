"""The search trials of a study in the plane of learning rate and momentum, as Shallue et al. 2019 draw them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuner.analysis.hyperparameters import LEARNING_RATE, MOMENTUM
from tuner.analysis.optimum.confirmation import optimum
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.experiment.space import Range
from tuner.records import ExperimentRecord, Role, StudyRecord, TrialRecord
from tuner.trial import Outcome, Value


@dataclass(frozen=True, slots=True)
class ScatteredTrial:
    """A point of the plane."""

    learning_rate: float
    momentum: float


@dataclass(frozen=True, slots=True)
class Scatter:
    """A study's search trials in the plane.

    Attributes:
        learning_rates, momenta: What was searched.
        trials: The trials, by how they ended.
        optimum: The winner, or the search's best before there is one; None if no trial has a score.
        unit: What scores count.
    """

    batch_size: int
    learning_rates: Range
    momenta: Range
    trials: Mapping[Outcome, tuple[ScatteredTrial, ...]]
    optimum: ScatteredTrial | None
    unit: ScoreUnit

    @property
    def effective_learning_rates(self) -> tuple[float, float]:
        """The least and the greatest `lr / (1 - m)` of the space."""
        return self.learning_rates.low / (1 - self.momenta.low), self.learning_rates.high / (1 - self.momenta.high)


def scatters(record: ExperimentRecord) -> tuple[Scatter, ...]:
    """Every searched study whose space has a range of positive learning rates and one of momenta below 1."""
    found = (_scatter(each, record.experiment) for each in record.studies if each.finished(Role.SEARCH))
    return tuple(each for each in found if each is not None)


def _scatter(study: StudyRecord, experiment: Experiment) -> Scatter | None:
    ranges = dict(study.space.ranges())
    rates, momenta = ranges.get(LEARNING_RATE), ranges.get(MOMENTUM)
    if rates is None or momenta is None or rates.low <= 0 or momenta.high >= 1:
        return None
    best = optimum(study, experiment.confirmation)
    finished = study.finished(Role.SEARCH)
    return Scatter(
        batch_size=study.batch_size,
        learning_rates=rates,
        momenta=momenta,
        trials={
            each: tuple(_scattered(trial.plan.hyperparameters) for trial in finished if _ended(trial, each))
            for each in Outcome
        },
        optimum=None if best is None else _scattered(best),
        unit=experiment.goal.unit,
    )


def _ended(trial: TrialRecord, outcome: Outcome) -> bool:
    return trial.end is not None and trial.end.outcome is outcome


def _scattered(point: Mapping[str, Value]) -> ScatteredTrial:
    return ScatteredTrial(float(point[LEARNING_RATE]), float(point[MOMENTUM]))
