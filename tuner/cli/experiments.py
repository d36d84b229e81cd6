"""The commands that make, check and delete experiments."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.options import (
    AddressOption,
    CheckpointEveryOption,
    CheckpointsOption,
    CurvePointsOption,
    DeviceOption,
    EngineName,
    EngineOption,
    FileArgument,
    GpusOption,
    MlflowOption,
    ModelsOption,
    NameArgument,
    StoreOption,
    TrainersOption,
    WorkersOption,
    example,
    ray_cluster,
)
from tuner.errors import DamagedRecord, TunerError, printable

if TYPE_CHECKING:
    from tuner.records import ExperimentRecord
    from tuner.stores import Store

commands = typer.Typer()


@commands.command(epilog=example("tuner run digits"))
def run(
    file: FileArgument,
    store: StoreOption = None,
    mlflow: MlflowOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = EngineName.LOCAL,
    ray_address: AddressOption = "",
    num_gpus: GpusOption = None,
    trainers: TrainersOption = None,
    checkpoints: CheckpointsOption = None,
    checkpoint_every: CheckpointEveryOption = 60,
    curve_points: CurvePointsOption = None,
    models: ModelsOption = False,
) -> None:
    """Search every batch size, confirm the winners, and write the report.

    Running the same file again continues where the run was stopped. Finished trials are never repeated.
    """
    from tuner import experiment
    from tuner.cli import printing, tables
    from tuner.service import locations
    from tuner.service.local import Local
    from tuner.service.runs import run_and_log, save_models

    cluster = ray_cluster(engine, workers=workers, address=ray_address, num_gpus=num_gpus, trainers=trainers)
    settings = experiment.load(file)
    where = locations.run_locations(
        settings.name, store=store, mlflow=mlflow, checkpoints=checkpoints, every=checkpoint_every, points=curve_points
    )
    outcome = run_and_log(settings, cluster or Local(workers), where, device=device)
    printing.show(tables.results_table(outcome.results))
    printing.show(tables.run_summary(outcome))
    if models and not outcome.interrupted:
        for line in save_models(settings, where):
            print(printable(line))
    raise typer.Exit(outcome.exit_code)


@commands.command(epilog=example("tuner validate digits"))
def validate(file: FileArgument) -> None:
    """Check an experiment's file and list every problem in it."""
    from tuner import experiment
    from tuner.objective import PlannedObjective

    settings = experiment.load(file)
    objective, metric = settings.build_objective(), settings.goal.metric
    sizes = ", ".join(map(str, settings.batch_sizes))
    points = f"{settings.search.points} points" if settings.space.is_searched else "one point, as nothing is searched,"
    print(printable(f"{file} is valid: {settings.name}, {points} at batch sizes {sizes}"))
    certain = objective.certain_early if isinstance(objective, PlannedObjective) else frozenset()
    if certain and not (metric in certain and settings.goal.targets):
        print(f"{metric} ends no measurement early: each sees all validation examples")


@commands.command(epilog=example("tuner presets digits > mine.toml"))
def presets(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The example to print.")] = None) -> None:
    """List the example experiments, or print the file of one, to be copied and changed."""
    from tuner import experiment

    if name:
        print(experiment.preset_text(name), end="")
    else:
        print("\n".join(experiment.presets()))


class Template(StrEnum):
    """What a new experiment trains with."""

    MODULE = "module"
    FUNCTION = "function"
    COMMAND = "command"


@commands.command(epilog=example("tuner init function mine.toml"))
def init(
    template: Annotated[
        Template,
        typer.Argument(
            metavar="[module|function|command]",
            help="What you have: a torch module, a training loop as a Python generator, or any program.",
        ),
    ] = Template.MODULE,
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to write.")] = Path("experiment.toml"),
) -> None:
    """Write a small experiment to start from, and an example of training code beside it, train.py.

    Nothing is overwritten.
    """
    from tuner import experiment

    is_new = experiment.write_template(template, file)
    code = ", and beside it train.py" if is_new else "; train.py was there already, and is kept"
    print(printable(f"{file} is written{code}"))
    if file.parent != Path():
        print(printable(f"go there:  cd {file.parent}"))
    print(f"check it:  tuner validate {file.name}\nrun it:    tuner run {file.name}")


@commands.command(epilog=example("tuner delete digits"))
def delete(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    store: StoreOption = None,
    checkpoints: Annotated[
        str | None,
        typer.Option(
            "--checkpoints",
            metavar="DIR",
            help="Folder of checkpoints, from which those of the experiment are deleted. "
            "Default: TUNER_CHECKPOINTS, else none.",
        ),
    ] = None,
) -> None:
    """Delete an experiment from the store: its studies, trials, curves and checkpoints. It cannot be undone.

    Its runs in MLflow and its report stay. In PostgreSQL only the role that owns the tables may delete.
    """
    from tuner.recorders.mlflow.ownership import own_name
    from tuner.service import locations

    with locations.existing_store(store) as opened:
        record, unreadable = _readable(opened, name)
        trials = 0 if record is None else sum(len(each.trials) for study in record.studies for each in study.rounds)
        much = f"{trials:,} trials" if record is not None else f"all that it has ({unreadable})"
        if not yes:
            _ask(f"delete {name} with {much} from {opened.url}?")
        folder = locations.checkpoint_folder(checkpoints, every=0)
        opened.delete(name)
        there = own_name(name, opened.identity())
    if record is None:
        print(f"{name} is deleted, which could not be read; its checkpoints stay, if it has any")
    else:
        if folder is not None:
            folder.delete(record.experiment)
        print(f"{name} is deleted: {len(record.studies)} studies, {trials:,} trials")
    print(f"MLflow keeps {name}, or {there} if {name} is another store's: `tuner mlflow` shows it, and can delete it")
    if (report := locations.report_folder(name)).exists():
        print(f"the report stays in {report}")


def _readable(opened: "Store", name: str) -> "tuple[ExperimentRecord | None, str]":
    """What a store has of an experiment, or why it cannot be read. Raises `StoreError` if there is none."""
    try:
        return opened.record(name), ""
    except DamagedRecord as error:
        return None, str(error)


def _ask(question: str) -> None:
    """Ask on the terminal, and exit unless the answer is yes. Raises `TunerError` where nobody can answer."""
    if not sys.stdin.isatty():
        raise TunerError(f"{question} nobody can be asked here; give --yes")
    typer.confirm(question, abort=True)
