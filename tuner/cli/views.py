"""The commands for the web pages of others on what was measured."""

import sys
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
    allowed_hosts: Annotated[
        str | None,
        typer.Option(
            "--allowed-hosts",
            metavar="NAMES",
            help="Names under which the page may be asked for, with commas between them, beside localhost, --host and "
            "addresses. Default: TUNER_DASHBOARD_HOSTS, else no others.",
        ),
    ] = None,
) -> None:
    """Start optuna-dashboard, a web page, on the store."""
    from tuner.service import dashboards, locations

    names = locations.dashboard_names(allowed_hosts)
    dashboards.serve_optuna(locations.store_url(store), host=host, port=port, names=names)


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
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print("\n".join(done.lines))
