"""What `tuner diagnose` prints."""

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.analysis.diagnoses.answers import Diagnoses
from tuner.cli.printing import legend, new_table
from tuner.reports.rows import NOTHING
from tuner.reports.sections.diagnoses import COLUMNS, number, seeds


def diagnoses_table(found: Diagnoses) -> RenderableType:
    """A row for each batch size, and what they say together."""
    rows = [
        (f"{each.batch_size}", seeds(each), *(_cell(each.median(name)) for name, _ in COLUMNS))
        for each in found.studies
    ]
    return Group(
        Text.assemble((found.experiment.name, "bold"), ": what the tuned optimum of each batch size looks like"),
        new_table(("batch size", "seeds", *(label for _, label in COLUMNS)), rows),
        legend(
            "medians over fresh seeds where the trials ended, all of the training loss;",
            "the report and --json have their ranges",
            "sharpness: how far the loss rises nearby (Keskar et al.), in all directions",
            "           and in a random subspace",
            "largest eigenvalue and trace: of the Hessian",
            "noise scale: the batch size at which the gradient is as large as its noise",
            "distance: of the parameters from where they started",
        ),
        *map(Text, (found.answer, *found.details)),
    )


def _cell(value: float | None) -> str:
    return NOTHING if value is None else number(value)
