"""Replay: one trial is trained again as recorded, to see whether its result is reproducible."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import inf

from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.experiment.goals import Goal, ScoreUnit
from tuner.objective import Trainer, make_trainer
from tuner.records import EXTRA, ExperimentRecord, Role, TrialEnd, TrialRecord
from tuner.search.contract import check_for
from tuner.search.loop import Ended, Trial, search
from tuner.trial import Failure, Measurement, Outcome, TrialResult, score_of


@dataclass(frozen=True, slots=True)
class Replay:
    """A trial's recorded end and its new one.

    Attributes:
        score: The new score, infinite if there is none.
        unit: What scores count.
    """

    recorded: TrialRecord
    again: TrialResult
    score: float
    unit: ScoreUnit

    @property
    def same(self) -> bool:
        """Whether it ended the same way after the same steps, with the same score."""
        end, again = self.recorded.end, self.again
        return end is not None and (end.outcome, end.steps, end.score) == (again.outcome, again.steps, self.score)

    @property
    def sentence(self) -> str:
        """The comparison, for a person."""
        end, plan = self.recorded.end, self.recorded.plan
        assert end is not None
        where = f"with seed {plan.seed} on {plan.device}, {plan.lanes} lanes"
        if self.same:
            return f"same: it {self._told(end, end.score)} again, {where}"
        return f"different: it {self._told(end, end.score)}, and now {self._told(self.again, self.score)}, {where}"

    def _told(self, end: TrialEnd | TrialResult, score: float) -> str:
        """How it ended, and when; where that is not the whole of its score, with the score."""
        has_value = score < inf and not self.unit.counts_steps
        value = f" ({self.unit.phrase(score)})" if has_value else ""
        return f"{end.outcome.sentence} at step {end.steps}{value}"


def replay(record: ExperimentRecord, *, batch_size: int, number: int, round: int = 1) -> Replay:
    """Train a finished trial again with the same seed, limit in steps, number of lanes and device.

    A censored trial is trained for as many steps as before. The step at which it was cut cannot be found again, because
    it depends on the incumbent at that time.

    Raises:
        TunerError: There is no such trial, or it has no result to compare with.
    """
    recorded = _finished_trial(record, batch_size, round, number)
    again, goal = train_again(record.experiment, batch_size, recorded), record.experiment.goal
    loss = goal.at(batch_size).loss(again)
    return Replay(recorded, again, score_of(again.outcome, steps=again.steps, loss=loss), goal.unit)


def train_again(
    experiment: Experiment,
    batch_size: int,
    recorded: TrialRecord,
    *,
    limit: int | None = None,
    within: Callable[[Trainer], Trainer] = lambda trainer: trainer,
) -> TrialResult:
    """The result of a finished trial that is trained again, as `replay` says.

    Args:
        experiment: What the trial belongs to.
        batch_size: The batch size of its study.
        recorded: The trial.
        limit: The steps that it may take; None for those that it was allowed.
        within: What the trainer is wrapped in.
    """
    assert recorded.end is not None
    end, plan = recorded.end, recorded.plan
    whole = experiment.goal.at(batch_size)
    goal = whole.within(end.limit if limit is None else limit)
    if end.outcome is Outcome.CENSORED:
        goal = CutAt(goal, end.steps)
    measuring = experiment.measuring.plan(experiment.goal, batch_size, reports=plan.role in (Role.REPORT, *EXTRA))
    objective = experiment.build_objective()
    check = check_for(objective, owner=experiment.kind, goal=whole)
    made = make_trainer(objective, batch_size, lanes=plan.lanes, device=plan.device, plan=measuring)
    with closing(within(made)) as trainer:
        for event in search(trainer, iter([Trial(recorded.number, plan)]), goal, check=check):
            if isinstance(event, Ended):
                return event.result
    raise AssertionError("a trial ends")


@dataclass(frozen=True, slots=True)
class CutAt:
    """Implements `Goal` by another goal, for a trial that is cut at a known step."""

    goal: Goal
    step: int

    @property
    def metric(self) -> str:
        return self.goal.metric

    @property
    def within_steps(self) -> int:
        return min(self.step, self.goal.within_steps)

    @property
    def batch_size(self) -> int:
        return self.goal.batch_size

    def judge(
        self,
        curve: Sequence[Measurement],
        *,
        cap: float | None = None,
        incumbent: float | None = None,
        optimism: float = inf,
    ) -> TrialResult | None:
        result = self.goal.judge(curve, cap=cap, incumbent=incumbent, optimism=optimism)
        if result is None and curve[-1].step >= self.step:
            return TrialResult(Outcome.CENSORED, self.step, self.step, tuple(curve))
        return result

    def fail(self, curve: Sequence[Measurement], failure: Failure, *, cap: float | None = None) -> TrialResult:
        return self.goal.fail(curve, failure, cap=cap)

    def loss(self, result: TrialResult) -> float:
        return self.goal.loss(result)

    def distance(self, value: float) -> float:
        return self.goal.distance(value)

    def objection(self, value: float) -> str:
        return self.goal.objection(value)

    def within(self, steps: int) -> Goal:
        return replace(self, goal=self.goal.within(steps))


def _finished_trial(record: ExperimentRecord, batch_size: int, round: int, number: int) -> TrialRecord:
    """The trial with this number in this round. Raises `TunerError`."""
    name = record.experiment.name
    studies = {each.batch_size: each for each in record.studies}
    if batch_size not in studies:
        raise TunerError(f"{name} has no study of batch size {batch_size}; it has {', '.join(map(str, studies))}")
    rounds = studies[batch_size].rounds
    if not 1 <= round <= len(rounds):
        raise TunerError(f"batch size {batch_size} of {name} has no round {round}; it has {len(rounds)}, from 1")
    trials = rounds[round - 1].trials
    where = f"batch size {batch_size}" if len(rounds) == 1 else f"round {round} of batch size {batch_size}"
    found = {each.number: each for each in trials}.get(number)
    if found is None:
        raise TunerError(f"{where} of {name} has no trial {number}; it has {len(trials)}, from 0")
    if found.end is None:
        raise TunerError(f"trial {number} of {where} is {found.state}: it has no result yet")
    return found
