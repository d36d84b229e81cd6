"""Results, edges and what else is printed, as tables for a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.sensitivity.profiles import FACTORS, Tolerance
from tuner.analysis.sensitivity.summary import Sensitivity, StudySensitivity
from tuner.analysis.summary import Edges, Results, StudyResults
from tuner.analysis.words import percent
from tuner.cli.printing import legend, new_table, nothing_searched
from tuner.errors import ReportError
from tuner.experiment.goals import ScoreUnit, span
from tuner.recorders import StudyBroken
from tuner.records import ExperimentState
from tuner.trial import Value

if TYPE_CHECKING:
    from tuner.service.runs import RunOutcome

ADVICE = {
    ExperimentState.OPEN: "the same command goes on",
    ExperimentState.PAUSED: "{name} is paused; tuner resume {name} opens it again",
    ExperimentState.CANCELLED: "{name} was cancelled",
}
"""What to do about an experiment that is not complete."""
CONFIRMED = ("confirmed", "over seeds", "repeated")
"""The winner's median over fresh seeds, its interval over seeds, and that over repeated searches."""
STYLES = {
    Verdict.BOX_EDGE: "bold red",
    Verdict.STABILITY_LIMIT: "yellow",
    Verdict.NATURAL_LIMIT: "yellow",
    Verdict.WORKLOAD_LIMIT: "yellow",
}


def results_table(found: Results) -> RenderableType:
    """Scores at each batch size, and below them the optimum's hyperparameters; as far as there are any."""
    goal = found.experiment.goal
    question = f": {goal.unit.question}, within {goal.budget}"
    parts: list[RenderableType] = [Text.assemble((found.experiment.name, "bold"), question)]
    if searched := [each for each in found.studies if each.trials.ended]:
        parts += [_scores_table(searched), legend(*_results_legend(found, searched))]
    if any(each.best is not None for each in searched):
        of = " of the winner, or of the best search trial so far" if found.experiment.space.is_searched else ""
        parts.append(Text(f"\nhyperparameters{of}"))
        parts.append(_optima_table(searched, list(found.experiment.space.parameters)))
    parts += [Text(f"batch size {each.batch_size}: {line}") for each in found.studies for line in _told(each)]
    parts += [Text(each.sentence) for each in found.growth]
    if waiting := [str(each.batch_size) for each in found.studies if not each.trials.ended]:
        parts.append(Text(f"no results yet: batch size {', '.join(waiting)}"))
    return Group(*parts)


def _scores_table(studies: Sequence[StudyResults]) -> Table:
    """Steps to target or best values, as searched and, if any study is so far, as confirmed."""
    confirmed = any(each.confirmed is not None for each in studies)
    rows: list[tuple[str | Text, ...]] = [
        (
            str(study.batch_size),
            "-" if study.best_score is None else study.unit.text(study.best_score),
            *(_confirmed_cells(study) if confirmed else ()),
            _flags(study),
        )
        for study in studies
    ]
    return new_table(("batch size", "searched", *(CONFIRMED if confirmed else ()), "flags"), rows)


def _optima_table(studies: Sequence[StudyResults], names: Sequence[str]) -> Table:
    """The hyperparameters of winners, or of the best search trials before there is one, and who found them."""
    rows = []
    for study in studies:
        if study.confirmed is not None:
            point, origin = study.confirmed.hyperparameters, study.confirmed.origin
        elif study.best is not None:
            point, origin = study.best.plan.hyperparameters, None
        else:
            continue
        found_at = study.batch_size if origin is None else origin.batch_size
        rows.append((str(study.batch_size), *(_value(point[name]) for name in names), str(found_at)))
    return new_table(("batch size", *names, "found at"), rows)


def _results_legend(found: Results, searched: Sequence[StudyResults]) -> Iterator[str]:
    """What the columns of the results mean and what is good, and how much too good the searches looked."""
    unit, is_searched = found.experiment.goal.unit, found.experiment.space.is_searched
    if any(each.best is not None for each in searched):
        which = "the best search trial, which was lucky among many" if is_searched else "the one point's first seed"
        yield f"searched: {unit.column} of {which}"
    confirmed = next((each.confirmed for each in searched if each.confirmed is not None), None)
    if confirmed is not None:
        yield f"confirmed: the {'winner' if is_searched else 'point'}'s median over fresh seeds; {unit.better}"
        yield "over seeds: an interval for the median over all training seeds at this very"
        covers = percent(confirmed.interval.coverage)
        yield f"            point, which it covers with {covers} probability; narrow is good"
    if confirmed is not None and is_searched:
        yield "repeated: a 95 % interval for what repeated experiments would come to on"
        yield "          average, since another search finds another point; narrow is good"
    if (bias := found.selection_bias) is not None:
        unreached = f", and without limit in {bias.unreached} more" if bias.unreached else ""
        count = f"{bias.studies} studies" if bias.studies > 1 else "1 study"
        yield "bias: confirmed over searched; above 1x the search looked too good"
        of = "" if unit.counts_steps else f", of {unit.ratio}"
        yield f"      {bias.ratio:.2f}x over {count} (geometric mean){of}{unreached}"
    if any(each.edges for each in searched):
        yield f"flags: none is good; else see `tuner edges {found.experiment.name}`"


def _told(study: StudyResults) -> Iterator[str]:
    """What the table does not show: the rounds if there were several, and what was tried in vain."""
    yield from study.story
    if study.unreached is not None:
        yield study.unreached.sentence
    for reason, many in study.errors.items():
        trials = "1 trial" if many == 1 else f"{many} trials"
        yield f"{trials} ended with an error of the training code: {reason}"
    confirmed = study.confirmed
    if confirmed is not None and confirmed.reached < confirmed.seeds:
        yield f"{confirmed.reached} of the winner's {confirmed.seeds} fresh seeds {study.unit.success}."
    if study.doubt is not None:
        yield study.doubt.sentence


def run_summary(outcome: "RunOutcome") -> RenderableType:
    """What to do after a run, and what went wrong in it."""
    name = outcome.results.experiment.name
    lines = list(broken_lines(outcome.broken))
    if outcome.not_logged:
        lines.append(Text(f"the report is not in MLflow: {outcome.not_logged}", "yellow"))
    if outcome.interrupted:
        lines.append(Text("stopped before the end; the same command goes on from here", "bold"))
    elif missing := [str(each.batch_size) for each in outcome.results.studies if not each.complete]:
        advice = ADVICE[outcome.state].format(name=name)
        lines.append(Text(f"not complete: batch size {', '.join(missing)}; {advice}", "bold"))
    if isinstance(outcome.report, ReportError):
        lines.append(Text(f"{outcome.report}: tuner report {name} --output FOLDER", "yellow"))
    else:
        lines.append(Text.assemble("report: ", (str(outcome.report), "bold")))
    lines.append(Text(f"more:   tuner results {name} | tuner edges {name} | tuner dashboard | tuner mlflow", "dim"))
    return Group(*lines)


def broken_lines(studies: Sequence[StudyBroken]) -> Iterator[Text]:
    """Why studies broke, each reason once, with where it happened if that helps."""
    for reason in dict.fromkeys(each.reason for each in studies):
        alike = [each for each in studies if each.reason == reason]
        if alike[0].details:
            yield Text(alike[0].details.rstrip(), "dim")
        yield Text(f"batch size {', '.join(str(each.batch_size) for each in alike)} broke: {reason}", "bold red")


def edges_table(found: Edges) -> RenderableType:
    """Where each optimum lies in its search space."""
    if not found.is_searched:
        return nothing_searched(found.experiment, "edges")
    rows = [
        (
            str(batch_size),
            Text(edge.parameter),
            f"{edge.position:.2f}",
            Text(edge.verdict.replace("_", " "), STYLES.get(edge.verdict, "")),
            percent(edge.confidence),
        )
        for batch_size, edge in found.verdicts
    ]
    outside = [(size, edge.sentence) for size, edge in found.verdicts if edge.verdict is not Verdict.INSIDE]
    return Group(
        Text.assemble((found.experiment, "bold"), ": where each optimum lies in its search space"),
        new_table(("batch size", "parameter", "position", "verdict", "confidence"), rows),
        legend(
            "position: 0 is the low end of the range, 1 the high end, on the range's scale",
            "verdict: inside is good; at a box edge the range should be wider; at a",
            "         stability, natural or workload limit there is nothing to gain beyond",
            f"confidence: probability that a wider range saves over 10 % of {found.ratio}",
        ),
        *(Text(f"batch size {size}: {sentence}") for size, sentence in outside),
        *(Text(each.sentence, "bold red") for each in found.doubts),
    )


def sensitivity_table(found: Sensitivity) -> RenderableType:
    """How far each parameter may be off and how important it is; below, what share of the space trains."""
    if not found.experiment.space.is_searched:
        return nothing_searched(found.experiment.name, "sensitivity")
    name, unit = (found.experiment.name, "bold"), found.experiment.goal.unit
    return Group(
        Text.assemble(name, ": how far each hyperparameter may be from its optimum"),
        _tolerances_table(found.studies, unit),
        legend(
            f"within 1.1x: values with at most 1.1x the optimum's {unit.ratio}, when the other",
            "             hyperparameters are tuned again; a wide range is good",
            "up to, from, anywhere: no limit was found on the other side, or on either",
            "importance: share of the variation over the space that a hyperparameter",
            "            explains (fANOVA); tune the largest first",
        ),
        Text.assemble("\n", name, ": share of the search space that trains"),
        _shares_table(found.studies, unit),
        legend(
            "95 % intervals, estimated from the quasi-random points only",
            "cut: points stopped before their outcome was known; they count both ways",
            f"{unit.plan}, within 2x of the best: large shares are good",
            "diverge: a small share is good",
        ),
    )


def _tolerances_table(studies: Sequence[StudySensitivity], unit: ScoreUnit) -> Table:
    """A row for each hyperparameter of each study."""
    rows: list[tuple[str | Text, ...]] = []
    ends = []
    for study in studies:
        for index, profile in enumerate(study.profiles):
            weight = study.importances.get(profile.parameter)
            rows.append(
                (
                    str(study.batch_size) if index == 0 else "",
                    Text(profile.parameter),
                    _value(study.optimum[profile.parameter]),
                    *map(_tolerance, profile.tolerances),
                    "-" if weight is None else percent(weight),
                )
            )
        if not study.optimum:
            nothing = Text(f"nothing {unit.success}", "dim")
            rows.append((str(study.batch_size), nothing, *[""] * (2 + len(FACTORS))))
        ends.append(len(rows) - 1)
    columns = ("batch size", "parameter", "optimum", *(f"within {each:g}x" for each in FACTORS), "importance")
    table = new_table(columns, rows)
    table.collapse_padding = True
    for index in ends:
        table.rows[index].end_section = True
    return table


def _shares_table(studies: Sequence[StudySensitivity], unit: ScoreUnit) -> Table:
    """What share of the space does what, a row for each study."""
    rows = []
    for study in studies:
        each = study.shares
        near = "-" if each.near is None else each.near.phrase
        decided = (each.reaching.phrase, near, each.diverging.phrase)
        rows.append((str(study.batch_size), str(each.points), str(each.cut), *decided))
    columns = ("batch size", "points", "cut", unit.plan, "within 2x of the best", "diverge")
    return new_table(columns, rows)


def _tolerance(tolerance: Tolerance) -> str:
    """An interval in words: an end that is only the range's own is none."""
    low, high = _value(tolerance.low), _value(tolerance.high)
    if tolerance.low_open and tolerance.high_open:
        return "anywhere"
    if tolerance.low_open:
        return f"up to {high}"
    if tolerance.high_open:
        return f"from {low}"
    return f"{low} to {high}"


def _confirmed_cells(study: StudyResults) -> tuple[str, ...]:
    """The columns of `CONFIRMED`."""
    confirmed, repeated, unit = study.confirmed, study.repeated, study.unit
    if confirmed is None:
        return ("-",) * len(CONFIRMED)
    interval = span(unit, (confirmed.interval.low, confirmed.interval.high))
    searches = "-" if repeated is None else span(unit, (repeated.low, repeated.high))
    return unit.text(confirmed.score), interval, searches


def _value(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _flags(study: StudyResults) -> Text:
    """The verdicts that are not `inside`, and whether the optimum is in doubt."""
    flags = [
        Text(f"{each.parameter}\n{each.side}: {each.verdict.replace('_', ' ')}", STYLES[each.verdict])
        for each in study.edges
        if each.verdict in STYLES
    ]
    if study.doubt is not None:
        flags.append(Text("in doubt", STYLES[Verdict.BOX_EDGE]))
    return Text("\n").join(flags) if flags else Text("none" if study.edges else "-")
