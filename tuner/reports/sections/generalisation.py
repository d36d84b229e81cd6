"""Do small and large batches generalise differently once each is tuned?"""

from tuner.analysis.generalisation import Generalisation, generalisation
from tuner.analysis.optimum.intervals import LEAST_SEEDS, PERCENT
from tuner.reports.figures import Drawing
from tuner.reports.figures.generalisation import draw_generalisation
from tuner.reports.findings import Findings
from tuner.reports.rows import NOTHING, Table
from tuner.reports.sections.contract import Section

PUBLISHED = (
    "Hoffer et al. 2017 and Keskar et al. 2017 found that large batches generalise worse: an accuracy of 97.05 % at "
    "batch size 4,096 against 98.27 % at 128, and of 97.81 % at a tenth of the training set against 98.03 % at 256, "
    "both on MNIST. There large batches had the learning rate of small ones, or one that was not tuned for them. "
    "Hoffer et al. closed the gap by other learning rates, ghost batches and longer training."
)
TUNED = " Here each batch size is at its own optimum, so what is found here does not contradict them."
UNTUNED = " Here nothing is searched either, so a gap may be one of hyperparameters."


def generalises(found: Findings) -> Section | None:
    """Test metrics of the winners against batch size."""
    told = generalisation(found.record)
    if told is None:
        return None
    at_target = found.experiment.goal.unit.counts_steps
    where = "when the validation target was reached" if at_target else "at the end of the budget"
    names = " and ".join(each.title for each in told.quantities)
    return Section(
        name="generalisation",
        question="Do large batches generalise worse once each is tuned?"
        if told.is_tuned
        else "Do large batches generalise worse?",
        answer=told.verdict,
        drawings=(
            Drawing(
                name="generalisation",
                figure=draw_generalisation(told),
                alternative=f"{names} of the winners against batch size",
                caption=f"{names} {where}, for the winner of each batch size: medians over the reporting seeds with "
                f"their intervals (of {LEAST_SEEDS} seeds or more), and the line through the medians.",
            ),
        ),
        tables=(_table(told),),
        notes=tuple(_notes(told, at_target=at_target)),
        values={"measured": where, **told.to_json()},
    )


def _table(told: Generalisation) -> Table:
    """Medians with intervals over seeds."""
    cells = {
        (each.name, point.batch_size): (
            f"{point.middle:.4g}",
            NOTHING if point.interval is None else f"{point.interval.low:.4g} to {point.interval.high:.4g}",
        )
        for each in told.quantities
        for point in each.points
    }
    sizes = sorted({size for _, size in cells})
    heads = ("batch size", *(head for each in told.quantities for head in (each.title, "over seeds")))
    rows = (
        (
            f"{size:,}",
            *(cell for each in told.quantities for cell in cells.get((each.name, size), (NOTHING, NOTHING))),
        )
        for size in sizes
    )
    return Table(heads, tuple(rows))


def _notes(told: Generalisation, *, at_target: bool) -> list[str]:
    """How the verdict came about, what it does not say, and how it differs from what is published."""
    notes = [
        f"The interval is a {PERCENT} one for the change along a line over the logarithm of the batch size: the "
        "wider one of what drawing seeds again gives, and of what the distance of medians from the line gives."
    ]
    if told.gap is not None:
        notes.append(
            f"{_capital(told.gap.title)} ({told.gap.name}) is what a model has learned of its training examples only. "
            "train/loss is measured while it trains, so it lags behind where the loss falls quickly."
        )
    if told.lacks_test:
        notes.append(
            "The same was not measured of test examples, so validation examples stand for them. These decided which "
            f"point wins{', and where trials end' * at_target}, so the difference is a little too small."
        )
    if at_target:
        notes.append(
            "Trials end where their validation metric passes the target, so it is about the same at all batch sizes. "
            "What is compared is the test metric at that moment, not the best that each batch size could come to. "
            "Nor is it compared at a fixed number of steps or examples: reporting trials measure test metrics at a few "
            "steps only (measuring.test_steps), and end at the target. A goal of the best value within a budget asks "
            "that."
        )
    if told.missed:
        sizes = ", ".join(f"{each:,}" for each in told.missed)
        notes.append(f"At batch size {sizes} some reporting seeds have no score, and are left out.")
    return [*notes, PUBLISHED + (TUNED if told.is_tuned else UNTUNED)]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
