"""The commands that train more of a complete experiment."""

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from tuner.experiment import Experiment
    from tuner.search.tasks.extra import Extra
    from tuner.service.locations import RunLocations
    from tuner.service.runs import RunOutcome

commands = typer.Typer()

MOST = 2**63 - 1
"""What a database keeps of batch sizes."""
FromOption = Annotated[
    int | None,
    typer.Option("--from", min=1, max=MOST, metavar="B", help="The tuned batch size that the rules start from. "
                 "Default: the smallest."),
]  # fmt: skip


@commands.command(epilog=example("tuner rules digits"))
def rules(
    name: NameArgument,
    start: FromOption = None,
    store: StoreOption = None,
    mlflow: MlflowOption = None,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    checkpoints: CheckpointsOption = None,
    checkpoint_every: CheckpointEveryOption = 60,
    curve_points: CurvePointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train with the linear and the square-root rule for the learning rate, and print what they cost.

    They start from the optimum of one batch size. Nothing is trained twice. Exit code 1: something is missing.
    """
    from tuner.analysis.rules.costs import rule_costs
    from tuner.analysis.rules.points import base_of, wanted_runs
    from tuner.cli import printing
    from tuner.cli.extra.rules_table import rules_table, run_lines
    from tuner.search.tasks.extra import Extra
    from tuner.service import locations

    with locations.records_in(store) as opened:
        record = opened.record(name)
    base = base_of(record, start)
    task = Extra(name, wanted_runs(record, base))
    outcome = None
    if not task.is_done(record.studies):
        where = locations.run_locations(
            name, store=store, mlflow=mlflow, checkpoints=checkpoints, every=checkpoint_every, points=curve_points
        )
        outcome = train(record.experiment, task, where, workers=workers, device=device, is_quiet=as_json)
        with locations.records_in(store) as opened:
            record = opened.record(name)
    found = rule_costs(record, base.batch_size)
    printing.show_either(rules_table(found), found.to_json(), as_json=as_json)
    if outcome:
        printing.show(run_lines(outcome), errors=as_json)
        raise typer.Exit(outcome.exit_code)


def train(
    experiment: "Experiment",
    task: "Extra",
    where: "RunLocations",
    *,
    workers: int | None,
    device: str,
    is_quiet: bool,
) -> "RunOutcome":
    """Train the extra trials that are missing, on this machine, and show the progress.

    Args:
        experiment: Which the store has.
        task: The trials.
        where: Where they are kept.
        workers: How many at most; by default one an accelerator, or one a core.
        device: Where they train.
        is_quiet: Whether the progress is kept out of standard output, where a program reads.

    Raises:
        TunerError: The experiment is paused or cancelled, there is no such device, or a store or folder cannot be used.
    """
    from rich.console import Console

    from tuner.service.local import Local
    from tuner.service.runs import run_and_log

    experiment.build_objective()  # which loads torch, if it trains with it: only then can GPUs be counted
    console = Console(highlight=False, stderr=is_quiet)
    return run_and_log(experiment, Local(workers), where, device=device, task=task, console=console)
