"""The loop over lanes: a generator that fills lanes with trials, advances them, judges them and refills the lanes.

The caller does all input and output.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from tuner.errors import OutOfMemory, TunerError
from tuner.experiment.goals import Goal
from tuner.objective import Trainer, measure_end
from tuner.records import TrialPlan
from tuner.search.contract import MeasurementCheck
from tuner.search.cutoff import Cutoff
from tuner.tracebacks import reason_of, user_frames
from tuner.trial import Failure, Measurement, Outcome, TrialResult, TrialSpec, score_of


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


class TrainerBroken(Exception):  # noqa: N818 - says what has happened
    """A trainer raised an error of the training code, and cannot be used any more.

    If it was training one trial, that trial has ended with the error. If it was training several, nobody knows which
    of them raised it: none has ended, and they are trained one at a time to find out.

    Attributes:
        running: How many trials it was training.
    """

    def __init__(self, running: int, error: Exception) -> None:
        self.running = running
        super().__init__(reason_of(error))


@dataclass(slots=True)
class _Lane:
    """A trial in training and what it has measured."""

    trial: Trial
    curve: list[Measurement]

    @property
    def steps(self) -> int:
        return self.curve[-1].step if self.curve else 0


@dataclass(slots=True)
class _Search:
    """A search under way; see `search`."""

    trainer: Trainer
    trials: Iterator[Trial]
    goal: Goal
    cutoff: Cutoff
    check: MeasurementCheck | None
    running: dict[int, _Lane] = field(default_factory=dict)

    def refill(self) -> Iterator[Event]:
        """Load the next trials into the lanes that are free, as long as there are any."""
        for lane in range(self.trainer.lanes):
            while lane not in self.running and (trial := next(self.trials, None)) is not None:
                yield from self._load(lane, trial)

    def advance(self) -> Generator[Event, None, int]:
        """Train every lane for a chunk; how many steps that were, as measured. Raises `TrainerBroken`."""
        steps = 0
        try:
            measured = self.trainer.advance()
        except TunerError:
            raise
        except Exception as error:
            many = len(self.running)
            if many == 1:
                yield self._fail(self.running.popitem()[1], error)
            raise TrainerBroken(many, error) from error
        for number, each in measured.items():
            lane = self.running[number]
            before = lane.steps
            result = self._follow(lane, each)
            steps += lane.steps - before
            if result is not None:
                del self.running[number]
                result = self._with_end(number, result)
                self.trainer.unload(number)
                yield Ended(lane.trial, result)
                loss = self.goal.loss(result)
                self.cutoff.learn(score_of(result.outcome, steps=result.steps, loss=loss))
        return steps

    def save(self) -> Iterator[Saved]:
        """The state of every running trial."""
        for number, lane in self.running.items():
            yield Saved(lane.trial, _save(self.trainer, number, lane.curve))

    def _follow(self, lane: _Lane, measured: Sequence[Measurement | Failure]) -> TrialResult | None:
        """Add measurements to a curve until the goal sees its end; what was measured past the end is dropped."""
        for each in measured:
            if isinstance(each, Failure):
                return self.goal.fail(lane.curve, each, cap=self.cutoff.cap)
            lane.curve.append(each if self.check is None else self.check(each, after=lane.steps))
            cutoff = self.cutoff
            result = self.goal.judge(lane.curve, cap=cutoff.cap, incumbent=cutoff.incumbent, optimism=cutoff.optimism)
            if result is not None:
                if self.check is not None and result.outcome.has_trained:
                    self.check.check_end(lane.curve)
                return result
        return None

    def _with_end(self, lane: int, result: TrialResult) -> TrialResult:
        """A trial's result with what its last measurement left out, as long as the trainer has the trial.

        Raises:
            OutOfMemory: The device is full.
        """
        if result.outcome is Outcome.ERROR:
            return result
        *before, last = result.curve
        left_out = measure_end(self.trainer, lane, last.step)
        partial = {metric: many for metric, many in last.partial.items() if metric not in left_out}
        return replace(result, curve=(*before, Measurement(last.step, {**last.metrics, **left_out}, partial)))

    def _load(self, lane: int, trial: Trial) -> Iterator[Event]:
        """Load a trial from its checkpoint, if it has one that the trainer can read, or from its seed."""
        checkpoint, trial = trial.checkpoint, replace(trial, checkpoint=None)  # it may be large
        curve: list[Measurement] = []
        try:
            if checkpoint is None:
                self.trainer.load(lane, trial.spec)
            else:
                resumed = self._resume(lane, trial, checkpoint)
                curve = [] if resumed.error else list(checkpoint.curve)
                yield resumed
        except TunerError:
            raise
        except Exception as error:
            yield self._fail(_Lane(trial, curve), error)
        else:
            self.running[lane] = _Lane(trial, curve)

    def _resume(self, lane: int, trial: Trial, checkpoint: Checkpoint) -> Resumed:
        """Load a trial from its checkpoint, or from its seed if the trainer cannot read it, as from another version.

        Raises:
            OutOfMemory: The device is full.
        """
        try:
            self.trainer.load(lane, trial.spec, checkpoint.state)
        except OutOfMemory:
            raise
        except Exception as error:
            self.trainer.load(lane, trial.spec)
            return Resumed(trial, 0, error)
        return Resumed(trial, checkpoint.step)

    def _fail(self, lane: _Lane, error: Exception) -> Ended:
        failure = Failure(reason_of(error), user_frames(error))
        return Ended(lane.trial, self.goal.fail(lane.curve, failure, cap=self.cutoff.cap))


def search(
    trainer: Trainer,
    trials: Iterator[Trial],
    goal: Goal,
    *,
    cutoff: Cutoff | None = None,
    saving: Callable[[], bool] = lambda: False,
    check: MeasurementCheck | None = None,
) -> Iterator[Event]:
    """Train every trial to its end, as many at once as there are lanes.

    A trial whose own code raises an error ends with it, and the others go on.

    Args:
        trainer: Where the trials train. It is left open.
        trials: The next trial is taken when a lane is free, so it may depend on results yielded before.
        goal: When a trial ends.
        cutoff: When a trial is cut; told of every result. By default no trial is cut before its budget is spent.
        saving: Whether to save the running trials; asked after every chunk of training.
        check: Checks every measurement. By default they are trusted.

    Yields:
        `Resumed` for each trial that has a checkpoint; `Ended` for each trial, in an order that never depends on time;
        after every chunk `Saved` for each running trial, if the trials are to be saved, and then `Advanced`.

    Raises:
        TrainerBroken: The trainer raised an error of the training code.
        ContractError: A trial measured what its contract does not allow.
    """
    under_way = _Search(trainer, trials, goal, cutoff or Cutoff(), check)
    while True:
        yield from under_way.refill()
        if not under_way.running:
            return
        steps = yield from under_way.advance()
        if saving():
            yield from under_way.save()
        yield Advanced(steps)


def _save(trainer: Trainer, lane: int, curve: Sequence[Measurement]) -> Checkpoint | None:
    """The state of the trial in a lane; None if its trainer cannot save it."""
    try:
        return Checkpoint(tuple(curve), trainer.save(lane))
    except NotImplementedError:
        return None
