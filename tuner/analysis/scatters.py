"""The search trials of a study in the plane of learning rate and momentum, as Shallue et al. 2019 draw them."""

from dataclasses import dataclass

from tuner.analysis.confirmation import candidates, confirm
from tuner.analysis.optima import LEARNING_RATE, MOMENTUM
from tuner.experiment import Experiment
from tuner.records import ExperimentRecord, Role, StudyRecord, TrialRecord
from tuner.space import Range
from tuner.trial import Outcome, Value


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the plane; `distance` is `1 - momentum`."""

    learning_rate: float
    distance: float

    @property
    def effective_learning_rate(self) -> float:
        """`lr / (1 - m)`."""
        return self.learning_rate / self.distance


@dataclass(frozen=True, slots=True)
class Scatter:
    """A study's search trials in the plane.

    Attributes:
        low, high: Opposite corners of the space in the plane: least and greatest of each coordinate.
        places: The trials, by how they ended.
        optimum: The winner, or the search's best before there is one; None if nothing reached the target.
    """

    batch_size: int
    low: Place
    high: Place
    places: dict[Outcome, tuple[Place, ...]]
    optimum: Place | None


def scatters(record: ExperimentRecord) -> tuple[Scatter, ...]:
    """Every searched study whose space has ranges of learning rate and momentum that a logarithm can show."""
    found = (_scatter(each, record.experiment) for each in record.studies if each.finished(Role.SEARCH))
    return tuple(each for each in found if each is not None)


def _scatter(study: StudyRecord, experiment: Experiment) -> Scatter | None:
    ranges = dict(study.space.ranges())
    rates, momenta = ranges.get(LEARNING_RATE), ranges.get(MOMENTUM)
    if not (isinstance(rates, Range) and isinstance(momenta, Range)) or rates.low <= 0 or momenta.high >= 1:
        return None
    confirmed = confirm(study, experiment.confirmation)
    best = [each.plan.hyperparameters for each in candidates(study, 1)]
    optimum = confirmed.hyperparameters if confirmed else best[0] if best else None
    finished = study.finished(Role.SEARCH)
    return Scatter(
        batch_size=study.batch_size,
        low=Place(rates.low, 1 - momenta.high),
        high=Place(rates.high, 1 - momenta.low),
        places={outcome: tuple(_place_of(each) for each in finished if _is(each, outcome)) for outcome in Outcome},
        optimum=_place(optimum[LEARNING_RATE], optimum[MOMENTUM]) if optimum is not None else None,
    )


def _is(trial: TrialRecord, outcome: Outcome) -> bool:
    return trial.end is not None and trial.end.outcome is outcome


def _place_of(trial: TrialRecord) -> Place:
    return _place(trial.plan.hyperparameters[LEARNING_RATE], trial.plan.hyperparameters[MOMENTUM])


def _place(learning_rate: Value, momentum: Value) -> Place:
    return Place(float(learning_rate), 1 - float(momentum))
