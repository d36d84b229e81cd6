"""What to use at each batch size, and how that moves with the batch size."""

from collections.abc import Sequence

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, MOMENTUM
from tuner.analysis.optimum.confirmation import TEST_ERROR
from tuner.analysis.optimum.intervals import PERCENT
from tuner.analysis.summary import StudyResults
from tuner.analysis.words import percent
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.reports.figures import Drawing, draw_optima
from tuner.reports.findings import Findings
from tuner.reports.overview.space import NOT_SEARCHED
from tuner.reports.rows import optima_table
from tuner.reports.sections.contract import Section

CAPTIONS = {
    LEARNING_RATE: "Learning rate at the optimum. The rules start from the smallest batch size.",
    MOMENTUM: "Momentum at the optimum, as 1 - m: lower is more momentum.",
    EFFECTIVE_LEARNING_RATE: "Effective learning rate, lr / (1 - m), at the optimum: better determined than lr or m.",
}


def optima(found: Findings) -> Section | None:
    """The confirmed optima."""
    studies, unit = found.results.studies, found.experiment.goal.unit
    if not studies:
        return None
    what = "The confirmed optimum" if found.experiment.space.is_searched else "The one point"
    return Section(
        name="optima",
        question="What to use at each batch size?",
        answer=f"{what}: {unit.median}, and its hyperparameters.",
        tables=(optima_table(found.results),),
        notes=tuple(filter(None, (_interval(found), _test_error(studies, unit), how_chosen(found.experiment)))),
        values={"studies": [_optimum(each, unit) for each in studies]},
    )


def _optimum(study: StudyResults, unit: ScoreUnit) -> dict[str, object]:
    """An optimum; null where none is confirmed."""
    return {
        "batch_size": study.batch_size,
        "confirmed": None if study.confirmed is None else study.confirmed.to_json(unit),
    }


def _test_error(studies: Sequence[StudyResults], unit: ScoreUnit) -> str:
    """What the test error is; nothing where it was not measured."""
    is_measured = any(each.confirmed is not None and TEST_ERROR in each.confirmed.metrics for each in studies)
    return unit.test_error if is_measured else ""


def _interval(found: Findings) -> str:
    """Which interval the optima come with, or why they have none; nothing before one is confirmed."""
    confirmed = next((each.confirmed for each in found.results.studies if each.confirmed is not None), None)
    if confirmed is None:
        return ""
    why = found.curve.why_no_interval
    over_seeds = (
        f"Over seeds: {why}."
        if why
        else '"Over seeds" is an interval for the median over all training seeds at this very point, which it covers '
        f"with {percent(confirmed.interval.coverage)} probability."
    )
    if not found.experiment.space.is_searched:
        return over_seeds
    return (
        f'{over_seeds} "Repeated" is a {PERCENT} interval for what repeated '
        "experiments would come to on average, since another search finds another point; it is estimated from how far "
        'batch sizes lie off the line between their neighbours. "Found at" is the batch size whose search found the '
        "point."
    )


def how_chosen(experiment: Experiment) -> str:
    """How many points a study has, and how its winner is chosen and reported."""
    settings = experiment.confirmation
    if not experiment.space.is_searched:
        many = f"{settings.report_seeds} fresh seed{'s' * (settings.report_seeds > 1)}"
        return f"{NOT_SEARCHED}: each study has one point, which is reported on {many}."
    borrowed = " and the leading points of the neighbouring batch sizes" if settings.neighbours else ""
    best = "best point" if settings.candidates == 1 else f"best {settings.candidates} points"
    seeds = "one fresh seed" if settings.choose_seeds == 1 else f"1 to {settings.choose_seeds} fresh seeds"
    return (
        f"Each search has {experiment.search.points} points. Its {best}{borrowed} run again on {seeds} each to choose "
        f"the winner. {_others(settings.report_seeds)} the winner."
    )


def _others(seeds: int) -> str:
    """The seeds that report."""
    return "One other fresh seed reports" if seeds == 1 else f"{seeds} other fresh seeds report"


def movement(found: Findings) -> Section | None:
    """Hyperparameters at the optimum, beside the rules of thumb."""
    if not found.optima:
        return None
    names = [each.name for each in found.optima]
    best = EFFECTIVE_LEARNING_RATE if EFFECTIVE_LEARNING_RATE in names else names[0]
    shown = next(each for each in found.optima if each.name == best)
    first, last = shown.values[0], shown.values[-1]
    smallest, largest = (f"{each:,}" for each in (shown.batch_sizes[0], shown.batch_sizes[-1]))
    return Section(
        name="movement",
        question="How does the optimum move with the batch size?",
        answer=f"The {best.replace('_', ' ')} at the optimum is {first:.3g} at batch size {smallest} and {last:.3g} at "
        f"{largest}. Optima are flat, so a single value may be off by as much as its tolerance below.",
        drawings=tuple(
            Drawing(
                name=each.name,
                figure=draw_optima(each),
                alternative=f"{each.name.replace('_', ' ')} at the optimum against batch size",
                caption=CAPTIONS[each.name],
            )
            for each in found.optima
        ),
        values={
            each.name: {"batch_sizes": list(each.batch_sizes), "values": list(each.values)} for each in found.optima
        },
    )
