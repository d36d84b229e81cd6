"""Slices through the search of a study: one hyperparameter of every trial against its steps."""

from dataclasses import dataclass

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, value_of
from tuner.records import ExperimentRecord, Role, StudyRecord
from tuner.trial import Outcome


@dataclass(frozen=True, slots=True)
class SearchedTrial:
    """A finished search trial: its hyperparameter's value, how it ended, and the steps it was allowed or took."""

    value: float
    steps: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class SearchView:
    """A study's search, seen along one hyperparameter."""

    batch_size: int
    parameter: str
    trials: tuple[SearchedTrial, ...]

    def having(self, outcome: Outcome) -> tuple[SearchedTrial, ...]:
        """The trials that ended so."""
        return tuple(each for each in self.trials if each.outcome is outcome)


def search_views(record: ExperimentRecord) -> tuple[SearchView, ...]:
    """Every searched study along its effective learning rate, or its learning rate if it has no momentum."""
    views = (_view(study, name) for study in record.studies if (name := _parameter(study)))
    return tuple(view for view in views if view.trials)


def _parameter(study: StudyRecord) -> str | None:
    """The parameter that says most about a study's trials; None if they have no learning rate."""
    points = [each.plan.hyperparameters for each in study.finished(Role.SEARCH)]
    for name in (EFFECTIVE_LEARNING_RATE, LEARNING_RATE):
        if points and all(value_of(name, point) is not None for point in points):
            return name
    return None


def _view(study: StudyRecord, name: str) -> SearchView:
    """A study's search trials along a parameter, but for those that an error ended: their steps say nothing."""
    trials = []
    for each in study.finished(Role.SEARCH):
        value = value_of(name, each.plan.hyperparameters)
        if value is not None and each.end is not None and each.end.outcome is not Outcome.ERROR:
            trials.append(SearchedTrial(value, each.end.steps, each.end.outcome))
    return SearchView(study.batch_size, name, tuple(trials))
