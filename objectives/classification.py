"""Supervised classification: a data set, a model, an optimizer and a schedule make a workload."""

from dataclasses import dataclass
from typing import Annotated

from objectives.data import Dataset
from objectives.models import Model
from objectives.optimizers import Optimizer
from objectives.schedules import Schedule
from objectives.training.evaluation import METRICS
from objectives.training.shrinking import ShrinkingTrainer
from objectives.training.trainer import LaneTrainer
from tuner.objective import Trainer
from tuner.plugins import component

__all__ = ["Classification"]


@dataclass(frozen=True, slots=True)
class Classification:
    """Implements `tuner.objective.Objective`: minimises cross entropy, measures it and the misclassified fraction."""

    data: Annotated[Dataset, component("objectives.data")]
    model: Annotated[Model, component("objectives.models")]
    optimizer: Annotated[Optimizer, component("objectives.optimizers")]
    schedule: Annotated[Schedule, component("objectives.schedules")]

    @property
    def train_examples(self) -> int:
        return len(self.data.load().train)

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(METRICS)

    @property
    def hyperparameters(self) -> frozenset[str]:
        return self.optimizer.hyperparameters | self.schedule.hyperparameters

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:
        """A trainer of `lanes` simultaneous trials.

        Raises:
            OutOfMemory: The device cannot hold them.
        """

        def make(lanes: int) -> LaneTrainer:
            return LaneTrainer(
                self.data.load(),
                self.model,
                optimizer=self.optimizer,
                schedule=self.schedule,
                batch_size=batch_size,
                lanes=lanes,
                device=device,
            )

        trainer = make(lanes)
        return ShrinkingTrainer(trainer, make) if trainer.device == "cpu" else trainer
