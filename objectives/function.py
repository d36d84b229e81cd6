"""A training loop of the user's own as a workload: a generator function whose parameters are the hyperparameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from objectives.loops.devices import resolved
from objectives.loops.generators import GeneratorLoop
from objectives.loops.signatures import find, parameters, with_defaults
from objectives.loops.told import BATCH_SIZE, CHECKPOINT, DEVICE, MAX_STEPS, RESERVED, SEED, short_seed
from objectives.loops.trainer import LoopTrainer
from tuner.errors import ConfigError, ContractError, OutOfMemory, Problem
from tuner.experiment.limits.numbers import NAMES, Within
from tuner.objective import MeasuringPlan, Trainer
from tuner.trial import Failure, Measurement, TrialSpec

__all__ = ["Function"]

TRAIN_EXAMPLES = "train/examples"
"""The metric that tells the size of the training set, if the file does not."""
MOST_EXAMPLES = 2**53
"""Up to here a metric tells the number exactly."""


@dataclass(frozen=True, slots=True)
class Function:
    """Implements `tuner.objective.Objective`, `PlannedObjective`, `OptionalHyperparameters` and `DiscoveredObjective`.

    The function yields `(step, metrics)`, or `(step, metrics, state)` with bytes that it is given as `checkpoint` when
    its trial goes on after an interruption. All its other parameters but `batch_size`, `seed`, `device` and `max_steps`
    are hyperparameters.

    Attributes:
        function: Where it is: `package.module:name`.
        metrics: What it measures. By default what it yields first when it is called for a moment.
        train_examples: Size of the training set. By default what it yields first as the metric `train/examples`.

    Raises:
        ConfigError: There is no such generator function, or its parameters cannot be given.
    """

    function: str
    metrics: Annotated[frozenset[str], NAMES] = frozenset()
    train_examples: Annotated[int, Ge(0), Within(MOST_EXAMPLES)] = 0

    def __post_init__(self) -> None:
        find(self.function)

    @property
    def hyperparameters(self) -> frozenset[str]:
        return parameters(find(self.function)) - RESERVED

    @property
    def optional(self) -> frozenset[str]:
        return with_defaults(find(self.function)) - RESERVED

    @property
    def certain_early(self) -> frozenset[str]:
        return frozenset()

    @property
    def undiscovered(self) -> frozenset[str]:
        missing = {"metrics": not self.metrics, "train_examples": not self.train_examples}
        return frozenset(name for name, is_missing in missing.items() if is_missing)

    def discover(self, trial: TrialSpec, batch_size: int, *, max_steps: int) -> Mapping[str, object]:
        """The metrics and the size of the training set, as the first measurement of a trial tells them."""
        measured = self._first(trial, batch_size, max_steps)
        found: dict[str, object] = {}
        if not self.metrics:
            found["metrics"] = sorted(map(str, measured.metrics))
        if not self.train_examples:
            if TRAIN_EXAMPLES not in measured.metrics:
                message = f"is missing; give it here, or have {self.function} yield it as the metric {TRAIN_EXAMPLES}"
                raise ConfigError([Problem("train_examples", message)])
            found["train_examples"] = _whole(measured.metrics[TRAIN_EXAMPLES])
        return found

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:
        """A trainer of `lanes` loops that take turns, without a known budget."""
        return self.planned_trainer(batch_size, lanes=lanes, device=device, plan=MeasuringPlan())

    def planned_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """A trainer of `lanes` loops that take turns. Nothing is allocated before they begin."""
        on = resolved(device)

        def start(trial: TrialSpec, state: bytes) -> GeneratorLoop:
            return self._loop(trial, state, batch_size=batch_size, device=on, max_steps=plan.max_steps)

        return LoopTrainer(start, lanes=lanes, device=on)

    def _loop(
        self, trial: TrialSpec, state: bytes, *, batch_size: int, device: str, max_steps: int | None
    ) -> GeneratorLoop:
        """A trial that has not begun."""
        function = find(self.function)
        taken = parameters(function)
        told: dict[str, object] = {
            BATCH_SIZE: batch_size,
            SEED: short_seed(trial.seed),
            DEVICE: device,
            MAX_STEPS: max_steps,
            CHECKPOINT: state or None,
        }
        given = {**trial.hyperparameters, **{name: value for name, value in told.items() if name in taken}}
        return GeneratorLoop(
            lambda: function(**given),
            name=self.function,
            seed=trial.seed,
            device=device,
            max_steps=max_steps,
            has_states=CHECKPOINT in taken,
        )

    def _first(self, trial: TrialSpec, batch_size: int, max_steps: int) -> Measurement:
        """The first measurement of a trial. Raises `ConfigError`."""
        loop = self._loop(trial, b"", batch_size=batch_size, device=resolved("auto"), max_steps=max_steps)
        try:
            first = loop.next()
        except (ContractError, OutOfMemory) as error:
            first = Failure(str(error))
        finally:
            loop.close()
        if isinstance(first, Measurement):
            return first
        missing = " and ".join(sorted(self.undiscovered))
        message = f"{self.function} fails in a first call: {first.reason}; correct it, or give {missing}"
        raise ConfigError([Problem("function", "\n".join(filter(None, [message, first.details])))])


def _whole(examples: float) -> int:
    """The size of a training set that was yielded as a metric. Raises `ConfigError` if it is none."""
    if not 1 <= examples <= MOST_EXAMPLES:  # nor is it if it is not a number
        message = f"is {examples:g} as the metric {TRAIN_EXAMPLES} has it; there must be at least one training example"
        raise ConfigError([Problem("train_examples", message)])
    return int(examples)
