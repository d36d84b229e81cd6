"""Supervised learning: a data set, a model, a loss, an optimizer and a schedule make a workload."""

import math
from dataclasses import dataclass
from typing import Annotated

from objectives.bounds.domains import bound_problems
from objectives.data import Dataset, Splits
from objectives.data.entry.splits import splits_of
from objectives.diagnostics.making import diagnosing, diagnostics_of
from objectives.losses import LOSS_BY_NAME, Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.metrics import metrics_named
from objectives.models import Architecture, Model
from objectives.models.regularisation import REGULARISERS, Smoothing
from objectives.optimizers import Optimizer, defaults_of, fisher_of
from objectives.schedules import Schedule
from objectives.schedules.constant import Constant
from objectives.training.criteria import Criteria
from objectives.training.devices.arithmetic import Precision
from objectives.training.measuring.tally import DECISIVE
from objectives.training.networks.fitting import check_batch_sizes
from objectives.training.networks.network import Computation
from objectives.training.networks.regularisers import Regularising
from objectives.training.networks.remembered import Remembered
from objectives.training.shrinking import ShrinkingTrainer
from objectives.training.trainer import LaneTrainer
from objectives.training.trying import try_out
from tuner.errors import ConfigError, Problem
from tuner.experiment.components import component
from tuner.experiment.limits.numbers import NAMES, Count
from tuner.experiment.settings import Key
from tuner.objective import Bounds, MeasuringPlan, Trainer

__all__ = ["Supervised"]

_FITTING = Remembered[tuple[Problem, ...]]()
"""What was found to be wrong with batch sizes, by everything that it depends on: a search asks for it often."""


@dataclass(frozen=True, slots=True)
class Supervised:
    """Implements `Objective`, `PlannedObjective`, `CheckedObjective`, `ChecksBounds` and `OptionalHyperparameters`.

    Implements `tuner.objective.diagnostics.Diagnosable`, too.

    Attributes:
        precision: The precision of matrix products and convolutions.
        compile: Whether a torch module goes through `torch.compile`.
        microbatch: Examples whose gradient is computed at once, at most. The gradients of a minibatch are added up.
            By default the memory of the device decides.
        deterministic: Whether a GPU computes convolutions to the same bits each time, which may be slower.
        loss: What is minimised; in a file its name, or `package.module:function`.
        measured: The names of the metrics that are measured on validation and test examples; in a file the key is
            `metrics`. By default what suits the loss.
        subset: How many examples are trained on, always the same ones; in a file the key is `train_examples`. By
            default all that the data set has for training.
        smoothing: What the hyperparameter `label_smoothing` means.
    """

    data: Annotated[Dataset, component("objectives.data")]
    model: Annotated[Model | Architecture, component("objectives.models")]
    optimizer: Annotated[Optimizer, component("objectives.optimizers")]
    schedule: Annotated[Schedule, component("objectives.schedules")] = Constant()  # noqa: RUF009 - a frozen value
    precision: Precision = Precision.FLOAT32
    compile: bool = False
    microbatch: Count | None = None
    deterministic: bool = True
    loss: Annotated[Loss, LOSS_BY_NAME] = CROSS_ENTROPY
    measured: Annotated[tuple[str, ...], Key("metrics"), NAMES] = ()
    subset: Annotated[Count | None, Key("train_examples")] = None
    smoothing: Smoothing = Smoothing.PAPER

    def __post_init__(self) -> None:
        if not isinstance(self.model, Model | Architecture):
            raise ValueError(f"{type(self.model).__name__} is not a model; it needs a method module(shape, classes)")
        if isinstance(self.model, Model) and (self.compile or self.precision is Precision.BF16):
            name, setting = type(self.model).__name__, "compile" if self.compile else 'precision = "bf16"'
            raise ValueError(f"{setting} is for torch modules; {name} computes its own gradients, in float32 or tf32")
        if not isinstance(self.data, Dataset):
            raise ValueError(f"{type(self.data).__name__} is not a data set; it needs a method load()")
        _ = self._criteria  # raises ConfigError

    @property
    def train_examples(self) -> int:
        return len(self.splits.train)

    @property
    def metrics(self) -> frozenset[str]:
        return self._criteria.names

    @property
    def hyperparameters(self) -> frozenset[str]:
        return self.optimizer.hyperparameters | self.schedule.hyperparameters | REGULARISERS

    @property
    def optional(self) -> frozenset[str]:
        """See `tuner.objective.OptionalHyperparameters`."""
        return frozenset({*defaults_of(self.optimizer), *defaults_of(self.schedule), *self._regularisers})

    @property
    def _regularisers(self) -> frozenset[str]:
        """Those that the trainer applies: an optimizer may have hyperparameters of the same names."""
        return REGULARISERS - self.optimizer.hyperparameters - self.schedule.hyperparameters

    @property
    def certain_early(self) -> frozenset[str]:
        return DECISIVE if self._criteria.ends_early else frozenset()

    @property
    def splits(self) -> Splits:
        """The data, checked. Raises `ConfigError`."""
        takes_whole_numbers = isinstance(self.model, Architecture)
        return splits_of(self.data, self.loss.targets, whole_numbers=takes_whole_numbers, train_examples=self.subset)

    @property
    def _criteria(self) -> Criteria:
        """What is minimised and measured. Raises `ConfigError`."""
        try:
            return Criteria(self.loss, metrics_named(self.measured or self.loss.metrics, self.loss), self.smoothing)
        except ConfigError as error:
            raise ConfigError([each.under("metrics") for each in error.problems]) from error

    def check(self) -> None:
        """Load the data and try the model, the loss and the metrics on some of them.

        Raises:
            ConfigError: They do not fit to each other, or code of the user's raised an error.
        """
        try_out(self.splits, self.model, self._criteria, fisher=fisher_of(self.optimizer))

    def check_bounds(self, bounds: Bounds, *, batch_size: int, max_steps: int) -> None:
        """See `tuner.objective.ChecksBounds`. Optimizer, schedule and model say what they can train with.

        Raises:
            ConfigError: A hyperparameter may leave its domain, the schedule cannot end within the budget, the gradient
                of the model cannot be regularised as the space has it, or parts of minibatches would split a group of
                examples that are normalised together.
        """
        wrong = sorted(name for name, ends in bounds.items() if any(map(math.isnan, ends)))
        problems = [Problem(f"space.{name}", "has a value that is no number; give numbers") for name in wrong]
        bounds = {name: ends for name, ends in bounds.items() if name not in wrong}
        regularising = Regularising(self._regularisers & bounds.keys(), self.model, self.splits, self.loss)
        for each in (self.optimizer, self.schedule, self.model, regularising):
            found = bound_problems(each, bounds, batch_size=batch_size, max_steps=max_steps)
            problems += [one.under("space") for one in found]
        problems += self._fitting(batch_size)
        if problems:
            raise ConfigError(problems)

    def _fitting(self, batch_size: int) -> tuple[Problem, ...]:
        """What is wrong with minibatches of this size, for what the model normalises together."""
        splits = self.splits

        def find() -> tuple[Problem, ...]:
            try:
                check_batch_sizes(self.model, splits, [batch_size], microbatch=self.microbatch, loss=self.loss)
            except ConfigError as error:
                return error.problems
            return ()

        key = repr(self.model), splits.shape, splits.classes, self.loss.name, batch_size, self.microbatch
        return _FITTING.of(key, find)

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:
        """A trainer that measures everything. Raises as `planned_trainer`."""
        return self.planned_trainer(batch_size, lanes=lanes, device=device, plan=MeasuringPlan())

    def planned_trainer(
        self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan
    ) -> LaneTrainer | ShrinkingTrainer:
        """A trainer of `lanes` simultaneous trials.

        Raises:
            OutOfMemory: The device cannot hold them.
            ConfigError: The data are wrong, or minibatches or microbatches would split a group of examples that are
                normalised together.
        """
        splits = self.splits
        computation = Computation(
            self.precision, compiled=self.compile, microbatch=self.microbatch, deterministic=self.deterministic
        )

        def make(lanes: int) -> LaneTrainer:
            return LaneTrainer(
                splits,
                self.model,
                optimizer=self.optimizer,
                schedule=self.schedule,
                batch_size=batch_size,
                lanes=lanes,
                device=device,
                computation=computation,
                plan=plan,
                criteria=self._criteria,
            )

        trainer = make(lanes)
        return ShrinkingTrainer(trainer, make) if trainer.device == "cpu" else trainer

    @property
    def diagnostics(self) -> frozenset[str]:
        """See `Diagnosable`."""
        return diagnostics_of(self.model, self.splits)

    def diagnosing_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """See `Diagnosable`. Raises as `planned_trainer`."""
        trainer = self.planned_trainer(batch_size, lanes=lanes, device=device, plan=plan)
        return diagnosing(
            trainer,
            self.model,
            self.splits,
            loss=self.loss,
            fisher=fisher_of(self.optimizer),
            batch_size=batch_size,
        )
