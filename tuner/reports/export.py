"""Everything an experiment measured, as one table or one JSON document."""

import csv
import json
import math
from collections.abc import Iterator
from typing import TextIO

from tuner.records import Curve, ExperimentRecord, Role, StudyRecord, TrialRecord
from tuner.stores import Records

IDENTITY = ("batch_size", "round", "trial", "role", "point", "repeat", "seed", "origin")
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a text for a formula if it begins so, perhaps behind white space."""
TRIAL_COLUMNS = (*IDENTITY, "state", "outcome", "steps", "limit")


def write_csv(store: Records, name: str, out: TextIO) -> None:
    """One row a measurement, with its trial's columns repeated; a trial without measurements has one row.

    Metrics that were not measured at a step are empty. `examples` says on how many validation examples the row's
    validation metrics rest, if these are not all. A text that a spreadsheet would run as a formula has a `'` in front.

    Raises:
        StoreError: There is no such experiment.
    """
    record = store.record(name)
    hyperparameters = sorted(record.experiment.space.parameters)
    metrics = metric_names(record)
    table = csv.writer(out, lineterminator="\n")
    table.writerow(map(_cell, [*TRIAL_COLUMNS, *hyperparameters, "step", *metrics, "examples"]))
    for study, trial, curve in trials_with_curves(store, record):
        row = trial_row(study, trial)
        cells = [_cell(row[column]) for column in TRIAL_COLUMNS]
        cells += [_cell(trial.plan.hyperparameters[each]) for each in hyperparameters]
        for measurement in curve:
            values = (measurement.metrics.get(each) for each in metrics)
            table.writerow([*cells, measurement.step, *values, measurement.examples])
        if not curve:
            table.writerow([*cells, *[None] * (2 + len(metrics))])


def write_json(store: Records, name: str, out: TextIO) -> None:
    """The settings, and one object a trial with its curve: `{metric: [values]}` at `step: [steps]`.

    Values that are not finite become null: JSON has no word for them. So do metrics that were not measured at a step.
    `examples` says on how many examples validation metrics rest at each step, and null that these are all.

    Raises:
        StoreError: There is no such experiment.
    """
    record = store.record(name)
    trials = [
        {
            **trial_row(study, trial),
            "hyperparameters": dict(trial.plan.hyperparameters),
            "curve": _columns(curve),
        }
        for study, trial, curve in trials_with_curves(store, record)
    ]
    json.dump({"experiment": record.experiment.to_table(), "trials": trials}, out)
    out.write("\n")


def metric_names(record: ExperimentRecord) -> list[str]:
    """Everything that was measured where a trial ended."""
    ends = (trial.end for study in record.studies for trial in study.finished(*Role))
    return sorted({metric for end in ends if end is not None for metric in end.final})


def trials_with_curves(store: Records, record: ExperimentRecord) -> Iterator[tuple[StudyRecord, TrialRecord, Curve]]:
    """Every trial with its round and its curve, one round's curves in memory at a time."""
    for study in record.studies:
        for each in study.rounds:
            curves = store.curves(record.experiment.name, each.batch_size, round=each.round)
            for trial in each.trials:
                yield each, trial, curves.get(trial.number, ())


def trial_row(study: StudyRecord, trial: TrialRecord) -> dict[str, object]:
    """A trial's own columns, `TRIAL_COLUMNS`."""
    plan, end = trial.plan, trial.end
    origin = plan.origin and plan.origin.phrase
    values = (study.batch_size, study.round, trial.number, plan.role.value, plan.point, plan.repeat, plan.seed, origin)
    ended = (trial.state.value, end and end.outcome.value, end and end.steps, end and end.limit)
    return dict(zip(TRIAL_COLUMNS, values + ended, strict=True))


def _cell(value: object) -> object:
    """A value as a cell that a spreadsheet shows and does not run; numbers stay numbers.

    >>> _cell("=1+1"), _cell(-1.5), _cell("adam")
    ("'=1+1", -1.5, 'adam')
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _columns(curve: Curve) -> dict[str, list[float | None]]:
    """A curve as columns."""
    metrics = sorted({metric for each in curve for metric in each.metrics})
    columns: dict[str, list[float | None]] = {"step": [each.step for each in curve]}
    for metric in metrics:
        values = (each.metrics.get(metric, math.nan) for each in curve)
        columns[metric] = [value if math.isfinite(value) else None for value in values]
    if any(each.partial for each in curve):
        columns["examples"] = [each.examples for each in curve]
    return columns
