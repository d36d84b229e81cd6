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

from tuner.errors import ReportError
from tuner.records import ExperimentRecord
from tuner.reports.content import Content, content
from tuner.reports.drawings import OPTIMA_CAPTIONS, drawings
from tuner.reports.figures import Drawing
from tuner.reports.findings import Findings, findings
from tuner.reports.style import house_style

if TYPE_CHECKING:
    from tuner.analysis.scaling.explanation import Explanation

DOTS_PER_INCH = 200
COMPRESSION = 3
"""Of PNGs: a seventh larger than by default, and compressed in two thirds of the time."""


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
    return write_findings(findings(record, explanation=explanation), folder, store=store)


def write_findings(found: Findings, folder: Path, *, store: str = "") -> Path:
    """As `write_report`, from what analysis has made of the experiment already; the folder must be there.

    Raises:
        ReportError: The folder cannot be written to.
    """
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
        loader=PackageLoader("tuner.reports", "."),
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
