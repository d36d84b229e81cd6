"""Values as rows, and back."""

import json
import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict, fields
from typing import NamedTuple

from sqlalchemy import Row

from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.records import Curve, Origin, Role, TrialEnd, TrialPlan, TrialRecord, TrialState, shown
from tuner.stores import checking
from tuner.stores.database import MeasurementRow
from tuner.stores.relational.tables import NO_STUDY, OPTUNA_STATES
from tuner.trial import Measurement, Outcome, TrialResult

PLAN = "plan"
"""The user attribute of Optuna's that holds a trial's plan."""
TOLD = "outcome"
"""The one that says how it ended, written with its result."""


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


def plan_from(stored: object) -> TrialPlan:
    """A plan from its JSON. Raises an error that `checking.reading` explains if it is none."""
    table = checking.table(stored, "plan")
    if unknown := table.keys() - {each.name for each in fields(TrialPlan)}:
        raise ValueError(f"its plan has the unknown key {checking.shown(min(unknown))}")
    values = table["hyperparameters"]
    if not isinstance(values, dict) or not all(_is_value(each) for each in values.values()):
        raise ValueError(f"its hyperparameters are {checking.shown(values)}")
    return TrialPlan(
        point=checking.whole(table["point"], "point", least=-checking.MOST),
        repeat=checking.whole(table["repeat"], "repeat"),
        role=checking.word(Role, table["role"], "role"),
        seed=checking.whole(table["seed"], "seed"),
        hyperparameters=values,
        lanes=checking.whole(table["lanes"], "lanes", least=1),
        device=checking.text(table["device"], "device"),
        origin=_origin_from(table.get("origin")),
    )


def _origin_from(stored: object) -> Origin | None:
    if stored is None:
        return None
    if not isinstance(stored, dict):
        raise TypeError(f"its origin is {checking.shown(stored)}")
    numbers = {each: checking.whole(stored[each], f"origin's {each}") for each in ("batch_size", "round", "trial")}
    return Origin(**numbers, rule=checking.word(ScalingRule, stored["rule"], "origin's rule"))


def _is_value(value: object) -> bool:
    """Whether something can be a hyperparameter's value."""
    return not math.isnan(value) if isinstance(value, float) else isinstance(value, int | str)


def trial_from(row: Row[*tuple[object, ...]], names: Set[str]) -> TrialRecord | None:
    """A trial from its row; None if it is somebody else's, who has added it to Optuna's study.

    Our own tables say how it ended: Optuna is told after them, or by the next owner. Raises errors as `plan_from` does.

    Args:
        row: As `reading.read_trials` selects it.
        names: The hyperparameters of the experiment.
    """
    if row.plan is None and row.end_id is None and row.told is None:
        return None
    number, plan = checking.whole(row.number, "number"), plan_from(row.plan)
    if plan.hyperparameters.keys() != names:
        raise ValueError(f"its hyperparameters are {checking.shown(', '.join(sorted(plan.hyperparameters)))}")
    started = checking.time(row.started, "start")
    if _has_result(row):
        end = end_from(row.outcome, row.steps, row.limit, row.spent, row.loss, row.final)
        if (row.end_study, row.role) != (row.study_id, plan.role):
            raise ValueError("its result is that of another study or role")
        times = started, checking.time(row.ended, "end")
        return TrialRecord(number, plan, TrialState.FINISHED, end, _reason(row), *times, row.round)
    has_failed = row.failed_id is not None or row.state == "FAIL"
    state = TrialState.FAILED if has_failed else TrialState.RUNNING
    ended = checking.time(row.failed, "end") if row.failed_id is not None else None
    return TrialRecord(number, plan, state, None, _reason(row), started, ended, row.round)


def _has_result(row: Row[*tuple[object, ...]]) -> bool:
    """Whether a trial has a result; the one that an error was is forgotten by its study's number, `NO_STUDY`.

    `told` is how it ended, as it stands in Optuna's tables since the result was stored.
    """
    if row.state not in OPTUNA_STATES:
        raise ValueError(f"its state is {checking.shown(row.state)}, and none of Optuna's")
    if row.end_id is None and row.told is not None:
        raise ValueError("its result is missing")
    is_forgotten = row.end_id is not None and row.end_study == NO_STUDY
    if is_forgotten and row.told is not None and row.outcome != Outcome.ERROR:
        raise ValueError("its result belongs to no study")
    return row.end_id is not None and not is_forgotten


def _reason(row: Row[*tuple[object, ...]]) -> str:
    return "" if row.failed_id is None else checking.text(row.reason, "reason")


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


def end_from(outcome: object, steps: object, limit: object, spent: object, loss: object, final: object) -> TrialEnd:
    """How a trial ended, from those columns in this order. Raises errors as `plan_from` does."""
    metrics = checking.table(final, "last measurement")
    end = TrialEnd(
        outcome=checking.word(Outcome, outcome, "outcome"),
        steps=checking.whole(steps, "steps"),
        limit=checking.whole(limit, "limit"),
        spent=checking.whole(spent, "spent steps"),
        loss=checking.number(loss, "loss"),
        final={name: checking.number(value, name, finite=False) for name, value in metrics.items()},
    )
    if end.steps > max(end.limit, end.spent):
        raise ValueError(f"its steps are {end.steps}, more than its limit {end.limit} and those it was trained for")
    return end


def measurement_rows(trial_id: int, curve: Iterable[Measurement]) -> list[MeasurementRow]:
    """A row for every metric at every step."""
    return [
        (trial_id, each.step, metric, None if math.isnan(value) else value, each.partial.get(metric))
        for each in curve
        for metric, value in each.metrics.items()
    ]


def curve_from(rows: Iterable[Sequence[object]], *, whole: bool) -> Curve:
    """The curve of a trial from its rows, by step.

    Args:
        rows: Of each the trial's number, step, metric, value and number of examples; and, if it is `whole`, how many
            steps the trial was trained for, and its last metrics as JSON.
        whole: Whether rows of no metric were left out. A last measurement without metrics has no row.

    Raises errors as `plan_from` does.
    """
    curve: list[Measurement] = []
    metrics: dict[str, float] = {}
    partial: dict[str, int] = {}
    for row in rows:
        _, step, metric, value, many, *_ = row
        if not curve or curve[-1].step != step:
            metrics, partial = {}, {}
            curve.append(Measurement(checking.whole(step, "step"), metrics, partial))
        if metric in metrics:
            raise ValueError(f"its step {step} has a metric twice")
        name = checking.text(metric, "metric", least=1)
        if isinstance(value, float):
            metrics[name] = value
        else:
            metrics[name] = math.nan if value is None else checking.number(value, f"{name} at step {step}")
        if many is not None:
            partial[name] = checking.whole(many, f"examples at step {step}", least=1)
    if not whole:
        return tuple(curve)
    *_, spent, final = row
    if isinstance(spent, int) and curve[-1].step < spent and not json.loads(checking.text(final, "metrics")):
        return (*curve, Measurement(spent, {}))
    if spent is not None and curve[-1].step != spent:
        raise ValueError(f"it ends at step {curve[-1].step}, and the trial at {checking.shown(spent)}")
    return tuple(curve)


def intermediate_values(curve: Sequence[Measurement], metric: str) -> list[IntermediateValue]:
    """A metric along a curve, as optuna-dashboard draws it."""
    return [_intermediate_value(each.step, each.metrics[metric]) for each in shown(curve) if metric in each.metrics]


def _intermediate_value(step: int, value: float) -> IntermediateValue:
    if math.isfinite(value):
        return IntermediateValue(step, value, "FINITE")
    kind = "NAN" if math.isnan(value) else "INF_POS" if value > 0 else "INF_NEG"
    return IntermediateValue(step, None, kind)
