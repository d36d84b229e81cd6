"""The report's tables, as formatted text: what to use at each batch size, and how each search went."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, value_of
from tuner.analysis.optimum.confirmation import TEST_ERROR
from tuner.analysis.sensitivity.summary import Sensitivity
from tuner.analysis.summary import Results, StudyResults
from tuner.trial import Value

NOTHING = "-"
UNREACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads and rows of text; the first column heads its row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def optima_table(found: Results) -> Table:
    """The confirmed optimum of each batch size: what to use."""
    names = list(found.experiment.space.parameters)
    has_effective = any(_effective(each) is not None for each in found.studies)
    heads = ("batch size", "steps", "over seeds", "repeated", *(_in_words(name) for name in names))
    if has_effective:
        heads += ("effective learning rate",)
    rows = [_optimum_row(each, names, has_effective=has_effective) for each in found.studies]
    return Table((*heads, "found at", "test error"), tuple(rows))


def _optimum_row(study: StudyResults, names: Sequence[str], *, has_effective: bool) -> tuple[str, ...]:
    size = f"{study.batch_size:,}"
    confirmed = study.confirmed
    if confirmed is None:
        why = UNREACHED if study.complete else "not confirmed yet"
        return (size, why, *[NOTHING] * (2 + len(names) + has_effective + 2))
    error, repeated = confirmed.metrics.get(TEST_ERROR), study.repeated
    return (
        size,
        _steps(confirmed.steps),
        f"{_steps(confirmed.interval.low)} to {_steps(confirmed.interval.high)}" if confirmed.reached else NOTHING,
        NOTHING if repeated is None else f"{_steps(round(repeated.low))} to {_steps(round(repeated.high))}",
        *(in_digits(confirmed.hyperparameters[name]) for name in names),
        *([in_digits(_effective(study))] if has_effective else []),
        f"{study.batch_size if confirmed.origin is None else confirmed.origin.batch_size:,}",
        NOTHING if error is None else f"{error:.2%}",
    )


def search_table(studies: Sequence[StudyResults]) -> Table:
    """How each search went."""
    heads = (
        *("batch size", "round", "reached", "cut", "diverged", "errors", "interrupted", "running"),
        *("best search steps", "confirmed / search", "steps spent", "examples spent", "at an edge"),
    )
    rows = tuple(
        (
            f"{each.batch_size:,}",
            str(each.rounds),
            *map(str, each.trials.to_json().values()),
            NOTHING if each.best_steps is None else f"{each.best_steps:,}",
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
    heads = ("batch size", "points", "cut", "reach the target", "within 2x of the best", "diverge")
    rows = tuple(
        (
            f"{each.batch_size:,}",
            str(each.shares.points),
            str(each.shares.cut),
            each.shares.reaching.phrase,
            NOTHING if each.shares.near is None else each.shares.near.phrase,
            each.shares.diverging.phrase,
            *(f"{each.importances[name]:.0%}" if name in each.importances else NOTHING for name in names),
        )
        for each in found.studies
    )
    return Table((*heads, *(f"importance of {_in_words(name)}" for name in names)), rows)


def _bias(study: StudyResults) -> str:
    """How many times more steps the winner took when confirmed."""
    bias = None if study.confirmed is None else study.confirmed.selection_bias
    return NOTHING if bias is None or math.isinf(bias) else f"{bias:.2f}"


def _effective(study: StudyResults) -> float | None:
    return value_of(EFFECTIVE_LEARNING_RATE, study.confirmed.hyperparameters) if study.confirmed else None


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def _steps(steps: float) -> str:
    if math.isinf(steps):
        return UNREACHED
    return f"{steps:,.0f}" if steps == round(steps) else f"{steps:,.1f}"


def in_digits(value: Value | None) -> str:
    """A hyperparameter to four digits: momenta near 1 need them."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return NOTHING if value is None else str(value)
