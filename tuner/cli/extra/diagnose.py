"""The command that looks closely at the optima."""

from typing import Annotated

import typer

from tuner.cli.options import (
    CheckpointEveryOption,
    CheckpointsOption,
    CurvePointsOption,
    DeviceOption,
    JsonOption,
    MlflowOption,
    NameArgument,
    StoreOption,
    WorkersOption,
    example,
)

commands = typer.Typer()

SeedsOption = Annotated[int, typer.Option(min=1, max=1000, help="On how many fresh seeds each optimum is trained.")]


@commands.command(epilog=example("tuner diagnose digits"))
def diagnose(
    name: NameArgument,
    seeds: SeedsOption = 3,
    store: StoreOption = None,
    mlflow: MlflowOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    checkpoints: CheckpointsOption = None,
    checkpoint_every: CheckpointEveryOption = 60,
    curve_points: CurvePointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train each optimum again and measure what it looks like: sharpness, Hessian, gradient noise, distance.

    For torch models. A second time nothing is trained again. Exit code 1: not all could be trained.
    """
    from tuner.analysis.diagnoses.points import wanted_diagnoses
    from tuner.cli import printing
    from tuner.cli.extra.commands import train
    from tuner.cli.extra.rules_table import run_lines
    from tuner.search.tasks.diagnosing import diagnosing
    from tuner.search.tasks.extra import Extra
    from tuner.service import locations

    with locations.records_in(store) as opened:
        record = opened.record(name)
    task = Extra(name, wanted_diagnoses(record, seeds), diagnosing)
    outcome = None
    if not task.is_done(record.studies):
        diagnosing(record.experiment.build_objective())  # says now what cannot be done
        where = locations.run_locations(
            name, store=store, mlflow=mlflow, checkpoints=checkpoints, every=checkpoint_every, points=curve_points
        )
        outcome = train(record.experiment, task, where, workers=workers, device=device, is_quiet=as_json)
    _show(name, store, as_json=as_json)
    if outcome:
        printing.show(run_lines(outcome), errors=as_json)
        raise typer.Exit(outcome.exit_code)


def _show(name: str, store: str | None, *, as_json: bool) -> None:
    """What is known of the optima by now."""
    from tuner.analysis.diagnoses.answers import diagnoses
    from tuner.cli import printing
    from tuner.cli.extra.diagnoses_table import diagnoses_table
    from tuner.service import locations
    from tuner.stores import curves_in

    with locations.records_in(store) as opened:
        found = diagnoses(opened.record(name), curves_in(opened, name))
    if found is not None:
        printing.show_either(diagnoses_table(found), found.to_json(), as_json=as_json)
