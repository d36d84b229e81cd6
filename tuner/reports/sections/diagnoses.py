"""What the tuned optimum of each batch size looks like: sharpness, curvature, gradient noise and distance."""

import math
from collections.abc import Sequence

from tuner.analysis.diagnoses.answers import Diagnoses, diagnoses
from tuner.analysis.diagnoses.studies import Spread, StudyDiagnosis
from tuner.objective.diagnostics import Diagnostic, eigenvalue
from tuner.reports.figures.diagnoses import draw_at_end, draw_distances, draw_noise
from tuner.reports.figures.drawing import Drawing
from tuner.reports.findings import Findings
from tuner.reports.rows import NOTHING, Table
from tuner.reports.sections.contract import Item, Section

COLUMNS = (
    (Diagnostic.LOSS, "final loss"),
    (Diagnostic.SHARPNESS, "sharpness"),
    (Diagnostic.SUBSPACE_SHARPNESS, "in a subspace"),
    (eigenvalue(1), "largest eigenvalue"),
    (Diagnostic.TRACE, "trace"),
    (Diagnostic.NOISE_SCALE, "noise scale"),
    (Diagnostic.DISTANCE, "distance"),
)
"""What tables show of each batch size."""


def diagnoses_section(found: Findings) -> Section | None:
    """The section; None before `tuner diagnose` has run."""
    seen = diagnoses(found.record, found.curves)
    if seen is None or not any(each.at_end for each in seen.studies):
        return None
    return Section(
        name="diagnoses",
        question="What does the tuned optimum look like?",
        answer=seen.answer,
        drawings=tuple(_drawings(seen)),
        tables=(diagnoses_table(seen.studies),),
        items=tuple(map(Item, seen.details)),
        notes=tuple(_notes(seen)),
        values=seen.to_json(),
    )


def diagnoses_table(studies: Sequence[StudyDiagnosis]) -> Table:
    """A row for each batch size: medians over seeds, with their ranges."""
    heads = ("batch size", "seeds", *(name for _, name in COLUMNS))
    rows = (
        (
            f"{each.batch_size:,}",
            seeds(each),
            *(spread(each.at_end.get(key.removeprefix("diagnosis/"))) for key, _ in COLUMNS),
        )
        for each in studies
    )
    return Table(heads, tuple(rows))


def seeds(study: StudyDiagnosis) -> str:
    """How many trials came to the end, of how many."""
    return f"{study.seeds}" if not study.missed else f"{study.seeds} of {study.seeds + study.missed}"


def spread(found: Spread | None) -> str:
    """A median with its range: `1.2 (0.9 to 1.5)`."""
    if found is None:
        return NOTHING
    return f"{number(found.median)} ({number(found.low)} to {number(found.high)})"


def number(value: float) -> str:
    """A quantity in three digits, for a person."""
    if math.isinf(value):
        return "no end"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _drawings(seen: Diagnoses) -> list[Drawing]:
    made = [
        Drawing(
            "diagnoses",
            draw_at_end(seen),
            "sharpness, the largest eigenvalue and the trace of the Hessian at the end, against batch size",
            "Where the tuned trials ended, medians over seeds with their ranges: sharpness (Keskar et al.), the "
            "largest eigenvalue and the trace of the Hessian of the training loss.",
        ),
        Drawing(
            "noise_scale",
            draw_noise(seen),
            "the gradient noise scale at the end, against batch size, beside the critical batch size",
            "The gradient noise scale where the tuned trials ended, with ranges over seeds, beside the critical batch "
            "size that the steps to the target tell.",
        ),
    ]
    if any(each.paths for each in seen.studies):
        made.append(
            Drawing(
                "distances",
                draw_distances(seen),
                "the distance from the start against the steps, on a logarithmic axis, for each batch size",
                "How far the parameters have moved from their start, of one trial at each batch size. Growth with "
                "log t is a straight line.",
            )
        )
    return made


def _notes(seen: Diagnoses) -> list[str]:
    """How it was computed, and what it does not say."""
    missed = [f"{each.batch_size:,}" for each in seen.studies if each.missed]
    return [
        "Each confirmed optimum was trained again on a few fresh seeds. Everything is computed of the network in "
        "evaluation mode, without dropout and with running averages, and of training examples without augmentation: "
        "loss, sharpness and Hessian of 1,024 that are the same for all (or of all, if there are fewer), the noise of "
        "minibatches that are drawn from all training examples.",
        "Sharpness is that of Keskar et al. (2017): by how many percent of 1 + f the loss f rises in a box of 0.001 "
        "(|x| + 1) around the parameters x, found by ten iterations of L-BFGS-B, in all directions or in a random "
        "subspace of 100, whose columns are standard normal. So the two are no measure of each other.",
        "The noise scale is tr S / |G|² (McCandlish et al. 2018), each averaged over draws of minibatches of two "
        "sizes.",
        "An interval for each doubling comes from how far the batch sizes lie off a power law. It holds what seeds, "
        "searches and a bend of the curve do, and knows nothing of other data, models or targets.",
        *([f"Trials that did not get there are left out, at batch size {', '.join(missed)}."] if missed else []),
    ]
