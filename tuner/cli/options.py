"""The arguments and options that several commands share."""

import importlib.util
import math
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.errors import TunerError

if TYPE_CHECKING:
    from tuner.service.ray.engine import Ray


MOST = 2**63 - 1
"""What a database keeps of steps, batch sizes and numbers of trials."""


class EngineName(StrEnum):
    """Where workers run."""

    LOCAL = "local"
    RAY = "ray"


def _number(value: float | None) -> float | None:
    """A number, and not what floating-point numbers have for none: that is within all bounds."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is no number")
    return value


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|(cuda|mps|xpu)(:\d+)?", value):
        raise typer.BadParameter(f"{value} is none of auto, cpu, cuda, cuda:0, cuda:1, ...")
    return value


StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Store to use: sqlite:///FILE or postgresql://USER@HOST/DATABASE. "
                 "Default: TUNER_STORE, else runs/tuner.db."),
]  # fmt: skip
MlflowOption = Annotated[
    str | None,
    typer.Option("--mlflow", metavar="URI", help="MLflow server or database. Default: MLFLOW_TRACKING_URI, else "
                 "runs/mlflow.db."),
]  # fmt: skip
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1000,
        help="Number of workers. Default: one for each GPU, else one for each core; with Ray, as many as fit.",
    ),
]
ModelsOption = Annotated[
    bool, typer.Option("--save-models", help="At the end train each winner once more, and keep its weights.")
]
CurvePointsOption = Annotated[
    int | None,
    typer.Option("--curve-points", min=1, max=10_000, metavar="N", help="Measurements of each curve that MLflow "
                 "gets, evenly spread. Each costs 50 microseconds. Default: TUNER_MLFLOW_POINTS, else 10."),
]  # fmt: skip
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="An experiment's TOML file, or a preset's name.")]
NameArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment's name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
BelowOption = Annotated[float | None, typer.Option("--below", help="Answer for this weaker target instead.")]
AboveOption = Annotated[float | None, typer.Option("--above", help="Likewise, if the goal is to be above one.")]
CheckpointsOption = Annotated[
    str | None,
    typer.Option("--checkpoints", metavar="DIR", help="Folder in which running trials are saved, best on a disk that "
                 "all workers share. Default: TUNER_CHECKPOINTS, else nothing is saved."),
]  # fmt: skip
CheckpointEveryOption = Annotated[
    float,
    typer.Option(min=0, max=604_800, callback=_number, metavar="SECONDS", help="Time between two saves of a trial."),
]
DeviceOption = Annotated[
    str, typer.Option(callback=_device, help="Device to train on: auto, cpu, cuda (every GPU), cuda:1, ...")
]
PriceOption = Annotated[
    float | None,
    typer.Option(min=0, max=1e6, callback=_number, metavar="PRICE", help="What an hour on the device costs, in any "
                 "currency: then the cost to the target is shown, too."),
]  # fmt: skip
EngineOption = Annotated[EngineName, typer.Option(help="Run workers on this machine, or on a Ray cluster.")]
AddressOption = Annotated[
    str,
    typer.Option("--ray-address", metavar="ADDRESS", help="Ray cluster: auto, local, HOST:PORT or ray://HOST:PORT. "
                 "Default: RAY_ADDRESS, else the cluster that runs on this machine, else a new cluster."),
]  # fmt: skip
GpusOption = Annotated[
    float | None,
    typer.Option("--num-gpus", min=0, max=1000, callback=_number, help="With Ray: GPUs of each worker, or of each of "
                 "its trainers. 0.5 lets two share a GPU, whose memory is not divided. Default: 1 if the cluster has "
                 "GPUs."),
]  # fmt: skip
TrainersOption = Annotated[
    int | None,
    typer.Option("--trainers", min=1, max=1000, help="With Ray: actors over which each worker spreads its trials."),
]  # fmt: skip
HostOption = Annotated[str, typer.Option(help="Address to listen on. There is no authentication: keep it local.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


def ray_cluster(
    engine: EngineName, *, workers: int | None, address: str, num_gpus: float | None, trainers: int | None
) -> "Ray | None":
    """The cluster that these options describe; None if workers run on this machine.

    Raises:
        TunerError: Ray is not installed.
        BadParameter: An option for Ray is given without it, or Ray has no such part of a GPU.
    """
    if engine is not EngineName.RAY:
        given = {"--ray-address": address, "--num-gpus": num_gpus, "--trainers": trainers}
        for name, value in given.items():
            if value not in (None, ""):
                raise typer.BadParameter("is for --engine ray", param_hint=name)
        return None
    if num_gpus is not None and num_gpus > 1 and not num_gpus.is_integer():
        raise typer.BadParameter(
            f"{num_gpus:g} is neither a part of one GPU nor a number of them", param_hint="--num-gpus"
        )
    if importlib.util.find_spec("ray") is None:
        raise TunerError("Ray is not installed; pip install 'batch-tuner[ray]'")
    from tuner.service.ray.engine import Ray

    return Ray(address, workers, trainers or 0, num_gpus)


def example(text: str) -> str:
    """The last lines of a command's help: an example that runs."""
    return f"[bold]Example:[/bold]  {text}"
