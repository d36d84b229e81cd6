"""The commands that show what was measured and what follows from it."""

import gc
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tuner.cli.options import (
    MOST,
    AboveOption,
    BelowOption,
    DeviceOption,
    FileArgument,
    JsonOption,
    NameArgument,
    PriceOption,
    StoreOption,
    example,
)
from tuner.errors import TunerError, printable

commands = typer.Typer()


class Format(StrEnum):
    """What `export` writes."""

    CSV = "csv"
    JSON = "json"


@commands.command(epilog=example("tuner results digits --json"))
def results(
    name: NameArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
    below: BelowOption = None,
    above: AboveOption = None,
    within_steps: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Answer for this smaller budget instead.")
    ] = None,
) -> None:
    """Print the steps to target, or the best value, at each batch size: as searched and as confirmed."""
    from rich.console import Group

    from tuner.analysis import summary
    from tuner.analysis.other_goals import asked_target, judged_again
    from tuner.cli import printing, tables
    from tuner.service import locations
    from tuner.stores import curves_in

    with locations.records_in(store) as opened:
        record = opened.record(name)
        if below is None and above is None and within_steps is None:
            found = summary.results(record)
            printing.show_either(tables.results_table(found), found.to_json(), as_json=as_json)
            return
        other = judged_again(
            record, curves_in(opened, name), target=asked_target(below=below, above=above), within_steps=within_steps
        )
    found = other.results
    shown = Group(tables.results_table(found), other.sentence)
    printing.show_either(shown, found.to_json() | other.to_json(), as_json=as_json)


@commands.command(epilog=example("tuner edges digits"))
def edges(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Print where each optimum lies in its search space, and which do not fit those of other batch sizes.

    Exit code 3: one is at an edge of the box, or in doubt.
    """
    from tuner.analysis import summary
    from tuner.cli import printing, tables
    from tuner.service import locations

    with locations.records_in(store) as opened:
        found = summary.edges(opened.record(name))
    printing.show_either(tables.edges_table(found), found.to_json(), as_json=as_json)
    raise typer.Exit(3 if found.is_suspicious else 0)


@commands.command(epilog=example("tuner sensitivity digits"))
def sensitivity(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Print how far each hyperparameter may be off, which of them matter, and what share of the space trains."""
    from tuner.analysis.sensitivity import summary as analysis
    from tuner.cli import printing, tables
    from tuner.service import locations

    with locations.records_in(store) as opened:
        found = analysis.sensitivity(opened.record(name))
    printing.show_either(tables.sensitivity_table(found), found.to_json(), as_json=as_json)


@commands.command(epilog=example("tuner report digits"))
def report(
    name: NameArgument,
    store: StoreOption = None,
    folder: Annotated[
        Path | None, typer.Option("--output", help="Folder to write to. Default: runs/EXPERIMENT.")
    ] = None,
    price: PriceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report: one self-contained HTML page, its figures as PNG and SVG, and its numbers as JSON.

    With --json the numbers are printed too: the answer and the values of each section by its name.
    """
    gc.disable()  # the process ends with the page, and a tenth of its time would go to looking for garbage
    from tuner.reports.findings import findings
    from tuner.service import cores, locations
    from tuner.stores import curves_in

    with locations.records_in(store) as opened:
        found = findings(opened.record(name), curves=curves_in(opened, name), price=price, aside=cores.aside)
        from tuner.reports.page import NUMBERS, prepare_folder, write_findings  # beside what is computed aside

        prepare_folder(folder := folder or locations.report_folder(name))
        page = write_findings(found, folder, store=opened.url, aside=cores.aside)
    print(page.with_name(NUMBERS).read_text(encoding="utf-8") if as_json else printable(str(page)))


@commands.command(epilog=example("tuner export digits --format csv > digits.csv"))
def export(
    name: NameArgument,
    format: Annotated[
        Format, typer.Option(help="CSV: a row for each measurement. JSON: an object for each trial.")
    ] = Format.CSV,
    store: StoreOption = None,
) -> None:
    """Print all trials and their whole training curves, as CSV or JSON."""
    from tuner.reports import export as exporting
    from tuner.service import locations

    with locations.records_in(store) as opened:
        write = exporting.write_csv if format is Format.CSV else exporting.write_json
        write(opened, name, sys.stdout)


@commands.command(epilog=example("tuner replay digits --batch-size 64 --trial 0"))
def replay(
    name: NameArgument,
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, help="The batch size of the trial.")],
    trial: Annotated[int, typer.Option(min=0, max=MOST, help="The trial's number in its round.")],
    round: Annotated[int, typer.Option(min=1, max=MOST, help="The round of the search, if the space was widened.")] = 1,
    store: StoreOption = None,
) -> None:
    """Train one trial again, as recorded. Exit code 4: it came out different."""
    from tuner.search.replay import replay as train_again
    from tuner.service import locations

    with locations.records_in(store) as opened:
        outcome = train_again(opened.record(name), batch_size=batch_size, number=trial, round=round)
    print(printable(outcome.sentence))
    raise typer.Exit(0 if outcome.same else 4)


@commands.command(epilog=example("tuner time digits --price 2.5"))
def time(
    name: NameArgument,
    device: DeviceOption = "auto",
    price: PriceOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how long a training step takes at each batch size on a device, and print what to train with.

    Of each batch size its winner is trained for a second or two, by itself and without measuring.
    """
    from tuner.analysis.practice.summary import practice
    from tuner.analysis.scaling.curve import scaling_curve
    from tuner.cli import printing
    from tuner.cli.questions import practice as tables
    from tuner.search.timing import timings
    from tuner.service import cores, locations

    with locations.existing_store(store) as opened:
        record = opened.record(name)
        objective = record.experiment.build_objective()
        cores.check_device(device)
        for each in timings(record, objective, device=device):
            opened.add_timing(name, each)
            print(printable(tables.measured(each)), file=sys.stderr)
        record = opened.record(name)
    found = practice(record, scaling_curve(record), price=price)
    shown = tables.practice_tables(record, found)
    printing.show_either(shown, tables.practice_json(record, found), as_json=as_json)


@commands.command(epilog=example("tuner predict nqm-sgd"))
def predict(file: FileArgument, as_json: JsonOption = False) -> None:
    """Compute the optimum at each batch size without training, for the noisy quadratic model.

    Exit code 3: an optimum is at an edge of the box.
    """
    from tuner import experiment
    from tuner.analysis.scaling.predicted_edges import predictions
    from tuner.cli import printing
    from tuner.cli.predictions import predictions_table
    from tuner.service import cores

    settings = experiment.load(file)
    with cores.all_cores() as pool:
        found = predictions(settings, apply=pool.map)
    printing.show_either(predictions_table(found), found.to_json(), as_json=as_json)
    raise typer.Exit(3 if found.at_box_edge else 0)


@commands.command(epilog=example("tuner fit digits"))
def fit(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Fit the noisy quadratic model to the measured steps, and draw both in the report."""
    from tuner.analysis.scaling.curve import NotFitted
    from tuner.analysis.scaling.explanation import explain
    from tuner.cli import predictions, printing
    from tuner.reports.page import write_report
    from tuner.service import cores, locations
    from tuner.stores import curves_in

    with locations.records_in(store) as opened, cores.all_cores() as pool:
        record = opened.record(name)
        found = explain(record, apply=pool.map)
        if isinstance(found, NotFitted):
            raise TunerError(f"{name}: {found.sentence}")
        page = write_report(
            record,
            locations.report_folder(name),
            curves=curves_in(opened, name),
            store=opened.url,
            explanation=found,
        )
    printing.show_either(
        predictions.explanation_table(name, found, page),
        {"experiment": name, **found.to_json(), "report": str(page)},
        as_json=as_json,
    )
