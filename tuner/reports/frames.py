"""Everything an experiment measured, as pandas DataFrames."""

from typing import TYPE_CHECKING

from tuner.records import ExperimentRecord
from tuner.reports.export import TRIAL_COLUMNS, metric_names, trial_row, trials_with_curves
from tuner.stores import Records

if TYPE_CHECKING:
    from pandas import DataFrame

CURVE_COLUMNS = ("batch_size", "round", "trial", "step")
"""What a measurement is found by. The first three name its trial."""


def trials_frame(record: ExperimentRecord) -> "DataFrame":
    """One row a trial: how it was planned and how it ended, its hyperparameters, and the metrics where it ended.

    What a trial lacks, such as the steps of one that failed, is a missing value.
    """
    from pandas import DataFrame

    names, metrics = sorted(record.experiment.space.parameters), metric_names(record)
    rows = [
        {
            **trial_row(each, trial),
            **{name: trial.plan.hyperparameters[name] for name in names},
            **({} if trial.end is None else trial.end.final),
        }
        for study in record.studies
        for each in study.rounds
        for trial in each.trials
    ]
    frame = DataFrame(rows, columns=[*TRIAL_COLUMNS, *names, *metrics])
    return frame.astype({"steps": "Int64", "limit": "Int64"})  # whole numbers, though some may be missing


def curves_frame(store: Records, record: ExperimentRecord) -> "DataFrame":
    """One row a measurement: its trial, its step, and a column for each metric.

    A metric that was not measured at a step is a missing value. So is `examples`, unless the validation metrics rest on
    only so many validation examples.

    Raises:
        StoreError: The store cannot be read.
    """
    from pandas import DataFrame

    metrics = metric_names(record)
    rows = [
        (
            each.batch_size,
            each.round,
            trial.number,
            one.step,
            *(one.metrics.get(name) for name in metrics),
            one.examples,
        )
        for each, trial, curve in trials_with_curves(store, record)
        for one in curve
    ]
    frame = DataFrame(rows, columns=[*CURVE_COLUMNS, *metrics, "examples"])
    return frame.astype({**dict.fromkeys(metrics, "float64"), "examples": "Int64"})
