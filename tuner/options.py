"""The arguments and options that several commands share."""

from typing import Annotated

import typer

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
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="An experiment's TOML file, or a preset's name.")]
NameArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment's name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CheckpointsOption = Annotated[
    str | None,
    typer.Option("--checkpoints", metavar="DIR", help="Folder, best shared by all workers, in which running trials "
                 "are saved. Default: TUNER_CHECKPOINTS, else they are not."),
]  # fmt: skip
CheckpointEveryOption = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How often, with --checkpoints.")]
DeviceOption = Annotated[str, typer.Option(help="Where to train: auto, cpu, cuda, cuda:1, ...")]
HostOption = Annotated[str, typer.Option(help="Address to listen on. There is no authentication: keep it local.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


def example(text: str) -> str:
    """The last lines of a command's help: an example that runs."""
    return f"[bold]Example:[/bold]  {text}"
