"""Values as rows, and back."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import NamedTuple

from tuner.records import Curve, LearningRateRule, Origin, Role, TrialEnd, TrialPlan, shown
from tuner.stores.database import MeasurementRow
from tuner.trial import Measurement, Outcome, TrialResult

PLAN = "plan"
"""The user attribute of Optuna's that holds a trial's plan."""


class IntermediateValue(NamedTuple):
    """A point of a curve as Optuna stores it: a value that is not finite is a kind and no number."""

    step: int
    intermediate_value: float | None
    intermediate_value_type: str


def plan_table(plan: TrialPlan) -> dict[str, object]:
    """A plan as JSON can hold it. Few plans have an origin: the key is there only if they do."""
    origin = {} if plan.origin is None else {"origin": asdict(plan.origin)}
    return origin | {
        "role": plan.role.value,
        "point": plan.point,
        "repeat": plan.repeat,
        "seed": plan.seed,
        "lanes": plan.lanes,
        "device": plan.device,
        "hyperparameters": dict(plan.hyperparameters),
    }


def plan_from(text: str) -> TrialPlan:
    """A plan from its JSON."""
    table = json.loads(text)
    origin = table.get("origin")
    if origin is not None:
        origin = Origin(**{**origin, "rule": LearningRateRule(origin["rule"])})
    return TrialPlan(**{**table, "role": Role(table["role"]), "origin": origin})


def end_of(result: TrialResult, *, loss: float) -> TrialEnd:
    """How a trial ended, without its curve."""
    return TrialEnd(result.outcome, result.steps, result.limit, result.spent, loss, dict(result.final))


def end_values(end: TrialEnd) -> dict[str, object]:
    """The columns of `trial_end` that say how a trial ended."""
    return {
        "outcome": end.outcome.value,
        "steps": end.steps,
        "limit": end.limit,
        "spent": end.spent,
        "loss": end.loss,
        "final": json.dumps(dict(end.final)),
    }


def end_from(outcome: str, steps: int, limit: int, spent: int, loss: float, final: str) -> TrialEnd:
    """How a trial ended, from those columns in this order."""
    return TrialEnd(Outcome(outcome), steps, limit, spent, loss, json.loads(final))


def measurement_rows(trial_id: int, curve: Iterable[Measurement]) -> list[MeasurementRow]:
    """A row for every metric at every step."""
    return [
        (trial_id, each.step, metric, None if math.isnan(value) else value, each.partial.get(metric))
        for each in curve
        for metric, value in each.metrics.items()
    ]


CurveRow = tuple[int, int, str, float | None, int | None]
"""A trial's number, and a step, metric, value and number of examples of its curve."""


def curves_from(rows: Iterable[CurveRow]) -> Iterator[tuple[int, Curve]]:
    """Each trial's number and curve, from rows ordered by number and step."""
    for number, of_trial in groupby(rows, key=lambda row: row[0]):
        yield number, tuple(_measurement(step, at_step) for step, at_step in groupby(of_trial, key=lambda row: row[1]))


def _measurement(step: int, rows: Iterable[CurveRow]) -> Measurement:
    found = list(rows)
    metrics = {metric: math.nan if value is None else value for _, _, metric, value, _ in found}
    return Measurement(step, metrics, {metric: many for _, _, metric, _, many in found if many is not None})


def intermediate_values(curve: Sequence[Measurement], metric: str) -> list[IntermediateValue]:
    """A metric along a curve, as optuna-dashboard draws it."""
    return [_intermediate_value(each.step, each.metrics[metric]) for each in shown(curve) if metric in each.metrics]


def _intermediate_value(step: int, value: float) -> IntermediateValue:
    if math.isfinite(value):
        return IntermediateValue(step, value, "FINITE")
    kind = "NAN" if math.isnan(value) else "INF_POS" if value > 0 else "INF_NEG"
    return IntermediateValue(step, None, kind)
