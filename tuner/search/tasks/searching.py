"""The task of searching: every open study is searched and confirmed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event, StudyFinished
from tuner.records import StudyRecord
from tuner.search.protocol import StudySearch
from tuner.search.training import StudyTraining
from tuner.stores import OpenStudy, Store


@dataclass(frozen=True, slots=True)
class Searching:
    """Implements `Task`: see every open study through the protocol of `StudySearch`."""

    def open_studies(self, store: Store) -> Sequence[OpenStudy]:
        return store.open_studies()

    def takes(self, study: StudyRecord) -> bool:
        return not (study.complete or study.error)

    def adapt(self, objective: Objective) -> Objective:
        return objective

    def session(
        self, training: StudyTraining, *, worker: str, studies: Callable[[], Sequence[StudyRecord]]
    ) -> StudySearch:
        return StudySearch(training, worker, studies)

    def submit(self, store: Store, experiment: Experiment) -> Sequence[str]:
        added = store.submit(experiment)
        store.reopen(experiment.name)  # what kept failing may have been repaired
        return added

    def before(self, studies: Sequence[StudyRecord]) -> Sequence[Event]:
        """The studies that are complete: no worker will claim them."""
        return [StudyFinished(each) for each in studies if each.complete]

    def is_done(self, studies: Sequence[StudyRecord]) -> bool:
        return all(each.complete for each in studies)
