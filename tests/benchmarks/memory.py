"""A claim without a store: sessions run as the program runs them, and leave their record in memory."""

from dataclasses import replace
from datetime import UTC, datetime

from tuner.experiment import Experiment
from tuner.experiment.space import SearchSpace
from tuner.records import Stage, StudyRecord, TrialEnd, TrialPlan, TrialRecord, TrialState
from tuner.search.protocol import StudySearch
from tuner.search.training import StudyTraining
from tuner.trial import TrialResult

CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
"""Nothing measured here depends on the time of day."""


class MemoryClaim:
    """Implements `tuner.stores.Claim`. Finished trials are kept in the order in which they ended, without curves."""

    def __init__(self, experiment: Experiment, study: StudyRecord) -> None:
        self.experiment = experiment
        self._study = study
        self._plans: dict[int, TrialPlan] = {}

    def check(self) -> None:
        """Nobody else can have it."""

    def record(self) -> StudyRecord:
        return self._study

    def start(self, plan: TrialPlan) -> int:
        self._plans[len(self._plans)] = plan
        return len(self._plans) - 1

    def finish(self, number: int, result: TrialResult, *, loss: float) -> TrialRecord:
        end = TrialEnd(result.outcome, result.steps, result.limit, result.spent, loss, dict(result.final))
        trial = TrialRecord(number, self._plans[number], TrialState.FINISHED, end, "", CLOCK, CLOCK, self._study.round)
        self._study = replace(self._study, trials=(*self._study.trials, trial))
        return trial

    def fail(self, number: int, *, reason: str) -> None:
        raise AssertionError(f"trial {number} failed: {reason}")

    def open_round(self, space: SearchSpace, *, second_look: bool = False) -> None:
        before = replace(self._study, earlier=(), complete=True)
        earlier = (*self._study.earlier, before)
        stage = Stage.SECOND_LOOK if second_look else before.stage
        self._study = StudyRecord(before.batch_size, before.round + 1, space, False, (), earlier, stage=stage)

    def reach(self, stage: Stage) -> None:
        self._study = replace(self._study, stage=stage)

    def complete(self) -> None:
        self._study = replace(self._study, complete=True)

    def set_aside(self, *, error: str) -> None:
        raise AssertionError(error)


def searched(experiment: Experiment, batch_size: int) -> StudyRecord:
    """The study of one batch size, searched and confirmed."""
    claim = MemoryClaim(experiment, StudyRecord(batch_size, 1, experiment.space.at(batch_size), False, ()))
    training = StudyTraining(
        experiment,
        experiment.build_objective(),
        claim,
        device="cpu",
        emit=lambda _: None,
        stopping=lambda: False,
    )
    session = StudySearch(training, worker="benchmark", studies=lambda: (claim.record(),))
    session.run(experiment.search.width)
    return claim.record()
