"""The workload of an experiment, with what is measured besides of the training loss where a trial stands."""

from dataclasses import dataclass

from tuner.errors import TunerError
from tuner.objective import MeasuringPlan, Objective, PlannedObjective, Trainer
from tuner.objective.diagnostics import Diagnosable


class _Workload(Objective, Diagnosable):
    """A workload that can do both."""


@dataclass(frozen=True, slots=True)
class Diagnosing:
    """Implements `Objective` and `PlannedObjective` by a workload whose trainers measure the diagnostics, too."""

    workload: _Workload

    @property
    def train_examples(self) -> int:
        return self.workload.train_examples

    @property
    def metrics(self) -> frozenset[str]:
        return self.workload.metrics | self.workload.diagnostics

    @property
    def hyperparameters(self) -> frozenset[str]:
        return self.workload.hyperparameters

    @property
    def certain_early(self) -> frozenset[str]:
        """As the workload's own."""
        return self.workload.certain_early if isinstance(self.workload, PlannedObjective) else frozenset()

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:
        """A trainer that measures everything."""
        return self.planned_trainer(batch_size, lanes=lanes, device=device, plan=MeasuringPlan())

    def planned_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """A trainer that measures as planned, and the diagnostics."""
        return self.workload.diagnosing_trainer(batch_size, lanes=lanes, device=device, plan=plan)


def diagnosing(objective: Objective, *, kind: str) -> Objective:
    """The workload that measures more, of this `kind` in the experiment's file. Raises `TunerError` if it cannot."""
    if not isinstance(objective, Diagnosable):
        raise TunerError(
            f"{kind} gives no gradients and weights to look at the optimum with; a workload of kind supervised or "
            "classification does"
        )
    if not objective.diagnostics:
        raise TunerError(
            f"the model of {kind} computes its own gradients, so that its Hessian cannot be asked for; give it a "
            "method as_module(shape, classes)"
        )
    return Diagnosing(objective)  # type: ignore[arg-type]  # it is an Objective, too
