"""The report: figures beside one self-contained page that holds them too."""

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from tuner.analysis.summary import Json
from tuner.errors import ReportError
from tuner.records import CurvesOf, ExperimentRecord, no_curves
from tuner.reports.assembly import parts
from tuner.reports.content import Content, content
from tuner.reports.figures import Drawing
from tuner.reports.findings import Aside, Findings, findings, later
from tuner.reports.inline import SAID, inline, marked, with_titles
from tuner.reports.overview.reproduction import reproduction
from tuner.reports.sections.contract import Section
from tuner.reports.style import StyledFigure, house_style

if TYPE_CHECKING:
    from tuner.analysis.scaling.explanation import Explanation

NUMBERS = "report.json"
"""What programs read, beside the page."""
DOTS_PER_INCH = 200
FONT = "'DejaVu Sans'"
SHARES = 2
"""Into which drawing is divided."""
COMPRESSION = 3
"""Of PNGs: a seventh larger than by default, and compressed in two thirds of the time."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as it is written: one text for the page, one for each file.

    Attributes:
        width: In inches.
    """

    name: str
    alternative: str
    caption: str
    svg: bytes
    png: bytes
    width: float

    @property
    def markup(self) -> str:
        """The figure itself, as a part of a page."""
        return inline(self.svg.decode(), name=self.name, alternative=self.alternative)


def write_report(
    record: ExperimentRecord,
    folder: Path,
    *,
    curves: CurvesOf = no_curves,
    store: str = "",
    explanation: "Explanation | None" = None,
) -> Path:
    """Write `report.html` and its figures; the page's path.

    Args:
        record: The experiment, complete or not.
        folder: Where to; made if missing. Files of an earlier report are replaced, each at once.
        curves: Reads its curves; without them, what follows from them is left out.
        store: Where the experiment is stored, without password.
        explanation: The noisy quadratic model to draw over what was measured.

    Raises:
        ReportError: The folder cannot be written to.
    """
    prepare_folder(folder)
    return write_findings(findings(record, curves=curves, explanation=explanation), folder, store=store)


def write_findings(found: Findings, folder: Path, *, store: str = "", aside: Aside = later) -> Path:
    """As `write_report`, from what analysis has made of the experiment already; the folder must be there.

    A third of the time goes into drawing, which `aside` may help with.

    Raises:
        ReportError: The folder cannot be written to.
    """
    asked: list[Section] = []
    drawn: list[Callable[[], list[Picture]]] = []
    for part in parts(found):
        made = list(part)
        asked += made
        drawn += _begin_drawing([each for section in made for each in section.drawings], aside)
    asked.append(reproduction(found, store=store))
    pictures = [each for share in drawn for each in share()]
    head, page = content(found), folder / "report.html"
    with report_errors(folder):
        write_pictures(folder, pictures)
        replace_file(folder / NUMBERS, json.dumps(report_json(head, asked), indent=1, allow_nan=False).encode())
        replace_file(page, _render(head, pictures, asked).encode())
    return page


def report_json(head: Content, asked: Sequence[Section]) -> Json:
    """What the page says, for programs: the answers of all sections, and their values by the section's name."""
    sections_json = {
        each.name: {"question": each.question, "answer": each.answer, "values": _finite(each.values)} for each in asked
    }
    return {
        "experiment": head.title,
        "question": head.question,
        "answer": head.answer,
        "advice": head.advice or None,
        "sureness": head.sureness or None,
        "cautions": [each.sentence for each in head.cautions],
        "sections": sections_json,
    }


def _finite(value: object) -> object:
    """The same with null for every number that is not finite: JSON has no word for it."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def prepare_folder(folder: Path) -> None:
    """Make the folder of a report, so that hours of training do not end in front of a closed door.

    Raises:
        ReportError: It cannot be made or written to.
    """
    with report_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


@contextmanager
def report_errors(folder: Path) -> Iterator[None]:
    """What the file system objects to, as a `ReportError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReportError(f"the report cannot be written to {folder}: {reason}; choose another folder") from error


def _begin_drawing(drawings: Sequence[Drawing], aside: Aside) -> list[Callable[[], list[Picture]]]:
    """Have figures drawn side by side; what waits for each share."""
    return [aside(partial(_pictures, drawings[first::SHARES])) for first in range(SHARES)]


def _pictures(drawings: Iterable[Drawing]) -> list[Picture]:
    return [picture(each) for each in drawings]


def picture(drawing: Drawing) -> Picture:
    """A figure in both formats, the same bytes each time.

    Each is drawn once: `savefig` would draw both twice, to learn first what the layout is, which drawing settles too.
    """
    svg, png, figure = BytesIO(), BytesIO(), drawing.figure
    said = figure.said if isinstance(figure, StyledFigure) else {}
    for number, line in enumerate(said):
        line.set_url(f"{SAID}{number}")
    with house_style():
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})  # type: ignore[no-untyped-call]
        figure.set_layout_engine("none")  # the layout just found will do, and takes as long as drawing
        figure.set_dpi(DOTS_PER_INCH)
        FigureCanvasAgg(figure).print_png(png, pil_kwargs={"compress_level": COMPRESSION})  # type: ignore[no-untyped-call]
    text = with_titles(svg.getvalue().decode(), list(said.values())).replace(FONT, f"{FONT}, Verdana, sans-serif")
    return Picture(
        name=drawing.name,
        alternative=drawing.alternative,
        caption=drawing.caption,
        svg=text.encode(),
        png=png.getvalue(),
        width=figure.get_figwidth(),
    )


def _render(report: Content, pictures: Sequence[Picture], asked: Sequence[Section]) -> str:
    """The page."""
    return template("report.html").render(
        report=report,
        pictures={each.name: each for each in pictures},
        sections=asked,
    )


def template(name: str) -> Template:
    """A page to fill in, by its path in this room."""
    environment = Environment(
        loader=PackageLoader("tuner.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    return environment.get_template(name)


def write_pictures(folder: Path, pictures: Iterable[Picture]) -> None:
    """Write each picture in both formats."""
    for each in pictures:
        replace_file(folder / f"{each.name}.svg", each.svg)
        replace_file(folder / f"{each.name}.png", each.png)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of one."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(data)
    unfinished.replace(path)
