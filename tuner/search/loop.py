"""The search of one study: a generator that fills lanes, advances, judges and refills. All I/O is the caller's."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tuner.errors import OutOfMemory
from tuner.experiment.goals import Goal
from tuner.objective import Trainer
from tuner.records import TrialPlan
from tuner.trial import Measurement, Outcome, TrialResult, TrialSpec


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a trial stands.

    Attributes:
        curve: What it has measured.
        state: What the trainer goes on from (`Trainer.save`).
    """

    curve: tuple[Measurement, ...]
    state: bytes

    @property
    def step(self) -> int:
        """The step of the last measurement; the state may be some steps further."""
        return self.curve[-1].step if self.curve else 0


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial to train.

    Attributes:
        number: Its number in the store.
        checkpoint: Where an earlier trial of the same plan stood when it was interrupted.
    """

    number: int
    plan: TrialPlan
    checkpoint: Checkpoint | None = None

    @property
    def spec(self) -> TrialSpec:
        """What its trainer is given."""
        return TrialSpec(self.plan.seed, self.plan.hyperparameters)


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial has come to its end. Its lane is refilled when the generator goes on."""

    trial: Trial
    result: TrialResult


@dataclass(frozen=True, slots=True)
class Advanced:
    """The lanes have been trained for a chunk: `steps` gradient steps, counted over all of them as measured."""

    steps: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A trial goes on from its checkpoint.

    Attributes:
        step: The step it goes on from.
        error: Why it starts from its seed instead: what the trainer made of the checkpoint.
    """

    trial: Trial
    step: int
    error: Exception | None = None

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        point = f"point {self.trial.plan.point}"
        if self.error is None:
            return f"{point} goes on from step {self.step}"
        return f"{point} starts again: its checkpoint cannot be read ({type(self.error).__name__}: {self.error})"


@dataclass(frozen=True, slots=True)
class Saved:
    """Where a running trial stands; None if its trainer cannot save it."""

    trial: Trial
    checkpoint: Checkpoint | None


Event = Ended | Advanced | Resumed | Saved


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
    saving: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train every trial to its end, as many at once as there are lanes.

    Args:
        trainer: Where they train. It is left open.
        trials: What to train. The next one is taken when a lane is free, so it may depend on results yielded before.
        goal: When a trial ends.
        slack: Adaptive capping: a trial is cut at `slack` times the fewest steps so far, never if infinite.
        incumbent: The fewest steps to target before this search.
        optimism: Early termination: a trial is cut if its curve has to decline this many times more steeply.
        saving: Whether to save the running trials; asked after every chunk.

    Yields:
        `Resumed` for each trial that has a checkpoint; `Ended` for each trial, in an order that depends on the
        trainer's arithmetic and never on time; after every chunk `Saved` for the running trials, if they are to be
        saved, and then `Advanced`.
    """
    running: dict[int, _Lane] = {}
    while True:
        yield from _refill(trainer, trials, running)
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
        if saving():
            for lane, each in running.items():
                yield Saved(each.trial, _save(trainer, lane, each.curve))
        yield Advanced(steps)


def _refill(trainer: Trainer, trials: Iterator[Trial], running: dict[int, _Lane]) -> Iterator[Resumed]:
    """Load the next trials into the lanes that are free, as long as there are any."""
    for lane in range(trainer.lanes):
        if lane not in running and (trial := next(trials, None)) is not None:
            checkpoint, trial = trial.checkpoint, replace(trial, checkpoint=None)  # it may be large
            if checkpoint is None:
                trainer.load(lane, trial.spec)
                running[lane] = _Lane(trial, [])
            else:
                resumed = _resume(trainer, lane, trial, checkpoint)
                running[lane] = _Lane(trial, [] if resumed.error else list(checkpoint.curve))
                yield resumed


def _resume(trainer: Trainer, lane: int, trial: Trial, checkpoint: Checkpoint) -> Resumed:
    """Load a trial from its checkpoint, or from its seed if the trainer cannot read that: it may be another version's.

    Raises:
        OutOfMemory: The device is full.
    """
    try:
        trainer.load(lane, trial.spec, checkpoint.state)
    except OutOfMemory:
        raise
    except Exception as error:
        trainer.load(lane, trial.spec)
        return Resumed(trial, 0, error)
    return Resumed(trial, checkpoint.step)


def _save(trainer: Trainer, lane: int, curve: Sequence[Measurement]) -> Checkpoint | None:
    """Where the trial in a lane stands, if its trainer can say."""
    try:
        return Checkpoint(tuple(curve), trainer.save(lane))
    except NotImplementedError:
        return None


def _follow(
    curve: list[Measurement], measured: Sequence[Measurement], goal: Goal, *, cap: int | None, optimism: float
) -> TrialResult | None:
    """Add measurements to a curve until the goal sees its end; what was measured past it is dropped."""
    for each in measured:
        curve.append(each)
        if (result := goal.judge(curve, cap=cap, optimism=optimism)) is not None:
            return result
    return None
