"""The commands for the web pages of others on what was measured."""

from typing import Annotated

import typer

from tuner.cli.options import (
    CurvePointsOption,
    HostOption,
    MlflowOption,
    NameArgument,
    PortOption,
    StoreOption,
    example,
)

commands = typer.Typer()


@commands.command(epilog=example("tuner dashboard --port 8080"))
def dashboard(
    store: StoreOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
) -> None:
    """Start optuna-dashboard, a web page, on the store."""
    from tuner.service import dashboards, locations

    dashboards.serve_optuna(locations.store_url(store), host=host, port=port)


@commands.command(name="mlflow", epilog=example("tuner mlflow --port 5000"))
def mlflow_ui(
    mlflow: MlflowOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 5000,
) -> None:
    """Start MLflow's web page on the runs that were logged."""
    from tuner.service import dashboards, locations

    dashboards.serve_mlflow(locations.tracking_uri(mlflow), host=host, port=port)


@commands.command(epilog=example("tuner sync digits"))
def sync(
    name: NameArgument,
    store: StoreOption = None,
    mlflow: MlflowOption = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Make again what was deleted in MLflow: runs, or the whole experiment.")
    ] = False,
    curve_points: CurvePointsOption = None,
) -> None:
    """Log to MLflow what it lacks of an experiment. Running it twice changes nothing.

    What was deleted in MLflow stays out, and is counted.
    """
    from tuner.service import locations
    from tuner.service.syncing import sync_experiment

    with locations.records_in(store) as opened:
        done = sync_experiment(
            opened,
            name,
            tracking_uri=locations.tracking_uri(mlflow),
            folder=locations.report_folder(name),
            points=locations.curve_points(curve_points),
            restore=restore,
        )
    print("\n".join(done.lines))
