"""The report: figures beside one self-contained page that holds them too."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from tuner.analysis.optima import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, MOMENTUM
from tuner.errors import ReportError
from tuner.records import ExperimentRecord
from tuner.report.content import Content, content
from tuner.report.figures import Drawing, draw_costs, draw_optima, draw_scaling, draw_searches
from tuner.report.findings import Findings, findings
from tuner.report.landscape import draw_scatters, draw_tolerances
from tuner.report.style import house_style

if TYPE_CHECKING:
    from tuner.analysis.explanation import Explanation

DOTS_PER_INCH = 200
COMPRESSION = 3
"""Of PNGs: a seventh larger than by default, and compressed in two thirds of the time."""

OPTIMA_CAPTIONS = {
    LEARNING_RATE: "Learning rate at the optimum. The rules start from the smallest batch size.",
    MOMENTUM: "Momentum at the optimum, as 1 - m: lower is more momentum.",
    EFFECTIVE_LEARNING_RATE: "Effective learning rate, lr / (1 - m), at the optimum: better determined than either.",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as it is written: one text for the page, one for each file."""

    name: str
    alternative: str
    caption: str
    svg: bytes
    png: bytes

    @property
    def address(self) -> str:
        """The figure itself, as an address that a page can show."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode()


def write_report(
    record: ExperimentRecord, folder: Path, *, store: str = "", explanation: "Explanation | None" = None
) -> Path:
    """Write `report.html` and its figures; the page's path.

    Args:
        record: The experiment, complete or not.
        folder: Where to; made if missing. Files of an earlier report are replaced, each at once.
        store: Where the experiment is stored, without password.
        explanation: The noisy quadratic model to draw over what was measured.

    Raises:
        ReportError: The folder cannot be written to.
    """
    prepare_folder(folder)
    found = findings(record, explanation=explanation)
    pictures = [_picture(each) for each in drawings(found)]
    page = folder / "report.html"
    with _report_errors(folder):
        for each in pictures:
            _replace(folder / f"{each.name}.svg", each.svg)
            _replace(folder / f"{each.name}.png", each.png)
        _replace(page, _render(content(found, store=store), pictures).encode())
    return page


def prepare_folder(folder: Path) -> None:
    """Make the folder of a report, so that hours of training do not end in front of a closed door.

    Raises:
        ReportError: It cannot be made or written to.
    """
    with _report_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


@contextmanager
def _report_errors(folder: Path) -> Iterator[None]:
    """What the file system objects to, as a `ReportError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReportError(f"the report cannot be written to {folder}: {reason}; choose another folder") from error


def drawings(found: Findings) -> Iterator[Drawing]:
    """Every figure that an experiment has something for."""
    if found.curve.points or found.curve.unreached:
        yield Drawing(
            name="scaling",
            figure=draw_scaling(
                found.curve,
                found.fit,
                budgets={size: found.experiment.goal.at(size).within_steps for size in found.curve.unreached},
                model=found.explanation.curve if found.explanation else None,
            ),
            alternative="Steps to target against batch size, both logarithmic",
            caption="Steps to target against batch size: confirmed medians, each reporting seed and their spread.",
        )
    for each in found.optima:
        yield Drawing(
            name=each.name,
            figure=draw_optima(each),
            alternative=f"{each.name.replace('_', ' ')} at the optimum against batch size",
            caption=OPTIMA_CAPTIONS[each.name],
        )
    if any(each.profiles for each in found.sensitivity.studies):
        yield Drawing(
            name="tolerances",
            figure=draw_tolerances(found.sensitivity),
            alternative="Values of each hyperparameter that come close to the optimum, against batch size",
            caption="How far each hyperparameter may be off, the others tuned to it: from all trials and a Gaussian "
            "process through them. A bar that ends with the axis may go on beyond the search space.",
        )
    if found.scatters:
        yield Drawing(
            name="scatters",
            figure=draw_scatters(found.scatters),
            alternative="Search trials by learning rate and momentum, one panel a batch size",
            caption="Where training works: every search trial by learning rate and momentum. Along a dotted line the "
            "effective learning rate lr / (1 - m) is a power of ten: the learning rate at which it meets momentum 0.",
        )
    if found.searches:
        yield Drawing(
            name="searches",
            figure=draw_searches(found.searches),
            alternative="Steps of every search trial against its learning rate, one panel a batch size",
            caption="Every search trial: the steps it took to the target, was cut at, or diverged at.",
        )
    if any(each.steps_spent for each in found.results.studies):
        yield Drawing(
            name="costs",
            figure=draw_costs(found.results.studies),
            alternative="Gradient steps spent at each batch size",
            caption="Gradient steps spent at each batch size.",
        )


def _picture(drawing: Drawing) -> Picture:
    """A figure in both formats, the same bytes each time.

    Each is drawn once: `savefig` would draw both twice, to learn first what the layout is, which drawing settles too.
    """
    svg, png, figure = BytesIO(), BytesIO(), drawing.figure
    with house_style():
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})  # type: ignore[no-untyped-call]
        figure.set_layout_engine("none")  # the layout just found will do, and takes as long as drawing
        figure.set_dpi(DOTS_PER_INCH)
        FigureCanvasAgg(figure).print_png(png, pil_kwargs={"compress_level": COMPRESSION})  # type: ignore[no-untyped-call]
    return Picture(drawing.name, drawing.alternative, drawing.caption, svg.getvalue(), png.getvalue())


def _render(report: Content, pictures: list[Picture]) -> str:
    """The page."""
    environment = Environment(
        loader=PackageLoader("tuner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    return template.render(
        report=report,
        pictures={each.name: each for each in pictures},
        optima=[each for each in pictures if each.name in OPTIMA_CAPTIONS],
    )


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of one."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(data)
    unfinished.replace(path)
