"""The report's tables, as formatted text: what to use at each batch size, and how each search went."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, value_of
from tuner.analysis.optimum.confirmation import TEST_ERROR
from tuner.analysis.optimum.intervals import LEAST_SEEDS
from tuner.analysis.sensitivity.summary import Sensitivity
from tuner.analysis.summary import Results, StudyResults
from tuner.analysis.words import percent
from tuner.experiment.goals import ScoreUnit, span
from tuner.trial import Value

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads and rows of text; the first column heads its row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def optima_table(found: Results) -> Table:
    """The confirmed optimum of each batch size: what to use."""
    names = list(found.experiment.space.parameters)
    has_effective = any(_effective(each) is not None for each in found.studies)
    heads = (
        "batch size",
        found.experiment.goal.unit.column,
        "over seeds",
        "repeated",
        *(_in_words(name) for name in names),
    )
    if has_effective:
        heads += ("effective learning rate",)
    rows = [_optimum_row(each, names, has_effective=has_effective) for each in found.studies]
    return Table((*heads, "found at", "test error"), tuple(rows))


def _optimum_row(study: StudyResults, names: Sequence[str], *, has_effective: bool) -> tuple[str, ...]:
    size = f"{study.batch_size:,}"
    confirmed = study.confirmed
    if confirmed is None:
        why = study.unit.failed if study.complete else "not confirmed yet"
        return (size, why, *[NOTHING] * (2 + len(names) + has_effective + 2))
    error, repeated = confirmed.metrics.get(TEST_ERROR), study.repeated
    return (
        size,
        _score(study.unit, confirmed.score),
        span(study.unit, (confirmed.interval.low, confirmed.interval.high), text=partial(_score, study.unit))
        if confirmed.reached and confirmed.seeds >= LEAST_SEEDS
        else NOTHING,
        NOTHING
        if repeated is None
        else span(study.unit, (repeated.low, repeated.high), text=partial(_score, study.unit, exact=False)),
        *(in_digits(confirmed.hyperparameters[name]) for name in names),
        *([in_digits(_effective(study))] if has_effective else []),
        f"{study.batch_size if confirmed.origin is None else confirmed.origin.batch_size:,}",
        NOTHING if error is None else percent(error, 2),
    )


def search_table(studies: Sequence[StudyResults], unit: ScoreUnit) -> Table:
    """How each search went."""
    heads = (
        *("batch size", "round", "reached" if unit.counts_steps else "finished", "cut", "diverged", "errors"),
        *("interrupted", "running", f"best search {unit.column}", "confirmed / search", "steps spent"),
        *("examples spent", "at an edge"),
    )
    rows = tuple(
        (
            f"{each.batch_size:,}",
            str(each.rounds),
            *map(str, each.trials.to_json(unit).values()),
            NOTHING if each.best_score is None else unit.text(each.best_score),
            _bias(each),
            f"{each.steps_spent:,}",
            f"{each.examples_spent:,}",
            ", ".join(_in_words(edge.parameter) for edge in each.edges if edge.verdict is Verdict.BOX_EDGE) or NOTHING,
        )
        for each in studies
    )
    return Table(heads, rows)


def sensitivity_table(found: Sensitivity) -> Table:
    """The share of each search space that trains, and the importance of each hyperparameter."""
    names = list(dict.fromkeys(name for study in found.studies for name in study.importances))
    heads = ("batch size", "points", "cut", found.experiment.goal.unit.plan, "within 2x of the best", "diverge")
    rows = tuple(
        (
            f"{each.batch_size:,}",
            str(each.shares.points),
            str(each.shares.cut),
            each.shares.reaching.phrase,
            NOTHING if each.shares.near is None else each.shares.near.phrase,
            each.shares.diverging.phrase,
            *(percent(each.importances[name]) if name in each.importances else NOTHING for name in names),
        )
        for each in found.studies
    )
    return Table((*heads, *(f"importance of {_in_words(name)}" for name in names)), rows)


def _bias(study: StudyResults) -> str:
    """How many times higher the score of the winner was when confirmed."""
    bias = None if study.confirmed is None else study.confirmed.selection_bias
    return NOTHING if bias is None or math.isinf(bias) else f"{bias:.2f}"


def _effective(study: StudyResults) -> float | None:
    return value_of(EFFECTIVE_LEARNING_RATE, study.confirmed.hyperparameters) if study.confirmed else None


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def _score(unit: ScoreUnit, score: float, *, exact: bool = True) -> str:
    return unit.failed if math.isinf(score) else unit.text(score, exact=exact)


def in_digits(value: Value | None) -> str:
    """A hyperparameter to four digits: momenta near 1 need them."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return NOTHING if value is None else str(value)
