"""The page that compares experiments, with its figures beside it."""

from dataclasses import replace
from pathlib import Path

from tuner.analysis.comparison import Comparison
from tuner.analysis.scaling.curve import ScalingFit
from tuner.reports.comparison.sections import careful, comparison_sections, reproduction
from tuner.reports.comparison.wording import cautions, difference, headline, question
from tuner.reports.content import Fact
from tuner.reports.page import picture, prepare_folder, replace_file, report_errors, template, write_pictures
from tuner.trial import hash_seed

LONGEST_NAME = 150
"""Of a page, without its suffix: file systems allow 255 bytes."""


def page_name(found: Comparison) -> str:
    """What the page and its figures are called: `compare-digits-adam`."""
    name = "-".join(("compare", *found.names))
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}-{hash_seed(name):x}"


def write_comparison(found: Comparison, folder: Path, *, command: str, store: str = "") -> Path:
    """Write the page and its figures, whose names begin as that of the page; the page's path.

    Args:
        found: The comparison.
        folder: Where to; made if missing. Files of an earlier comparison are replaced, each at once.
        command: What writes the page again.
        store: Where the experiments are stored, without password.

    Raises:
        ReportError: The folder cannot be written to.
    """
    prepare_folder(folder)
    name = page_name(found)
    asked = (*comparison_sections(found), careful(found), reproduction(command, store=store))
    drawn = [each for section in asked for each in section.drawings]
    pictures = {each.name: picture(replace(each, name=f"{name}-{each.name}")) for each in drawn}
    text = template("comparison/comparison.html").render(
        title=" and ".join(found.names) if len(found.names) == 2 else ", ".join(found.names),
        question=question(found),
        answer=headline(found),
        difference=difference(found),
        facts=_facts(found),
        sections=asked,
        pictures=pictures,
        cautions=list(cautions(found)),
    )
    page = folder / f"{name}.html"
    with report_errors(folder):
        write_pictures(folder, pictures.values())
        replace_file(page, text.encode())
    return page


def _facts(found: Comparison) -> list[Fact]:
    """A number of each experiment: its critical batch size, or its best value."""
    facts = []
    for each in found.experiments:
        if isinstance(each.fit, ScalingFit) and not each.fit.is_extrapolated:
            facts.append(Fact(f"{each.fit.critical_batch_size:,.0f}", f"critical batch size of {each.name}"))
        elif not found.unit.counts_steps and (points := each.curve.reached()):
            least = min(points, key=lambda point: point.score)
            facts.append(Fact(found.unit.text(least.score), f"{each.name}, at batch size {least.batch_size:,}"))
    return facts
