"""Slices through the search of a study: one hyperparameter of every trial against its steps or best value."""

import math
from dataclasses import dataclass, replace

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, value_of
from tuner.experiment.goals import ScoreUnit
from tuner.experiment.goals.best_within import FARTHEST
from tuner.records import ExperimentRecord, Role, StudyRecord, TrialEnd
from tuner.trial import Outcome


@dataclass(frozen=True, slots=True)
class SearchedTrial:
    """A finished search trial: its hyperparameter's value, how it ended, and what it came to.

    Attributes:
        height: The steps it was allowed or took. If scores are no steps, its score, or the one that it had come to when
            it was cut. Without any, as if it diverged, twice the highest of those: how badly it ended says nothing.
    """

    value: float
    height: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SearchView:
    """A study's search, seen along one hyperparameter.

    Attributes:
        unit: What scores count.
    """

    batch_size: int
    parameter: str
    unit: ScoreUnit
    trials: tuple[SearchedTrial, ...]

    def having(self, outcome: Outcome) -> tuple[SearchedTrial, ...]:
        """The trials that ended so."""
        return tuple(each for each in self.trials if each.outcome is outcome)


def search_views(record: ExperimentRecord) -> tuple[SearchView, ...]:
    """Every searched study along its effective learning rate, or its learning rate if it has no momentum."""
    unit = record.experiment.goal.unit
    views = [_view(study, name, unit) for study in record.studies if (name := _parameter(study))]
    known = (each.height for view in views for each in view.trials if math.isfinite(each.height))
    top = 2 * max(known, default=0.5)
    return tuple(_with_top(view, top) for view in views if view.trials)


def _parameter(study: StudyRecord) -> str | None:
    """The parameter that says most about a study's trials; None if they have no learning rate."""
    points = [each.plan.hyperparameters for each in study.finished(Role.SEARCH)]
    for name in (EFFECTIVE_LEARNING_RATE, LEARNING_RATE):
        if points and all(value_of(name, point) is not None for point in points):
            return name
    return None


def _view(study: StudyRecord, name: str, unit: ScoreUnit) -> SearchView:
    """A study's search trials along a parameter, but for those that an error ended: they say nothing."""
    trials = []
    for each in study.finished(Role.SEARCH):
        value = value_of(name, each.plan.hyperparameters)
        if value is not None and each.end is not None and each.end.outcome is not Outcome.ERROR:
            trials.append(SearchedTrial(value, _height(each.end, unit), each.end.outcome))
    return SearchView(study.batch_size, name, unit, tuple(trials))


def _height(end: TrialEnd, unit: ScoreUnit) -> float:
    """What a trial came to; infinite if that is nothing."""
    if unit.counts_steps:
        return end.steps
    height = 2**end.loss
    return height if end.outcome.has_trained and height < FARTHEST else math.inf


def _with_top(view: SearchView, top: float) -> SearchView:
    """A view in which what came to nothing is at the top."""
    return replace(view, trials=tuple(replace(each, height=min(each.height, top)) for each in view.trials))
