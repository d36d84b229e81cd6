"""The store as optuna-dashboard is shown it: confirmation trials in studies of their own, beside those of the search.

Optuna has one study for each round, in which the runs that confirm a winner would pass for more of its search: they
would be in its history, its importances and its best trial.
"""

import copy
import json
import logging
from collections.abc import Container, Iterator
from contextlib import contextmanager

from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import select

from tuner.errors import DamagedRecord
from tuner.records import CONFIRMATION, EXTRA
from tuner.stores.checking import UNREADABLE, reading
from tuner.stores.relational.rows import PLAN
from tuner.stores.relational.tables import optuna_trial, optuna_user_attribute

log = logging.getLogger(__name__)

APART = 1_000_000
"""What is added to the number of a study for the study that shows its confirmation trials."""
ROLES = frozenset(each.value for each in (*CONFIRMATION, *EXTRA))


class DashboardView(RDBStorage):
    """Optuna's storage, for looking only: a study has its search trials, and another one its confirmation trials."""

    def get_all_studies(self) -> list[FrozenStudy]:
        confirmed = self._confirmed()
        with reading("the list of studies in Optuna's tables"):
            found = [each for each in super().get_all_studies() if isinstance(each._study_id, int)]
        return [*found, *(_apart(each) for each in found if each._study_id in confirmed)]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = self._readable(study_id % APART, deepcopy, states)
        return [each for each in trials if _confirms(each) == (study_id >= APART)]

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        trials = [each for each in self.get_all_trials(study_id) if each.state is TrialState.COMPLETE]
        if not trials:
            raise ValueError("No trials are completed yet.")  # as Optuna does
        return min(trials, key=lambda each: each.value or 0.0)

    def get_study_name_from_id(self, study_id: int) -> str:
        name = super().get_study_name_from_id(study_id % APART)
        return f"{name} confirmation" if study_id >= APART else name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return super().get_study_directions(study_id % APART)

    def get_study_user_attrs(self, study_id: int) -> dict[str, object]:
        with _reading_study(study_id % APART):
            return super().get_study_user_attrs(study_id % APART)

    def get_study_system_attrs(self, study_id: int) -> dict[str, object]:
        with _reading_study(study_id % APART):
            return super().get_study_system_attrs(study_id % APART)

    def search_attributes(self, study_id: int) -> tuple[str, int, int] | None:
        """Experiment, batch size and round of a study of the search; None if it is another."""
        if study_id >= APART:
            return None
        try:
            told = self.get_study_user_attrs(study_id)
        except KeyError:
            return None
        if not {"experiment", "batch_size", "round"} <= told.keys():
            return None
        return str(told["experiment"]), int(str(told["batch_size"])), int(str(told["round"]))

    def _readable(self, study_id: int, deepcopy: bool, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """The trials of one of Optuna's studies; one that is damaged does not hide the others, and is logged."""
        try:
            return super().get_all_trials(study_id, deepcopy, states)
        except UNREADABLE:
            found = [each for trial_id in self._trial_ids(study_id) for each in self._trial_if_readable(trial_id)]
            return [each for each in found if states is None or each.state in states]

    def _trial_if_readable(self, trial_id: int) -> Iterator[FrozenTrial]:
        try:
            with reading(f"trial {trial_id} of Optuna's tables"):
                found = self.get_trial(trial_id)
        except DamagedRecord as error:
            log.warning("warning: %s; it is left out", error)
        else:
            yield found

    def _trial_ids(self, study_id: int) -> list[int]:
        query = select(optuna_trial.c.trial_id).where(optuna_trial.c.study_id == study_id)
        with self.engine.connect() as connection:
            return list(connection.scalars(query.order_by(optuna_trial.c.number)))

    def _confirmed(self) -> set[int]:
        """The studies that have a confirmation trial with a result."""
        roles = [json.dumps(each) for each in ROLES]
        found = (
            select(optuna_trial.c.study_id)
            .join(optuna_user_attribute, optuna_user_attribute.c.trial_id == optuna_trial.c.trial_id)
            .where(optuna_user_attribute.c.key == "role", optuna_user_attribute.c.value_json.in_(roles))
            .distinct()
        )
        with self.engine.connect() as connection:
            return set(connection.scalars(found))


@contextmanager
def _reading_study(study_id: int) -> Iterator[None]:
    """As `reading`, of one of Optuna's studies; that there is none is said as Optuna says it."""
    try:
        with reading(f"study {study_id} of Optuna's tables"):
            yield
    except DamagedRecord as error:
        if isinstance(error.__cause__, KeyError):
            raise error.__cause__ from None
        raise


def _apart(study: FrozenStudy) -> FrozenStudy:
    """The study that shows the confirmation trials of another."""
    shown = copy.copy(study)
    shown.study_name = f"{study.study_name} confirmation"
    shown._study_id = study._study_id + APART
    return shown


def _confirms(trial: FrozenTrial) -> bool:
    """Whether a trial is a run that chooses or reports a winner. What others have added to the study is search."""
    plan = trial.user_attrs.get(PLAN)
    return isinstance(plan, dict) and plan.get("role") in ROLES
