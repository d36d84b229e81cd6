"""Results, edges and what else is printed, as tables for a terminal."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.sensitivity.profiles import FACTORS, Tolerance
from tuner.analysis.sensitivity.summary import Sensitivity, StudySensitivity
from tuner.analysis.summary import Edges, Results, StudyResults
from tuner.cli.printing import legend, new_table, steps_phrase
from tuner.errors import ReportError
from tuner.recorders import StudyBroken
from tuner.records import ExperimentState
from tuner.trial import Value

if TYPE_CHECKING:
    from tuner.analysis.scaling.explanation import Explanation
    from tuner.service.runs import RunOutcome

ADVICE = {
    ExperimentState.OPEN: "the same command goes on",
    ExperimentState.PAUSED: "{name} is paused; tuner resume {name} opens it again",
    ExperimentState.CANCELLED: "{name} was cancelled",
}
"""What to do about an experiment that is not complete."""
CONFIRMED = ("confirmed", "over seeds", "repeated")
"""The winner's median over fresh seeds, its interval over seeds, and that over repeated searches."""
STYLES = {Verdict.BOX_EDGE: "bold red", Verdict.STABILITY_LIMIT: "yellow", Verdict.NATURAL_LIMIT: "yellow"}


def results_table(found: Results) -> RenderableType:
    """Steps to target at each batch size, and below them the optimum's hyperparameters; as far as there are any."""
    goal = found.experiment.goal
    question = f": steps to {goal.phrase}, within {goal.budget}"
    parts: list[RenderableType] = [Text.assemble((found.experiment.name, "bold"), question)]
    if searched := [each for each in found.studies if each.trials.finished]:
        parts += [_steps_table(searched), legend(*_results_legend(found, searched))]
    if any(each.best is not None for each in searched):
        parts.append(Text("\nhyperparameters of the winner, or of the best search trial so far"))
        parts.append(_optima_table(searched, list(found.experiment.space.parameters)))
    parts += [Text(f"batch size {each.batch_size}: {line}") for each in found.studies for line in _told(each)]
    parts += [Text(each.sentence) for each in found.growth]
    if waiting := [str(each.batch_size) for each in found.studies if not each.trials.finished]:
        parts.append(Text(f"no results yet: batch size {', '.join(waiting)}"))
    return Group(*parts)


def _steps_table(studies: Sequence[StudyResults]) -> Table:
    """Steps to target, as searched and, if any study is so far, as confirmed."""
    confirmed = any(each.confirmed is not None for each in studies)
    rows: list[tuple[str | Text, ...]] = [
        (
            str(study.batch_size),
            "-" if study.best_steps is None else f"{study.best_steps:,}",
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
    if any(each.best is not None for each in searched):
        yield "searched: steps of the best search trial, which was lucky among many"
    confirmed = next((each.confirmed for each in searched if each.confirmed is not None), None)
    if confirmed is not None:
        yield "confirmed: the winner's median over fresh seeds; fewer steps are better"
        yield "over seeds: an interval for the median over all training seeds at this very"
        yield f"            point, which it covers with {confirmed.interval.coverage:.0%} probability; narrow is good"
        yield "repeated: a 95 % interval for what repeated experiments would come to on"
        yield "          average, since another search finds another point; narrow is good"
    if (bias := found.selection_bias) is not None:
        unreached = f", and without limit in {bias.unreached} more" if bias.unreached else ""
        count = f"{bias.studies} studies" if bias.studies > 1 else "1 study"
        yield "bias: confirmed over searched; above 1x the search looked too good"
        yield f"      {bias.ratio:.2f}x over {count} (geometric mean){unreached}"
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
        yield f"{confirmed.reached} of the winner's {confirmed.seeds} fresh seeds reached the target."
    if study.doubt is not None:
        yield study.doubt.sentence


def run_summary(outcome: "RunOutcome") -> RenderableType:
    """What to do after a run, and what went wrong in it."""
    name = outcome.results.experiment.name
    lines = list(_broken(outcome.broken))
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


def _broken(studies: Sequence[StudyBroken]) -> Iterator[Text]:
    """Why studies broke, each reason once, with where it happened if that helps."""
    for reason in dict.fromkeys(each.reason for each in studies):
        alike = [each for each in studies if each.reason == reason]
        if alike[0].details:
            yield Text(alike[0].details.rstrip(), "dim")
        yield Text(f"batch size {', '.join(str(each.batch_size) for each in alike)} broke: {reason}", "bold red")


def edges_table(found: Edges) -> RenderableType:
    """Where each optimum lies in its search space."""
    rows = [
        (
            str(batch_size),
            Text(edge.parameter),
            f"{edge.position:.2f}",
            Text(edge.verdict.replace("_", " "), STYLES.get(edge.verdict, "")),
            f"{edge.confidence:.0%}",
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
            "         stability or natural limit there is nothing to gain beyond",
            "confidence: probability that a wider range saves over 10 % of the steps",
        ),
        *(Text(f"batch size {size}: {sentence}") for size, sentence in outside),
        *(Text(each.sentence, "bold red") for each in found.doubts),
    )


def sensitivity_table(found: Sensitivity) -> RenderableType:
    """How far each parameter may be off and how important it is; below, what share of the space trains."""
    name = (found.experiment.name, "bold")
    return Group(
        Text.assemble(name, ": how far each hyperparameter may be from its optimum"),
        _tolerances_table(found.studies),
        legend(
            "within 1.1x: values with at most 1.1x the optimum's steps, when the other",
            "             hyperparameters are tuned again; a wide range is good",
            "up to, from, anywhere: no limit was found on the other side, or on either",
            "importance: share of the variation over the space that a hyperparameter",
            "            explains (fANOVA); tune the largest first",
        ),
        Text.assemble("\n", name, ": share of the search space that trains"),
        _shares_table(found.studies),
        legend(
            "95 % intervals, estimated from the quasi-random points only",
            "cut: points stopped before their outcome was known; they count both ways",
            "reach the target, within 2x of the best: large shares are good",
            "diverge: a small share is good",
        ),
    )


def _tolerances_table(studies: Sequence[StudySensitivity]) -> Table:
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
                    "-" if weight is None else f"{weight:.0%}",
                )
            )
        if not study.optimum:
            nothing = Text("nothing reached the target", "dim")
            rows.append((str(study.batch_size), nothing, *[""] * (2 + len(FACTORS))))
        ends.append(len(rows) - 1)
    columns = ("batch size", "parameter", "optimum", *(f"within {each:g}x" for each in FACTORS), "importance")
    table = new_table(columns, rows)
    table.collapse_padding = True
    for index in ends:
        table.rows[index].end_section = True
    return table


def _shares_table(studies: Sequence[StudySensitivity]) -> Table:
    """What share of the space does what, a row for each study."""
    rows = []
    for study in studies:
        each = study.shares
        near = "-" if each.near is None else each.near.phrase
        decided = (each.reaching.phrase, near, each.diverging.phrase)
        rows.append((str(study.batch_size), str(each.points), str(each.cut), *decided))
    columns = ("batch size", "points", "cut", "reach the target", "within 2x of the best", "diverge")
    return new_table(columns, rows)


def explanation_table(experiment: str, found: "Explanation", report: Path) -> RenderableType:
    """Measured steps beside those of the noisy quadratic model fitted to them."""
    names = list(dict.fromkeys(name for point in found.curve.points for name in point.hyperparameters))
    rows = []
    for measured, point in zip(found.measured.points, found.curve.points, strict=True):
        reached = math.isfinite(measured.steps) and math.isfinite(point.steps)
        ratio = f"{point.steps / measured.steps:.2f}" if reached else "-"
        values = [_value(point.hyperparameters[name]) if name in point.hyperparameters else "-" for name in names]
        rows.append((str(point.batch_size), steps_phrase(measured.steps), steps_phrase(point.steps), ratio, *values))
    columns = ("batch size", "measured", "model", "model / measured", *(f"model's {name}" for name in names))
    return Group(
        Text.assemble((experiment, "bold"), ": ", found.sentence),
        new_table(columns, rows),
        legend(
            "measured, model: fewest steps to the target; a ratio of 1.00 is good",
            "model's ...: the hyperparameters at which the model needs the fewest steps",
        ),
        Text.assemble("both curves: ", (str(report), "bold")),
    )


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
    confirmed, repeated = study.confirmed, study.repeated
    if confirmed is None:
        return ("-",) * len(CONFIRMED)
    interval = f"{steps_phrase(confirmed.interval.low)}-{steps_phrase(confirmed.interval.high)}"
    searches = "-" if repeated is None else f"{steps_phrase(round(repeated.low))}-{steps_phrase(round(repeated.high))}"
    return steps_phrase(confirmed.steps), interval, searches


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
