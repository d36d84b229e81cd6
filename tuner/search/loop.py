"""The loop over lanes: a generator that fills lanes with trials, advances them, judges them and refills the lanes.

The caller does all input and output.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tuner.errors import OutOfMemory
from tuner.experiment.goals import Goal
from tuner.objective import Trainer, measure_end
from tuner.records import TrialPlan
from tuner.search.cutoff import Cutoff
from tuner.trial import Measurement, TrialResult, TrialSpec


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a trial in training.

    Attributes:
        curve: The measurements so far.
        state: The bytes from which a trainer goes on (`Trainer.save`).
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
        """What the trainer is given."""
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
        error: Why the trainer could not read the checkpoint; the trial then starts from its seed. None if it could.
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
    """The state of a running trial; None if its trainer cannot save it."""

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

    def follow(self, measured: Sequence[Measurement], goal: Goal, cutoff: Cutoff) -> TrialResult | None:
        """Add measurements to the curve until the goal sees its end; what was measured past the end is dropped."""
        for each in measured:
            self.curve.append(each)
            if (result := goal.judge(self.curve, cap=cutoff.cap, optimism=cutoff.optimism)) is not None:
                return result
        return None


def search(
    trainer: Trainer,
    trials: Iterator[Trial],
    goal: Goal,
    *,
    cutoff: Cutoff | None = None,
    saving: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train every trial to its end, as many at once as there are lanes.

    Args:
        trainer: Where the trials train. It is left open.
        trials: The next trial is taken when a lane is free, so it may depend on results yielded before.
        goal: When a trial ends.
        cutoff: When a trial is cut; told of every result. By default no trial is cut before its budget is spent.
        saving: Whether to save the running trials; asked after every chunk of training.

    Yields:
        `Resumed` for each trial that has a checkpoint; `Ended` for each trial, in an order that never depends on time;
        after every chunk `Saved` for each running trial, if the trials are to be saved, and then `Advanced`.
    """
    cutoff, running = cutoff or Cutoff(), dict[int, _Lane]()
    while True:
        yield from _refill(trainer, trials, running)
        if not running:
            return
        steps = 0
        for number, measured in trainer.advance().items():
            lane = running[number]
            before = lane.steps
            if (result := lane.follow(measured, goal, cutoff)) is not None:
                result = _with_end(trainer, number, result)
                trainer.unload(number)
                yield Ended(running.pop(number).trial, result)
                cutoff.learn(result)
            steps += lane.steps - before
        if saving():
            for number, lane in running.items():
                yield Saved(lane.trial, _save(trainer, number, lane.curve))
        yield Advanced(steps)


def _with_end(trainer: Trainer, lane: int, result: TrialResult) -> TrialResult:
    """A trial's result with what its last measurement left out, as long as the trainer has the trial.

    Raises:
        OutOfMemory: The device is full.
    """
    *before, last = result.curve
    left_out = measure_end(trainer, lane, last.step)
    partial = {metric: many for metric, many in last.partial.items() if metric not in left_out}
    return replace(result, curve=(*before, Measurement(last.step, {**last.metrics, **left_out}, partial)))


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
    """Load a trial from its checkpoint, or from its seed if the trainer cannot read it, as from another version.

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
    """The state of the trial in a lane; None if its trainer cannot save it."""
    try:
        return Checkpoint(tuple(curve), trainer.save(lane))
    except NotImplementedError:
        return None
