"""Records as a run would leave them, from workloads whose answers are known."""

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from tuner.analysis.optimum import confirmation
from tuner.experiment import ConfirmationSettings, Experiment, from_table, preset_text
from tuner.experiment.space import SearchSpace
from tuner.records import (
    ExperimentRecord,
    PointRun,
    Role,
    StudyRecord,
    TrialEnd,
    TrialPlan,
    TrialRecord,
    TrialState,
)
from tuner.trial import Outcome, Value, hash_seed

STARTED = datetime(2026, 1, 1, tzinfo=UTC)

Run = Callable[[PointRun], TrialEnd]


def digits(**changes: object) -> Experiment:
    """The preset's settings, with some top-level tables replaced."""
    return from_table(tomllib.loads(preset_text("digits")) | changes)


def ended(steps: int, *, outcome: Outcome = Outcome.ACHIEVED, test_error: float = 0.04) -> TrialEnd:
    """How a trial ended, with the metrics of the classification objective."""
    reached = outcome is Outcome.ACHIEVED
    loss = math.log2(steps) + {Outcome.ACHIEVED: 0.0, Outcome.CENSORED: 2.0, Outcome.INFEASIBLE: 12.0}[outcome]
    final = {"train/loss": 0.05, "validation/error": 0.025 if reached else 0.1, "test/error": test_error}
    return TrialEnd(outcome, steps, limit=4000, spent=steps, loss=loss, final=final)


def trial(number: int, end: TrialEnd | None, *, run: PointRun | None = None) -> TrialRecord:
    """A trial as stored; failed without an end. By default the search of the point with the trial's number."""
    wanted = run or PointRun(number, 0, Role.SEARCH, {"learning_rate": 0.1})
    plan = TrialPlan(
        point=wanted.point,
        repeat=wanted.repeat,
        role=wanted.role,
        seed=hash_seed(wanted.point, wanted.repeat),
        hyperparameters=wanted.hyperparameters,
        lanes=8,
        device="cpu",
        origin=wanted.origin,
    )
    state = TrialState.FINISHED if end else TrialState.FAILED
    reason = "" if end else "interrupted"
    return TrialRecord(number, plan, state, end, reason, STARTED, STARTED + timedelta(seconds=1))


def study(*trials: TrialRecord, space: SearchSpace | None = None, batch_size: int = 64) -> StudyRecord:
    """A study of these trials."""
    return StudyRecord(batch_size, 1, space or digits().space.at(batch_size), complete=False, trials=trials)


def grown(record: StudyRecord, wanted: Sequence[PointRun], run: Run) -> StudyRecord:
    """The study after more runs."""
    first = len(record.trials)
    new = tuple(trial(first + index, run(each), run=each) for index, each in enumerate(wanted))
    return replace(record, trials=record.trials + new)


def pending(record: StudyRecord, settings: ConfirmationSettings, studies: Sequence[StudyRecord] = ()) -> list[PointRun]:
    """What the confirmation of a study still asks for, beside these other studies."""
    racers = confirmation.candidates(record, (record, *studies), settings)
    return confirmation.pending(record, racers, settings)


@dataclass
class Workload:
    """Steps to target fall as `floor (1 + critical / B)`; the best effective learning rate grows with the root of B.

    Momentum has no effect but through the effective learning rate; a trial diverges at eight times the best of it.
    """

    floor: float = 24.0
    critical: float = 120.0
    best_rate: float = 0.06
    noise: float = 0.15
    budget: int = 4000
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def run(self, batch_size: int, point: Mapping[str, Value]) -> TrialEnd:
        """One trial."""
        rate = float(point["learning_rate"]) / (1 - float(point["momentum"]))
        excess = math.log2(rate / (self.best_rate * math.sqrt(batch_size)))
        if excess > 3:
            return ended(24, outcome=Outcome.INFEASIBLE)
        decay = 0.15 * (math.log10(float(point["end_factor"])) + 1) ** 2
        least = math.log2(self.floor * (1 + self.critical / batch_size))
        steps = round(2 ** (least + 0.25 * excess**2 + decay + self.noise * self.generator.standard_normal()))
        test_error = 0.045 + 0.004 * self.generator.standard_normal()
        if steps > self.budget:
            return ended(self.budget, outcome=Outcome.CENSORED, test_error=0.2)
        return ended(max(steps, 1), test_error=test_error)

    def search(self, experiment: Experiment, batch_size: int) -> StudyRecord:
        """A search that looks everywhere first and near its best points later, as Bayesian ones do."""
        record = study(space=experiment.space.at(batch_size), batch_size=batch_size)
        for number in range(experiment.search.points):
            run = PointRun(number, 0, Role.SEARCH, record.space.at(self._place(record)))
            record = grown(record, [run], lambda each: self.run(batch_size, each.hyperparameters))
        return record

    def _place(self, record: StudyRecord) -> list[float]:
        best = sorted(record.finished(Role.SEARCH), key=lambda each: each.end.loss if each.end else math.inf)[:4]
        if len(record.trials) < 15:
            return [float(each) for each in self.generator.random(record.space.dimensions)]
        chosen = best[self.generator.integers(len(best))].plan.hyperparameters
        centre = [limits.position(float(chosen[name])) for name, limits in record.space.ranges()]
        moved = np.clip(centre + 0.12 * self.generator.standard_normal(len(centre)), 0, 1)
        return [float(each) for each in moved]

    def confirm(self, experiment: Experiment, record: StudyRecord) -> StudyRecord:
        """The study after all that confirmation asks for."""
        batch_size = record.batch_size
        while wanted := pending(record, experiment.confirmation):
            record = grown(record, wanted, lambda each: self.run(batch_size, each.hyperparameters))
        return replace(record, complete=True)


def experiment_record(experiment: Experiment, workload: Workload | None = None) -> ExperimentRecord:
    """An experiment after a whole run."""
    model = workload or Workload()
    return ExperimentRecord(
        experiment, tuple(model.confirm(experiment, model.search(experiment, each)) for each in experiment.batch_sizes)
    )
