"""What all commands do that train more of a complete experiment: train what is missing, show what is known, and end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuner.records import CurvesOf, ExperimentRecord
    from tuner.search.tasks.extra import Extra
    from tuner.service.ray.engine import Ray
    from tuner.service.runs import RunOutcome


@dataclass(frozen=True, slots=True)
class Options:
    """Where trials are kept and trained, as on the command line.

    Attributes:
        cluster: Where the workers run; on this machine if None.
        workers: How many there are at most on this machine.
        as_json: Whether standard output is for a program; then people read elsewhere what happens.
    """

    store: str | None
    mlflow: str | None
    cluster: "Ray | None"
    workers: int | None
    device: str
    checkpoints: str | None
    checkpoint_every: float
    curve_points: int | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a command wants to know.

    Attributes:
        ask: The trials that are needed, given the experiment. Raises `TunerError` if it cannot be asked.
        answer: What they say, for a terminal and as JSON; None if they say nothing yet.
    """

    ask: "Callable[[ExperimentRecord], Extra]"
    answer: "Callable[[ExperimentRecord, CurvesOf], tuple[RenderableType, Mapping[str, object]] | None]"


def train_and_show(name: str, question: Question, options: Options) -> None:
    """Train the trials that are missing, or that an error ended, and print the answer. Trains nothing twice.

    Raises:
        Exit: Something was trained; says how that ended.
        TunerError: The question cannot be asked, or what is missing cannot be trained.
    """
    from tuner.cli import printing
    from tuner.cli.extra.summary import training_summary
    from tuner.service import locations
    from tuner.stores import curves_in

    with locations.records_in(options.store) as opened:
        record = opened.record(name)
    task = question.ask(record)
    outcome = _train(record, task, options) if task.has_work(record) else None
    with locations.records_in(options.store) as opened:
        record = opened.record(name) if outcome else record
        found = question.answer(record, curves_in(opened, name))
    if found is not None:
        printing.show_either(*found, as_json=options.as_json)
    if outcome:
        errors = [each for study in record.studies for each in task.errors(study)]
        printing.show(training_summary(outcome, errors), errors=options.as_json)
        raise typer.Exit(outcome.exit_code)


def _train(record: "ExperimentRecord", task: "Extra", options: Options) -> "RunOutcome":
    """Train what is missing, and show the progress.

    Raises:
        TunerError: The workload cannot be trained for this task, the experiment is paused or cancelled, there is no
            such device, or a store or folder cannot be used.
    """
    from rich.console import Console

    from tuner.service import locations
    from tuner.service.local import Local
    from tuner.service.runs import run_and_log

    experiment = record.experiment
    # It says now what cannot be done. It also loads torch, if the workload trains with it: before, no GPU is counted.
    task.adapt(experiment.build_objective())
    where = locations.run_locations(
        experiment.name,
        store=options.store,
        mlflow=options.mlflow,
        checkpoints=options.checkpoints,
        every=options.checkpoint_every,
        points=options.curve_points,
    )
    console = Console(highlight=False, stderr=options.as_json)
    engine = options.cluster or Local(options.workers)
    return run_and_log(experiment, engine, where, device=options.device, task=task, console=console)
