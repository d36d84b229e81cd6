"""Supervised classification: a data set, a model, an optimizer and a schedule make a workload."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from objectives.data import Dataset
from objectives.models import Architecture, Model
from objectives.optimizers import Optimizer
from objectives.schedules import Schedule
from objectives.schedules.constant import Constant
from objectives.training.devices.arithmetic import Precision
from objectives.training.measuring.evaluation import METRICS
from objectives.training.measuring.tally import DECISIVE
from objectives.training.networks.network import Computation
from objectives.training.shrinking import ShrinkingTrainer
from objectives.training.trainer import LaneTrainer
from tuner.experiment.components import component
from tuner.objective import MeasuringPlan, Trainer

__all__ = ["Classification"]


@dataclass(frozen=True, slots=True)
class Classification:
    """Implements `tuner.objective.Objective` and `PlannedObjective`.

    Minimises cross entropy, and measures it and the misclassified fraction.

    Attributes:
        precision: The precision of matrix products and convolutions.
        compile: Whether a torch module goes through `torch.compile`.
        microbatch: Examples whose gradient is computed at once, at most. The gradients of a minibatch are added up.
            By default the memory of the device decides.
        deterministic: Whether a GPU computes convolutions to the same bits each time, which may be slower.
    """

    data: Annotated[Dataset, component("objectives.data")]
    model: Annotated[Model | Architecture, component("objectives.models")]
    optimizer: Annotated[Optimizer, component("objectives.optimizers")]
    schedule: Annotated[Schedule, component("objectives.schedules")] = Constant()  # noqa: RUF009 - a frozen value
    precision: Precision = Precision.FLOAT32
    compile: bool = False
    microbatch: Annotated[int, Ge(1)] | None = None
    deterministic: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.model, Model | Architecture):
            raise ValueError(f"{type(self.model).__name__} is not a model; it needs a method module(shape, classes)")
        if isinstance(self.model, Model) and (self.compile or self.precision is Precision.BF16):
            name, setting = type(self.model).__name__, "compile" if self.compile else 'precision = "bf16"'
            raise ValueError(f"{setting} is for torch modules; {name} computes its own gradients, in float32 or tf32")

    @property
    def train_examples(self) -> int:
        return len(self.data.load().train)

    @property
    def metrics(self) -> frozenset[str]:
        return METRICS

    @property
    def hyperparameters(self) -> frozenset[str]:
        return self.optimizer.hyperparameters | self.schedule.hyperparameters

    @property
    def certain_early(self) -> frozenset[str]:
        return DECISIVE

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:
        """A trainer that measures everything. Raises as `planned_trainer`."""
        return self.planned_trainer(batch_size, lanes=lanes, device=device, plan=MeasuringPlan())

    def planned_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """A trainer of `lanes` simultaneous trials.

        Raises:
            OutOfMemory: The device cannot hold them.
            ConfigError: Minibatches or microbatches would split a group of examples that are normalised together.
        """
        computation = Computation(
            self.precision, compiled=self.compile, microbatch=self.microbatch, deterministic=self.deterministic
        )

        def make(lanes: int) -> LaneTrainer:
            return LaneTrainer(
                self.data.load(),
                self.model,
                optimizer=self.optimizer,
                schedule=self.schedule,
                batch_size=batch_size,
                lanes=lanes,
                device=device,
                computation=computation,
                plan=plan,
            )

        trainer = make(lanes)
        return ShrinkingTrainer(trainer, make) if trainer.device == "cpu" else trainer
