"""Replay: one trial is trained again as recorded, to see whether its result is reproducible."""

import dataclasses
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.objective import Trainer, make_trainer
from tuner.records import ExperimentRecord, Role, TrialRecord
from tuner.search.contract import check_for
from tuner.search.loop import Ended, Trial, search
from tuner.trial import Outcome, TrialResult


@dataclass(frozen=True, slots=True)
class Replay:
    """A trial's recorded end and its new one."""

    recorded: TrialRecord
    again: TrialResult

    @property
    def same(self) -> bool:
        """Whether it ended the same way after the same steps."""
        end = self.recorded.end
        return end is not None and (end.outcome, end.steps) == (self.again.outcome, self.again.steps)

    @property
    def sentence(self) -> str:
        """The comparison, for a person."""
        end, plan = self.recorded.end, self.recorded.plan
        assert end is not None
        where = f"with seed {plan.seed} on {plan.device}, {plan.lanes} lanes"
        if self.same:
            return f"same: it {end.outcome.sentence} at step {end.steps} again, {where}"
        return (
            f"different: it {end.outcome.sentence} at step {end.steps}, and now "
            f"{self.again.outcome.sentence} at step {self.again.steps}, {where}"
        )


def replay(record: ExperimentRecord, *, batch_size: int, number: int, round: int = 1) -> Replay:
    """Train a finished trial again with the same seed, limit in steps, number of lanes and device.

    A censored trial is trained for as many steps as before. The step at which it was cut cannot be found again, because
    it depends on the incumbent at that time.

    Raises:
        TunerError: There is no such trial, or it has no result to compare with.
    """
    recorded = _finished_trial(record, batch_size, round, number)
    return Replay(recorded, train_again(record.experiment, batch_size, recorded))


def train_again(
    experiment: Experiment,
    batch_size: int,
    recorded: TrialRecord,
    *,
    within: Callable[[Trainer], Trainer] = lambda trainer: trainer,
) -> TrialResult:
    """The result of a finished trial that is trained again, as `replay` says.

    Args:
        experiment: What the trial belongs to.
        batch_size: The batch size of its study.
        recorded: The trial.
        within: What the trainer is wrapped in.
    """
    assert recorded.end is not None
    end, plan = recorded.end, recorded.plan
    limit = end.steps if end.outcome is Outcome.CENSORED else end.limit
    goal = dataclasses.replace(experiment.goal.at(batch_size), within_steps=limit)
    measuring = experiment.measuring.plan(experiment.goal, batch_size, reports=plan.role is Role.REPORT)
    objective = experiment.build_objective()
    check = check_for(objective, owner=experiment.kind, goal=goal.metric)
    made = make_trainer(objective, batch_size, lanes=plan.lanes, device=plan.device, plan=measuring)
    with closing(within(made)) as trainer:
        for event in search(trainer, iter([Trial(recorded.number, plan)]), goal, check=check):
            if isinstance(event, Ended):
                return event.result
    raise AssertionError("a trial ends")


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
    if not 0 <= number < len(trials):
        raise TunerError(f"{where} of {name} has no trial {number}; it has {len(trials)}, from 0")
    if trials[number].end is None:
        raise TunerError(f"trial {number} of {where} is {trials[number].state}: it has no result yet")
    return trials[number]
