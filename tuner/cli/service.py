"""The commands of the service: experiments that outlive a terminal, and the workers that search them."""

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
    NameArgument,
    StoreOption,
    TrainersOption,
    example,
    ray_cluster,
)

if TYPE_CHECKING:
    from tuner.records import ExperimentState

commands = typer.Typer()


@commands.command(epilog=example("tuner submit digits"))
def submit(file: FileArgument, store: StoreOption = None) -> None:
    """Store an experiment, to be searched by the workers that `tuner worker` starts, on any machine."""
    from tuner import experiment
    from tuner.records import ExperimentState
    from tuner.service import locations

    settings = experiment.load(file)
    with locations.new_store(store) as opened:
        added = opened.submit(settings)
        record = opened.record(settings.name)
    left = sum(not each.complete for each in record.studies)
    paused = f"; it is paused: tuner resume {settings.name}" if record.state is ExperimentState.PAUSED else ""
    if added:
        print(f"{settings.name} is given more: {', '.join(added)}; what it has is kept")
    print(f"{settings.name} is stored, {left} of {len(record.studies)} studies to be searched{paused}")


@commands.command(epilog=example("tuner worker --once"))
def worker(
    once: Annotated[bool, typer.Option("--once", help="End when no experiment is open any more.")] = False,
    store: StoreOption = None,
    mlflow: MlflowOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = EngineName.LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="With Ray: number of workers. Default: as many as fit into the cluster."),
    ] = None,
    ray_address: AddressOption = "",
    num_gpus: GpusOption = None,
    trainers: TrainersOption = None,
    checkpoints: CheckpointsOption = None,
    checkpoint_every: CheckpointEveryOption = 60,
    curve_points: CurvePointsOption = None,
) -> None:
    """Search whatever has been submitted, one study at a time, until told to stop.

    Start any number of workers, on any machine that reaches the store. SIGTERM or Ctrl-C ends each within 20 seconds.
    """
    from tuner.service import locations
    from tuner.service.serve import serve, serve_on

    cluster = ray_cluster(engine, workers=workers, address=ray_address, num_gpus=num_gpus, trainers=trainers)
    tracking, url = locations.tracking_uri(mlflow), locations.store_url(store)
    locations.refuse_shared(url, tracking)
    folder = locations.checkpoint_folder(checkpoints, every=checkpoint_every)
    points = locations.curve_points(curve_points)
    if cluster is not None:
        serve_on(cluster, url, tracking_uri=tracking, device=device, once=once, checkpoints=folder, points=points)
    elif workers is not None:
        raise typer.BadParameter("is for --engine ray; start this command once for each", param_hint="--workers")
    else:
        serve(url, tracking_uri=tracking, device=device, once=once, checkpoints=folder, points=points)


@commands.command(epilog=example("tuner status --watch"))
def status(
    name: Annotated[str | None, typer.Argument(metavar="[EXPERIMENT]", help="Show only this experiment.")] = None,
    store: StoreOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat every two seconds, until Ctrl-C.")] = False,
) -> None:
    """Show how far the experiments in the store are, and which workers search them.

    Time left is estimated from the pace of each study since its worker claimed it.
    """
    from tuner.cli import printing, status
    from tuner.service import locations

    with locations.progress_in(store) as progress:
        if watch:
            printing.watch(lambda lines: status.store_table(progress.survey(name), lines=lines))
        else:
            printing.show(status.store_table(progress.survey(name)))


@commands.command(epilog=example("tuner pause digits"))
def pause(name: NameArgument, store: StoreOption = None) -> None:
    """Stop the search of an experiment, until it is resumed. Finished trials are kept."""
    from tuner.records import ExperimentState

    _set_state(name, store, ExperimentState.PAUSED)
    print(f"{name} is paused; what is finished is stored. tuner resume {name} lets workers go on")


@commands.command(epilog=example("tuner resume digits"))
def resume(name: NameArgument, store: StoreOption = None) -> None:
    """Let workers search a paused experiment again, with the studies that were set aside because they kept failing."""
    from tuner.records import ExperimentState
    from tuner.service import locations

    _set_state(name, store, ExperimentState.OPEN)
    with locations.existing_store(store) as opened:
        opened.reopen(name)
    print(f"{name} is open; workers go on where it was stopped")


@commands.command(epilog=example("tuner cancel digits"))
def cancel(name: NameArgument, store: StoreOption = None) -> None:
    """Stop the search of an experiment for good. Its results stay."""
    from tuner.records import ExperimentState

    _set_state(name, store, ExperimentState.CANCELLED)
    print(f"{name} is cancelled; what is finished stays: tuner results {name}")


@commands.command(epilog=example("tuner migrate"))
def migrate(store: StoreOption = None) -> None:
    """Make or upgrade the store's tables, as the database role that owns them, where workers may not."""
    from tuner.service import locations

    with locations.new_store(store) as opened:
        print(f"{opened.url} is ready")


@commands.command(epilog=example("tuner doctor"))
def doctor(store: StoreOption = None, mlflow: MlflowOption = None) -> None:
    """Check Python, torch, the store, MLflow, disk and time zone. Exit code 1: something is broken."""
    from tuner.cli import printing
    from tuner.cli.findings import findings_table
    from tuner.service import doctor as checks
    from tuner.service import locations

    tracking, url = locations.tracking_uri(mlflow), locations.store_url(store)
    locations.refuse_shared(url, tracking)
    findings = list(checks.examine(store_url=url, tracking_uri=tracking, folder=locations.RUNS))
    printing.show(findings_table(findings))
    raise typer.Exit(int(any(each.health is checks.Health.BROKEN for each in findings)))


def _set_state(name: str, store: str | None, state: "ExperimentState") -> None:
    """Change whether workers take an experiment."""
    from tuner.service import locations

    with locations.existing_store(store) as opened:
        opened.set_state(name, state)
