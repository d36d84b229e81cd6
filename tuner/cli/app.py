"""The `tuner` command line: parse, call one function, print.

Commands import what they call when they are called: `tuner --help` answers without loading optuna, mlflow or torch.
"""

import gc
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.options import (
    AddressOption,
    CheckpointEveryOption,
    CheckpointsOption,
    DeviceOption,
    EngineName,
    EngineOption,
    FileArgument,
    GpusOption,
    HostOption,
    JsonOption,
    MlflowOption,
    NameArgument,
    PortOption,
    StoreOption,
    TrainersOption,
    example,
    ray_cluster,
)
from tuner.cli.service import service
from tuner.errors import TunerError
from tuner.service.cores import one_thread

app = typer.Typer(
    help="Bayesian hyperparameter search for one careful question: what does batch size do to training?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.registered_commands += service.registered_commands


class Format(StrEnum):
    """What `export` writes."""

    CSV = "csv"
    JSON = "json"


def main() -> None:
    """Run the command line. Errors a user can repair are one line on stderr and exit code 1."""
    one_thread()
    sys.path.append(str(Path.cwd()))  # a component of the user's own, `kind = "workload:Bowl"`, may lie beside the file
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except TunerError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        sys.stderr.close()
        sys.exit(1)


@app.command(epilog=example("tuner run digits"))
def run(
    file: FileArgument,
    store: StoreOption = None,
    mlflow: MlflowOption = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Workers. Default: one a GPU, else one a core; with Ray, as many as fit."),
    ] = None,
    device: DeviceOption = "auto",
    engine: EngineOption = EngineName.LOCAL,
    ray_address: AddressOption = "",
    num_gpus: GpusOption = None,
    trainers: TrainersOption = None,
    checkpoints: CheckpointsOption = None,
    checkpoint_every: CheckpointEveryOption = 60,
) -> None:
    """Search every batch size, confirm the winners, write the report.

    Running the same file again goes on where it was stopped and never repeats a finished trial.
    """
    from rich.console import Console

    from tuner import experiment
    from tuner.cli import printing, tables
    from tuner.recorders.mlflow.recorder import MlflowRecorder
    from tuner.recorders.progress.display import progress
    from tuner.service import locations, runs
    from tuner.service.local import Local

    cluster = ray_cluster(engine, workers=workers, address=ray_address, num_gpus=num_gpus, trainers=trainers)
    settings = experiment.load(file)
    tracking, url = locations.tracking_uri(mlflow), locations.store_url(store)
    locations.refuse_shared(url, tracking)
    display = progress(Console(highlight=False))
    logger = MlflowRecorder(tracking, tell=display.record)
    outcome = runs.run(
        settings,
        cluster or Local(workers),
        [display, logger],
        store_url=url,
        device=device,
        folder=locations.report_folder(settings.name),
        checkpoints=locations.checkpoint_folder(checkpoints, every=checkpoint_every),
    )
    trouble = "" if logger.has_failed else runs.try_to_log_report(outcome, tracking_uri=tracking)
    printing.show(tables.results_table(outcome.results))
    printing.show(tables.run_summary(outcome, trouble))
    raise typer.Exit(outcome.exit_code)


@app.command(epilog=example("tuner validate digits"))
def validate(file: FileArgument) -> None:
    """Check an experiment's file, and name every problem in it."""
    from tuner import experiment

    settings = experiment.load(file)
    sizes = ", ".join(map(str, settings.batch_sizes))
    print(f"{file} is valid: {settings.name}, {settings.search.points} points at batch sizes {sizes}")


@app.command(epilog=example("tuner presets digits > mine.toml"))
def presets(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A preset to print.")] = None) -> None:
    """List the experiments that are shipped, or print one to copy and change."""
    from tuner import experiment

    if name:
        print(experiment.preset_text(name), end="")
    else:
        print("\n".join(experiment.presets()))


@app.command(epilog=example("tuner results digits --json"))
def results(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Print steps to target at each batch size, as searched and as confirmed."""
    from tuner.analysis import summary
    from tuner.cli import printing, tables
    from tuner.service import locations

    with locations.records_in(store) as opened:
        found = summary.results(opened.record(name))
    printing.show_either(tables.results_table(found), found.to_json(), as_json=as_json)


@app.command(epilog=example("tuner edges digits"))
def edges(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Say where each optimum lies in its search space; exit 3 if one is at an edge of the box."""
    from tuner.analysis import summary
    from tuner.cli import printing, tables
    from tuner.service import locations

    with locations.records_in(store) as opened:
        found = summary.edges(opened.record(name))
    printing.show_either(tables.edges_table(found), found.to_json(), as_json=as_json)
    raise typer.Exit(3 if found.at_box_edge else 0)


@app.command(epilog=example("tuner sensitivity digits"))
def sensitivity(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Say how far each hyperparameter may be off, what share of the space trains, and which parameters matter."""
    from tuner.analysis.sensitivity import summary as analysis
    from tuner.cli import printing, tables
    from tuner.service import locations

    with locations.records_in(store) as opened:
        found = analysis.sensitivity(opened.record(name))
    printing.show_either(tables.sensitivity_table(found), found.to_json(), as_json=as_json)


@app.command(epilog=example("tuner predict nqm-sgd"))
def predict(file: FileArgument, as_json: JsonOption = False) -> None:
    """Compute the optimum at each batch size, without a run: for objectives that know it, the noisy quadratic model."""
    from tuner import experiment
    from tuner.analysis.scaling import prediction
    from tuner.cli import printing, tables
    from tuner.service import cores

    settings = experiment.load(file)
    with cores.all_cores() as pool:
        curve = prediction.predicted_curve(settings, apply=pool.map)
    printing.show_either(
        tables.predictions_table(settings, curve), {"predictions": prediction.predictions_json(curve)}, as_json=as_json
    )


@app.command(epilog=example("tuner fit digits"))
def fit(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Find the noisy quadratic model that best explains the measured steps, and draw both in the report."""
    from tuner.analysis.scaling.curve import NotFitted
    from tuner.analysis.scaling.explanation import explain
    from tuner.cli import printing, tables
    from tuner.report.page import write_report
    from tuner.service import cores, locations

    with locations.records_in(store) as opened, cores.all_cores() as pool:
        record = opened.record(name)
        found = explain(record, apply=pool.map)
        if isinstance(found, NotFitted):
            raise TunerError(f"{name}: {found.sentence}")
        page = write_report(record, locations.report_folder(name), store=opened.url, explanation=found)
    printing.show_either(
        tables.explanation_table(name, found, page),
        {"experiment": name, **found.to_json(), "report": str(page)},
        as_json=as_json,
    )


@app.command(epilog=example("tuner report digits"))
def report(
    name: NameArgument,
    store: StoreOption = None,
    folder: Annotated[Path | None, typer.Option("--output", help="Where to. Default: runs/EXPERIMENT.")] = None,
) -> None:
    """Write the report: one self-contained page, and its figures as PNG and SVG."""
    gc.disable()  # the process ends with the page, and a tenth of its time would go to looking for garbage
    from tuner.report.page import write_report
    from tuner.service import locations

    with locations.records_in(store) as opened:
        print(write_report(opened.record(name), folder or locations.report_folder(name), store=opened.url))


@app.command(epilog=example("tuner replay digits --batch-size 64 --trial 0"))
def replay(
    name: NameArgument,
    batch_size: Annotated[int, typer.Option(help="The study.")],
    trial: Annotated[int, typer.Option(help="The trial's number in its round.")],
    round: Annotated[int, typer.Option(min=1, help="The round, if the study had several.")] = 1,
    store: StoreOption = None,
) -> None:
    """Train one trial again, as recorded; exit 4 if its steps to target came out different."""
    from tuner.search.replay import replay as train_again
    from tuner.service import locations

    with locations.records_in(store) as opened:
        outcome = train_again(opened.record(name), batch_size=batch_size, number=trial, round=round)
    print(outcome.sentence)
    raise typer.Exit(0 if outcome.same else 4)


@app.command(epilog=example("tuner sync digits"))
def sync(name: NameArgument, store: StoreOption = None, mlflow: MlflowOption = None) -> None:
    """Fill in what MLflow lacks. Running it twice changes nothing."""
    from tuner.service import locations, runs

    with locations.records_in(store) as opened:
        folder = locations.report_folder(name)
        print(runs.sync_experiment(opened, name, tracking_uri=locations.tracking_uri(mlflow), folder=folder).sentence)


@app.command(epilog=example("tuner export digits --format csv > digits.csv"))
def export(
    name: NameArgument,
    format: Annotated[Format, typer.Option(help="One row a measurement, or one object a trial.")] = Format.CSV,
    store: StoreOption = None,
) -> None:
    """Print all trials and their whole curves."""
    from tuner.report import export as exporting
    from tuner.service import locations

    with locations.records_in(store) as opened:
        write = exporting.write_csv if format is Format.CSV else exporting.write_json
        write(opened, name, sys.stdout)


@app.command(epilog=example("tuner dashboard --port 8080"))
def dashboard(
    store: StoreOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8080,
) -> None:
    """Start optuna-dashboard on the store."""
    from tuner.service import dashboards, locations

    dashboards.serve_optuna(locations.store_url(store), host=host, port=port)


@app.command(name="mlflow", epilog=example("tuner mlflow --port 5000"))
def mlflow_ui(
    mlflow: MlflowOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 5000,
) -> None:
    """Start the MLflow UI on the runs logged."""
    from tuner.service import dashboards, locations

    dashboards.serve_mlflow(locations.tracking_uri(mlflow), host=host, port=port)
