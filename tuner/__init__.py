"""Hyperparameter tuning for one careful question: what does batch size do to training?

The Python API is `run`, `results`, `compare`, `Experiment` and `TunerError`, and `report` for training scripts.
Importing `tuner` loads no torch, Optuna or MLflow.
"""

import json
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, SupportsFloat

from tuner.errors import TunerError

if TYPE_CHECKING:
    from tuner.experiment import Experiment
    from tuner.reports.comparison import StoredComparison
    from tuner.reports.stored import StoredResults

__all__ = ["Experiment", "TunerError", "compare", "report", "results", "run"]


def run(
    experiment: "str | PathLike[str] | Mapping[str, object] | Experiment",
    *,
    store: str | None = None,
    mlflow: str | None = None,
    workers: int | None = None,
    device: str = "auto",
    checkpoints: str | None = None,
    checkpoint_every: float = 60.0,
) -> "StoredResults":
    """Search every batch size, confirm the winners and write the report, as the command `tuner run` does.

    Running the same experiment again goes on where it was stopped, at Ctrl-C say, and never repeats a finished trial.
    Workers import the code that it names: code of your own is in a file, and not in a notebook.

    Args:
        experiment: A TOML file's path, a preset's name, a mapping with the keys of such a file, or an `Experiment`.
        store: The store's URL; by default `TUNER_STORE`, else `runs/tuner.db`.
        mlflow: MLflow's server or database; by default `MLFLOW_TRACKING_URI`, else `runs/mlflow.db`.
        workers: Worker processes; by default one for each GPU, else one for each core.
        device: Where to train, as torch names it, or `auto`.
        checkpoints: A folder in which running trials are saved; by default `TUNER_CHECKPOINTS`, else none.
        checkpoint_every: Seconds between two checkpoints of a trial.

    Returns:
        As `results`, after Ctrl-C too. `complete` of each of its `studies` says whether everything is done.

    Raises:
        TunerError: The message says what is wrong and what to do; a `ConfigError` names every problem of the settings.
    """
    from tuner.experiment import load_any
    from tuner.reports.stored import stored_results
    from tuner.service.local import Local, refuse_interactive_code
    from tuner.service.locations import run_locations
    from tuner.service.runs import run_and_log

    refuse_interactive_code((settings := load_any(experiment)).objective)
    where = run_locations(settings.name, store=store, mlflow=mlflow, checkpoints=checkpoints, every=checkpoint_every)
    run_and_log(settings, Local(workers), where, device=device)
    return stored_results(settings.name, where.store)


def results(name: str, *, store: str | None = None) -> "StoredResults":
    """Steps to target at each batch size of an experiment, as searched and as confirmed, from the store.

    A notebook shows them as a table. `studies` has the results at each batch size, `best(64)` the best point of one,
    `trials` and `curves` are pandas DataFrames, and `figures.scaling()` and others are matplotlib figures.

    Args:
        name: The experiment's name.
        store: The store's URL; by default `TUNER_STORE`, else `runs/tuner.db`.

    Raises:
        TunerError: There is no such store, or no such experiment in it.
    """
    from tuner.reports.stored import stored_results
    from tuner.service.locations import store_url

    return stored_results(name, store_url(store))


def compare(
    *names: str, store: str | None = None, below: float | None = None, above: float | None = None
) -> "StoredComparison":
    """Experiments side by side, as the command `tuner compare` has them: what differs beyond the intervals.

    Args:
        names: Two experiments or more; the others are compared with the first.
        store: The store's URL; by default `TUNER_STORE`, else `runs/tuner.db`.
        below: A target by which to judge them all; none may have been searched for a weaker one.
        above: Likewise, if the goals are to be above one.

    Raises:
        TunerError: There is no such experiment, their goals differ, or nothing of one is confirmed.
    """
    from tuner.analysis.other_goals import asked_target
    from tuner.reports.comparison import stored_comparison
    from tuner.service.locations import store_url

    return stored_comparison(names, store_url(store), target=asked_target(below=below, above=above))


def report(step: int, metrics: Mapping[str, SupportsFloat]) -> None:
    """Print what a training script has measured, as the workload `kind = "command"` reads it.

    >>> report(100, {"validation/error": 0.125})
    {"step": 100, "validation/error": 0.125}

    Args:
        step: Gradient steps done.
        metrics: What was measured, named `split/metric`: numbers, or arrays and tensors that hold one.
    """
    print(json.dumps({"step": int(step), **{name: float(value) for name, value in metrics.items()}}), flush=True)


def __getattr__(name: str) -> object:
    """`Experiment`, imported when it is first asked for: it needs pydantic."""
    if name == "Experiment":
        from tuner.experiment import Experiment

        return Experiment
    raise AttributeError(f"module 'tuner' has no attribute {name!r}")
