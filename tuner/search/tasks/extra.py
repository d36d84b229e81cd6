"""The task of training further trials of complete studies, which change nothing of what was searched and confirmed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.objective import Objective
from tuner.recorders import Event, ExtraStarted, StudyFinished
from tuner.records import EXTRA, ExperimentRecord, ExperimentState, PointRun, StudyRecord, TrialRecord
from tuner.search.cutoff import Cutoff
from tuner.search.points import GivenPoints
from tuner.search.training import StudyTraining
from tuner.stores import OpenStudy, Store


def unchanged(objective: Objective) -> Objective:
    """The experiment's own workload."""
    return objective


@dataclass(frozen=True, slots=True)
class Extra:
    """Implements `Task`: trials of the roles `EXTRA`, which are measured as reporting trials are, and never cut.

    Attributes:
        experiment: The name of the experiment, which the store has.
        wanted: The runs that are wanted, by batch size. Those that have a result already are left out.
        workload: Makes the workload they train with from the experiment's own. It is sent to other processes: a
            function of a module, or a `functools.partial` of one.
    """

    experiment: str
    wanted: Mapping[int, tuple[PointRun, ...]]
    workload: Callable[[Objective], Objective] = unchanged

    def missing(self, study: StudyRecord) -> tuple[PointRun, ...]:
        """The wanted runs of a study that have no result; none before it is complete."""
        done = {(each.plan.role, each.plan.point, each.plan.repeat) for each in study.finished(*EXTRA)}
        wanted = self.wanted.get(study.batch_size, ()) if study.complete else ()
        return tuple(each for each in wanted if (each.role, each.point, each.repeat) not in done)

    def errors(self, study: StudyRecord) -> tuple[TrialRecord, ...]:
        """The trials of wanted runs that an error ended: whoever submits the task again has them trained again."""
        wanted = {(each.role, each.point, each.repeat) for each in self.wanted.get(study.batch_size, ())}
        return tuple(
            each
            for each in study.finished(*EXTRA)
            if each.is_error and (each.plan.role, each.plan.point, each.plan.repeat) in wanted
        )

    def open_studies(self, store: Store) -> Sequence[OpenStudy]:
        claimed = store.claimed()
        record = store.record(self.experiment)
        if record.state is not ExperimentState.OPEN:
            return []
        found = ((each, (self.experiment, each.batch_size) in claimed) for each in reversed(record.studies))
        return [
            OpenStudy(self.experiment, each.batch_size, is_free=not is_claimed)
            for each, is_claimed in found
            if self.missing(each) or (is_claimed and each.complete and each.batch_size in self.wanted)
        ]

    def takes(self, study: StudyRecord) -> bool:
        return bool(self.missing(study))

    def adapt(self, objective: Objective) -> Objective:
        return self.workload(objective)

    def session(
        self,
        training: StudyTraining,
        *,
        worker: str,
        studies: Callable[[], Sequence[StudyRecord]],  # noqa: ARG002 - it waits for no other study
    ) -> "ExtraTrials":
        return ExtraTrials(self, training, worker)

    def submit(self, store: Store, experiment: Experiment) -> Sequence[str]:
        """Nothing is added: the store has the experiment. What an error ended is wanted again: it may be repaired.

        Raises:
            TunerError: No worker may go on with the experiment.
        """
        record = store.record(experiment.name)
        refuse_closed(experiment.name, record.state)
        for study in record.studies:
            if errors := self.errors(study):
                store.forget_errors(experiment.name, study.batch_size, [(each.round, each.number) for each in errors])
        return ()

    def before(self, studies: Sequence[StudyRecord]) -> Sequence[Event]:
        return [ExtraStarted(each, "", len(self.missing(each))) for each in studies]

    def is_done(self, studies: Sequence[StudyRecord]) -> bool:
        return not any(self.missing(each) for each in studies)

    def has_work(self, record: ExperimentRecord) -> bool:
        """Whether submitting the task leads to trials: some are missing, or an error has ended some."""
        may_try_again = record.state is ExperimentState.OPEN
        return not self.is_done(record.studies) or (may_try_again and any(map(self.errors, record.studies)))


def refuse_closed(name: str, state: ExperimentState) -> None:
    """Raise `TunerError` if no worker may go on with an experiment."""
    match state:
        case ExperimentState.CANCELLED:
            raise TunerError(f"{name} was cancelled, which is for good: nothing more is trained for it")
        case ExperimentState.PAUSED:
            raise TunerError(f"{name} is paused: nothing is trained for it before `tuner resume {name}`")


@dataclass(frozen=True, slots=True)
class ExtraTrials:
    """Implements `Session`: the extra trials of one claimed study."""

    task: Extra
    training: StudyTraining
    worker: str

    def started(self, study: StudyRecord) -> Event:
        return ExtraStarted(study, self.worker, len(self.task.missing(study)))

    def run(self, lanes: int) -> tuple[int, ...]:
        study = self.training.claim.record()
        self.training.train(study, GivenPoints(self.task.missing(study)), lanes, Cutoff(), reports=True)
        return ()

    def run_alone(self, trials: int) -> tuple[int, ...]:
        return replace(self, training=replace(self.training, alone=trials)).run(1)

    def finish(self, waiting: tuple[int, ...]) -> Event:  # noqa: ARG002 - it never waits
        return StudyFinished(self.training.claim.record())

    def set_aside(self, *, error: str) -> bool:  # noqa: ARG002 - the study itself is complete, and stays so
        return False
