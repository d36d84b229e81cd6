"""Descriptions in Markdown, as MLflow shows them on the page of a run and of an experiment."""

import math
from collections.abc import Iterator, Sequence

from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.summary import Results, StudyResults
from tuner.experiment.definition import GoalSettings
from tuner.experiment.goals import span
from tuner.trial import Value


def short_answer(study: StudyResults) -> str:
    """What a complete study came to with its interval over seeds: `52 steps (50 to 55)`, or `never`."""
    confirmed, unit = study.confirmed, study.unit
    if confirmed is None or math.isinf(confirmed.score):
        return unit.none
    return f"{unit.phrase(confirmed.score)} ({span(unit, (confirmed.interval.low, confirmed.interval.high))})"


def study_description(goal: GoalSettings, study: StudyResults) -> str:
    """The answer of a complete study in a few sentences."""
    return "\n\n".join([_answer(goal, study), *_winner(study), *_warnings(study)])


def progress_description(study: StudyResults) -> str:
    """What a study came to that is not complete."""
    told = "" if study.best_score is None else study.unit.text(study.best_score)
    verb = "are" if study.unit.counts_steps else "is"
    best = f" The {study.unit.best} of a search trial so far {verb} {told}." if told else ""
    return f"Batch size {study.batch_size} is not done yet.{best}"


def experiment_description(found: Results, report: str) -> str:
    """What an experiment came to at each batch size.

    Args:
        found: Its results.
        report: Where the page of its report is, as a link; empty if MLflow does not have it.
    """
    goal = found.experiment.goal
    return "\n\n".join(
        [
            _headline(found),
            f"At each batch size, within {goal.budget}:",
            "\n".join(_table(found)),
            "*confirmed*: the winner's median over fresh seeds. *over seeds*: an interval for the median over all "
            "training seeds at this point. *repeated*: a 95 % interval for what repeated experiments would come to.",
            *(f"Batch size {each.batch_size}: {line}" for each in found.studies for line in _warnings(each)),
            f"[The whole report]({report})" if report else f"`tuner report {found.experiment.name}` writes the report.",
        ]
    )


def _headline(found: Results) -> str:
    """The line that MLflow shows before it is asked for more."""
    confirmed = [(each.batch_size, each.confirmed) for each in found.studies if each.confirmed is not None]
    unit = found.experiment.goal.unit
    scores = (f"**{unit.text(each.score)}** at {size}" for size, each in confirmed)
    question = unit.question
    return f"Confirmed {question}: {', '.join(scores)}." if confirmed else f"Searching: {question}."


def _answer(goal: GoalSettings, study: StudyResults) -> str:
    """How many steps the target takes, or which value is the best."""
    if not study.unit.counts_steps:
        return _best_answer(study)
    confirmed, target = study.confirmed, f"to {goal.phrase} at batch size {study.batch_size}"
    if confirmed is None:
        return f"**Never** {target}: no trial reached it within the budget."
    if math.isinf(confirmed.score):
        return f"**Never** {target}: {confirmed.reached} of the winner's {confirmed.seeds} fresh seeds reached it."
    again = study.repeated
    repeated = "" if again is None else f"; repeated experiments: {again.low:,.0f} to {again.high:,.0f}"
    interval = span(study.unit, (confirmed.interval.low, confirmed.interval.high))
    seeds = f"median of {confirmed.seeds} fresh seeds, {interval}{repeated}"
    return f"**{confirmed.score:,.0f} steps** {target} ({seeds})."


def _best_answer(study: StudyResults) -> str:
    """Which value of the metric is the best."""
    confirmed, unit, again = study.confirmed, study.unit, study.repeated
    where = f"{unit.question} at batch size {study.batch_size}"
    if confirmed is None:
        return f"**No** {where}: {unit.in_vain}."
    if math.isinf(confirmed.score):
        return f"**No** {where}: {confirmed.reached} of the winner's {confirmed.seeds} fresh seeds {unit.success}."
    repeated = "" if again is None else f"; repeated experiments: {span(unit, (again.low, again.high))}"
    interval = span(unit, (confirmed.interval.low, confirmed.interval.high))
    seeds = f"median of {confirmed.seeds} fresh seeds, {interval}{repeated}"
    return f"**{unit.text(confirmed.score)}** is the {where} ({seeds})."


def _winner(study: StudyResults) -> Iterator[str]:
    """The winner's hyperparameters, if there is one, as one line."""
    if study.confirmed is not None:
        values = (f"{name} = {_value(each)}" for name, each in study.confirmed.hyperparameters.items())
        yield f"Winner: {', '.join(values)}."


def _warnings(study: StudyResults) -> Iterator[str]:
    """What speaks against the answer, a sentence each."""
    yield from (each.sentence for each in study.edges if each.verdict is Verdict.BOX_EDGE)
    if study.doubt is not None:
        yield study.doubt.sentence


def _table(found: Results) -> Iterator[str]:
    """A row for each batch size, with its winner, or its best search trial before there is one."""
    names = list(found.experiment.space.parameters)
    yield from _row(["batch size", "confirmed", "over seeds", "repeated", "searched", *names])
    yield from _row(["--:"] * (5 + len(names)))
    for study in found.studies:
        point = _point(study)
        values = [_value(point[name]) if name in point else "" for name in names]
        yield from _row([str(study.batch_size), *_confirmed(study), *values])


def _row(cells: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(each.replace('|', ' ') for each in cells)} |"


def _confirmed(study: StudyResults) -> tuple[str, str, str, str]:
    """The confirmed median, both intervals, and the best of the search."""
    unit, confirmed, again = study.unit, study.confirmed, study.repeated
    searched = "" if study.best_score is None else unit.text(study.best_score)
    if confirmed is None:
        return "not yet" if not study.complete else unit.none, "", "", searched
    repeated = "" if again is None else span(unit, (again.low, again.high))
    interval = span(unit, (confirmed.interval.low, confirmed.interval.high))
    return f"**{unit.text(confirmed.score)}**", interval, repeated, searched


def _point(study: StudyResults) -> dict[str, Value]:
    """The winner's hyperparameters, or those of the best search trial before there is one."""
    if study.confirmed is not None:
        return dict(study.confirmed.hyperparameters)
    return dict(study.best.plan.hyperparameters) if study.best is not None else {}


def _value(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
