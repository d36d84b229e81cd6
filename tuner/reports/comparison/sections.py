"""The questions that a comparison answers, one section each."""

from collections.abc import Iterator, Mapping, Sequence

from tuner.analysis.comparison import Compared, Comparison, Contrast, Quantity
from tuner.analysis.scaling.curve import ScalingFit
from tuner.analysis.words import percent
from tuner.experiment.growth import ABSENT
from tuner.reports.comparison.figures import drawings
from tuner.reports.comparison.wording import (
    MEANINGS,
    NAMES,
    VERDICTS,
    budgets,
    cautions,
    curves,
    in_short,
    of_fit,
    of_scores,
    span_of,
)
from tuner.reports.figures import Drawing
from tuner.reports.findings import versions
from tuner.reports.rows import NOTHING, Table
from tuner.reports.sections.contract import Item, Listing, Section

UNSAID = ("neither", "linear")
"""Values of a range that a file may leave out."""


def comparison_sections(found: Comparison, *, draw: bool = True) -> tuple[Section, ...]:
    """The sections of the page; without figures for a terminal."""
    drawn = {each.name: each for each in drawings(found)} if draw else {}
    unit = found.unit
    fast = Section(
        name="curves",
        question="How fast does each train?" if unit.counts_steps else "How good does each get?",
        answer=curves(found),
        drawings=tuple(drawn[name] for name in ("scaling", "normalised", "best") if name in drawn),
        tables=(fits_table(found),) if unit.counts_steps else (),
        notes=tuple(filter(None, (budgets(found),))),
    )
    return (
        fast,
        *_fits(found),
        _scores(found, tuple(drawn[name] for name in ("ratios",) if name in drawn)),
        _settings(found),
    )


def _fits(found: Comparison) -> Iterator[Section]:
    """Whether critical batch sizes and least steps differ."""
    ours = [each for each in found.contrasts if each.quantity is not Quantity.SCORE]
    if ours:
        yield Section(
            name="fits",
            question="Do the critical batch sizes and the least steps differ?",
            answer=" ".join(of_fit(each) for each in ours),
            tables=(ratios_table(ours),),
        )


def _scores(found: Comparison, drawn: Sequence[Drawing]) -> Section:
    """Whether scores differ at shared batch sizes."""
    by_name: dict[str, list[Contrast]] = {each.name: [] for each in found.experiments[1:]}
    for each in found.contrasts:
        if each.quantity is Quantity.SCORE:
            by_name[each.of].append(each)
    return Section(
        name="batch-sizes",
        question=f"At which batch sizes {'do the steps' if found.unit.counts_steps else 'does the best value'} differ?",
        answer=" ".join(of_scores(found, by_name[each.name], each) for each in found.experiments[1:]),
        drawings=tuple(drawn),
        tables=tuple(scores_table(found, each, by_name[each.name]) for each in found.experiments[1:]),
        notes=(MEANINGS,),
    )


def _settings(found: Comparison) -> Section:
    """What differs in the files."""
    if not found.settings:
        answer = "Nothing but the names."
    else:
        answer = "Every setting that is not the same in all files, by its key."
    return Section(
        name="settings",
        question="What differs between the experiments?",
        answer=answer,
        tables=(settings_table(found),) if found.settings else (),
    )


def careful(found: Comparison) -> Section:
    """What to be careful about."""
    return Section(
        name="cautions",
        question="What to be careful about?",
        answer="This is what limits the comparison.",
        items=tuple(map(Item, cautions(found))),
    )


def reproduction(command: str, *, store: str) -> Section:
    """How to write the page again."""
    return Section(
        name="reproduction",
        question="How to reproduce this?",
        answer="The same command writes the same page, as long as the experiments stay as they are.",
        notes=tuple(filter(None, (store and f"Stored in {store}.", f"Written with {versions()}."))),
        listings=(Listing("Command", command),),
    )


def fits_table(found: Comparison) -> Table:
    """The fit of each curve."""
    heads = (
        "experiment",
        "critical batch size",
        "over seeds",
        "least steps",
        "over seeds",
        "perfect scaling ends at",
        "off the fit",
    )
    return Table(heads, tuple(_fit_row(each) for each in found.experiments))


def _fit_row(each: Compared) -> tuple[str, ...]:
    fit, floor = each.fit, each.floor
    perfect = NOTHING if each.regions is None else each.regions.perfect_phrase
    if not isinstance(fit, ScalingFit):
        return (each.name, *[NOTHING] * 4, perfect, NOTHING)
    beyond = "over " if fit.is_extrapolated else ""
    return (
        each.name,
        f"{beyond}{fit.measured_to if fit.is_extrapolated else fit.critical_batch_size:,.0f}",
        NOTHING if fit.low is None or fit.high is None else f"{fit.low:,.0f} to {fit.high:,.0f}",
        f"{fit.least_steps:,.0f}",
        NOTHING if floor is None else f"{floor.low:,.0f} to {floor.high:,.0f}",
        perfect,
        percent(2**fit.residual - 1),
    )


def ratios_table(contrasts: Sequence[Contrast]) -> Table:
    """Ratios of fits with their intervals."""
    heads = ("experiment", "number", "ratio", "over seeds", "repeated", "difference")
    rows = ((f"{each.of} / {each.to}", NAMES[each.quantity], *_ratio_cells(each)) for each in contrasts)
    return Table(heads, tuple(rows))


def scores_table(found: Comparison, of: Compared, contrasts: Sequence[Contrast]) -> Table:
    """Scores of an experiment and of the first at each batch size that any of both has, and their ratio."""
    first, unit = found.experiments[0], found.unit
    shared = {each.batch_size: each for each in contrasts}
    heads = ("batch size", *(f"{unit.column}, {each.name}" for each in (first, of)), "ratio", "over seeds", "repeated")
    rows = []
    for size in sorted({*first.scores, *of.scores}):
        values = (unit.text(each.scores[size]) if size in each.scores else NOTHING for each in (first, of))
        cells = _ratio_cells(shared[size]) if size in shared else (NOTHING,) * 4
        rows.append((f"{size:,}", *values, *cells))
    return Table((*heads, "difference"), tuple(rows))


def _ratio_cells(each: Contrast) -> tuple[str, ...]:
    ratio = NOTHING if each.ratio is None else in_short(each.ratio)
    return (ratio, span_of(each.over_seeds), span_of(each.repeated), VERDICTS[each.verdict])


def settings_table(found: Comparison) -> Table:
    """The settings that differ."""
    rows = ((each.path, *map(in_file, each.values)) for each in found.settings)
    return Table(("setting", *found.names), tuple(rows))


def in_file(value: object) -> str:
    """A setting as a file has it, in short.

    >>> in_file({"low": 0.001, "high": 10.0, "scale": "log", "integer": False})
    '0.001 to 10, log'
    """
    if value is ABSENT:
        return NOTHING
    if isinstance(value, Mapping):
        said = {key: each for key, each in value.items() if each is not False and each not in UNSAID}
        low, high = said.pop("low", None), said.pop("high", None)
        ends = [f"{in_file(low)} to {in_file(high)}"] if low is not None and high is not None else []
        return ", ".join(
            [*ends, *(in_file(each) if ends else f"{key} = {in_file(each)}" for key, each in said.items())]
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(in_file, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
