"""The search of one study: a generator that fills lanes, advances, judges and refills. All I/O is the caller's."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tuner.goal import Goal
from tuner.objective import Trainer
from tuner.records import TrialPlan
from tuner.trial import Measurement, Outcome, TrialResult, TrialSpec


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial to train: its number in the store, and its plan."""

    number: int
    plan: TrialPlan


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial has come to its end. Its lane is refilled when the generator goes on."""

    trial: Trial
    result: TrialResult


@dataclass(frozen=True, slots=True)
class Advanced:
    """The lanes have been trained for a chunk: `steps` gradient steps, counted over all of them as measured."""

    steps: int


@dataclass(slots=True)
class _Lane:
    """A trial in training and what it has measured."""

    trial: Trial
    curve: list[Measurement]

    @property
    def steps(self) -> int:
        return self.curve[-1].step if self.curve else 0


def search(
    trainer: Trainer,
    trials: Iterator[Trial],
    goal: Goal,
    *,
    slack: float = math.inf,
    incumbent: int | None = None,
    optimism: float = math.inf,
) -> Iterator[Ended | Advanced]:
    """Train every trial to its end, as many at once as there are lanes.

    Args:
        trainer: Where they train. It is left open.
        trials: What to train. The next one is taken when a lane is free, so it may depend on results yielded before.
        goal: When a trial ends.
        slack: Adaptive capping: a trial is cut at `slack` times the fewest steps so far, never if infinite.
        incumbent: The fewest steps to target before this search.
        optimism: Early termination: a trial is cut if its curve has to decline this many times more steeply.

    Yields:
        `Ended` for each trial, in an order that depends on the trainer's arithmetic and never on time; `Advanced`
        after every chunk.
    """
    running: dict[int, _Lane] = {}
    while True:
        _refill(trainer, trials, running)
        if not running:
            return
        steps = 0
        for lane, measured in trainer.advance().items():
            cap = math.ceil(slack * incumbent) if incumbent is not None and math.isfinite(slack) else None
            before = running[lane].steps
            result = _follow(running[lane].curve, measured, goal, cap=cap, optimism=optimism)
            steps += running[lane].steps - before
            if result is not None:
                trainer.unload(lane)
                yield Ended(running.pop(lane).trial, result)
                if result.outcome is Outcome.ACHIEVED:
                    incumbent = min(incumbent or result.steps, result.steps)
        yield Advanced(steps)


def _refill(trainer: Trainer, trials: Iterator[Trial], running: dict[int, _Lane]) -> None:
    """Load the next trials into the lanes that are free, as long as there are any."""
    for lane in range(trainer.lanes):
        if lane not in running and (trial := next(trials, None)) is not None:
            trainer.load(lane, TrialSpec(trial.plan.seed, trial.plan.hyperparameters))
            running[lane] = _Lane(trial, [])


def _follow(
    curve: list[Measurement], measured: Sequence[Measurement], goal: Goal, *, cap: int | None, optimism: float
) -> TrialResult | None:
    """Add measurements to a curve until the goal sees its end; what was measured past it is dropped."""
    for each in measured:
        curve.append(each)
        if (result := goal.judge(curve, cap=cap, optimism=optimism)) is not None:
            return result
    return None
