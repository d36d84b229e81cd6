"""The command that trains with rules of thumb."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.extra.training import Options, Question, train_and_show
from tuner.cli.options import (
    MOST,
    AddressOption,
    CheckpointEveryOption,
    CheckpointsOption,
    CurvePointsOption,
    DeviceOption,
    EngineName,
    EngineOption,
    GpusOption,
    JsonOption,
    MlflowOption,
    NameArgument,
    StoreOption,
    TrainersOption,
    WorkersOption,
    example,
    ray_cluster,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuner.records import CurvesOf, ExperimentRecord

commands = typer.Typer()

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
    engine: EngineOption = EngineName.LOCAL,
    ray_address: AddressOption = "",
    num_gpus: GpusOption = None,
    trainers: TrainersOption = None,
    checkpoints: CheckpointsOption = None,
    checkpoint_every: CheckpointEveryOption = 60,
    curve_points: CurvePointsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train with the linear and the square-root rule for the learning rate, and print what they cost.

    They start from the optimum of one batch size. Nothing is trained twice, but for what an error ended. Exit code 1:
    something is missing.
    """
    from tuner.analysis.rules.costs import rule_costs
    from tuner.analysis.rules.points import base_of, wanted_runs
    from tuner.cli.extra.rules_table import rules_table
    from tuner.search.tasks.extra import Extra

    def ask(record: "ExperimentRecord") -> Extra:
        return Extra(name, wanted_runs(record, base_of(record, start)))

    def answer(record: "ExperimentRecord", _: "CurvesOf") -> "tuple[RenderableType, Mapping[str, object]]":
        found = rule_costs(record, start)
        return rules_table(found), found.to_json()

    cluster = ray_cluster(engine, workers=workers, address=ray_address, num_gpus=num_gpus, trainers=trainers)
    options = Options(
        store, mlflow, cluster, workers, device, checkpoints, checkpoint_every, curve_points, as_json=as_json
    )
    train_and_show(name, Question(ask, answer), options)
