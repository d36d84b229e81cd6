"""The commands that make, check and delete experiments."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

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
from tuner.errors import TunerError

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
            print(line)
    raise typer.Exit(outcome.exit_code)


@commands.command(epilog=example("tuner validate digits"))
def validate(file: FileArgument) -> None:
    """Check an experiment's file and list every problem in it."""
    from tuner import experiment
    from tuner.objective import PlannedObjective

    settings = experiment.load(file)
    objective, metric = settings.build_objective(), settings.goal.metric
    sizes = ", ".join(map(str, settings.batch_sizes))
    print(f"{file} is valid: {settings.name}, {settings.search.points} points at batch sizes {sizes}")
    certain = objective.certain_early if isinstance(objective, PlannedObjective) else frozenset()
    if certain and metric not in certain:
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
    print(
        f"{file} is written" + (", and beside it train.py" if is_new else "; train.py was there already, and is kept")
    )
    if file.parent != Path():
        print(f"go there:  cd {file.parent}")
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
    from tuner.service import locations

    with locations.existing_store(store) as opened:
        record = opened.record(name)
        trials = sum(len(each.trials) for study in record.studies for each in study.rounds)
        if not yes:
            _ask(f"delete {name} with {trials:,} trials from {opened.url}?")
        folder = locations.checkpoint_folder(checkpoints, every=0)
        opened.delete(name)
    if folder is not None:
        folder.delete(record.experiment)
    print(f"{name} is deleted: {len(record.studies)} studies, {trials:,} trials")
    print(f"MLflow keeps the experiment {name}: select it on the page of `tuner mlflow` to delete it")
    if (report := locations.report_folder(name)).exists():
        print(f"the report stays in {report}")


def _ask(question: str) -> None:
    """Ask on the terminal, and exit unless the answer is yes. Raises `TunerError` where nobody can answer."""
    if not sys.stdin.isatty():
        raise TunerError(f"{question} nobody can be asked here; give --yes")
    typer.confirm(question, abort=True)
