"""The command that looks closely at the optima."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.extra.training import Options, Question, train_and_show
from tuner.cli.options import (
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

SeedsOption = Annotated[int, typer.Option(min=1, max=1000, help="On how many fresh seeds each optimum is trained.")]


@commands.command(epilog=example("tuner diagnose digits"))
def diagnose(
    name: NameArgument,
    seeds: SeedsOption = 3,
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
    """Train each optimum again and measure what it looks like: sharpness, Hessian, gradient noise, distance.

    For torch models. A second time nothing is trained again, but for what an error ended. Exit code 1: not all could be
    trained.
    """
    from tuner.analysis.diagnoses.answers import diagnoses
    from tuner.analysis.diagnoses.points import wanted_diagnoses
    from tuner.cli.extra.diagnoses_table import diagnoses_table
    from tuner.search.tasks.diagnosing import diagnosing
    from tuner.search.tasks.extra import Extra

    def ask(record: "ExperimentRecord") -> Extra:
        return Extra(name, wanted_diagnoses(record, seeds), partial(diagnosing, kind=record.experiment.kind))

    def answer(record: "ExperimentRecord", curves: "CurvesOf") -> "tuple[RenderableType, Mapping[str, object]] | None":
        found = diagnoses(record, curves)
        return None if found is None else (diagnoses_table(found), found.to_json())

    cluster = ray_cluster(engine, workers=workers, address=ray_address, num_gpus=num_gpus, trainers=trainers)
    options = Options(
        store, mlflow, cluster, workers, device, checkpoints, checkpoint_every, curve_points, as_json=as_json
    )
    train_and_show(name, Question(ask, answer), options)
