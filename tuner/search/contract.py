"""What trainers measure, checked where it enters the search: user code may return anything."""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from tuner.errors import ContractError
from tuner.experiment.goals import Goal
from tuner.experiment.settings import nearest
from tuner.objective import Objective
from tuner.trial import Measurement


@dataclass(frozen=True, slots=True)
class MeasurementCheck:
    """Turns what a trainer measured into a measurement that the rest of the program can rely on.

    Attributes:
        owner: What messages call the training code.
        metrics: The names of everything it may measure.
        goal: Says which metric it needs, and which values this may have.
    """

    owner: str
    metrics: frozenset[str]
    goal: Goal

    def __call__(self, measured: object, *, after: int) -> Measurement:
        """A measurement with plain numbers: numpy's scalars and tensors of one element are converted.

        Args:
            measured: What the trainer gave.
            after: The step of the trial's last measurement; 0 before the first.

        Raises:
            ContractError: It is no measurement, its step does not grow, a name is unknown, a value is no number, or the
                goal cannot use it.
        """
        if not isinstance(measured, Measurement):
            self._refuse(f"measured {_shown(measured)}; it must give Measurement(step, metrics) of tuner.trial")
        step = self._step(measured.step, after)
        if not isinstance(measured.metrics, Mapping):
            self._refuse(f"measured {_shown(measured.metrics)} at step {step}; it must give names and numbers")
        if not measured.metrics.keys() <= self.metrics:
            self._refuse_names(measured.metrics, step)
        if not (type(measured.step) is int and all(type(each) is float for each in measured.metrics.values())):
            metrics = {name: self._number(name, each, step) for name, each in measured.metrics.items()}
            measured = Measurement(step, metrics, measured.partial)
        value = measured.whole(self.goal.metric)
        if value is not None and (objection := self.goal.objection(value)):
            self._refuse(f"measured {self.goal.metric} = {value:g} at step {step}, {objection}")
        return measured

    def check_end(self, curve: Sequence[Measurement]) -> None:
        """Raise `ContractError` if a trial that is at its end measured the metric of its goal never or too late."""
        metric, budget = self.goal.metric, self.goal.within_steps
        if (first := next((each.step for each in curve if metric in each.metrics), None)) is not None:
            if first > budget:
                self._refuse(
                    f"measured {metric} first at step {first}, after the budget of {budget} steps; "
                    "measure it earlier, or give a larger budget"
                )
            return
        found = ", ".join(sorted({name for each in curve for name in each.metrics})) or "nothing"
        self._refuse(
            f"never measured {self.goal.metric} in {curve[-1].step} steps, which the goal asks for; only {found}"
        )

    def _step(self, step: object, after: int) -> int:
        if isinstance(step, bool):
            self._refuse(f"measured at step {step}; a step is a whole number")
        try:
            whole = operator.index(step)  # type: ignore[arg-type]
        except TypeError:
            self._refuse(f"measured at step {_shown(step)}; a step is a whole number")
        if whole <= after:
            self._refuse(f"measured at step {whole} after step {after}; steps count from 1 and must grow")
        return whole

    def _number(self, name: str, value: object, step: int) -> float:
        plain = value.item() if _has_one_element(value) else value  # type: ignore[attr-defined]
        if isinstance(plain, bool) or not isinstance(plain, int | float):
            self._refuse(f"measured {name} = {_shown(value)} at step {step}; a metric is a number")
        try:
            return float(plain)
        except OverflowError:
            return math.inf if plain > 0 else -math.inf

    def _refuse_names(self, metrics: Mapping[str, float], step: int) -> NoReturn:
        unknown = sorted(str(each) for each in metrics if each not in self.metrics)[0]
        self._refuse(
            f"measured {unknown} at step {step}, which its metrics do not name; {nearest(unknown, self.metrics)}"
        )

    def _refuse(self, problem: str) -> NoReturn:
        raise ContractError(f"{self.owner} {problem}")


def check_for(objective: Objective, *, owner: str, goal: Goal) -> MeasurementCheck:
    """The check of what an objective's trainers measure."""
    return MeasurementCheck(owner, frozenset(objective.metrics), goal)


def _has_one_element(value: object) -> bool:
    """Whether this is a scalar of numpy, or an array or tensor of one element."""
    return getattr(value, "shape", None) is not None and math.prod(value.shape) == 1 and hasattr(value, "item")  # type: ignore[attr-defined]


def _shown(value: object) -> str:
    """A value in a message: short, and in one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
