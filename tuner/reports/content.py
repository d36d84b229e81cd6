"""The head of a report, in words and formatted numbers: the question, the answer, how sure it is, and the cautions."""

from collections.abc import Iterator
from dataclasses import dataclass

from tuner.analysis.optimum.intervals import PERCENT
from tuner.analysis.practice.choice import Choice
from tuner.analysis.scaling.curve import NotFitted, ScalingFit
from tuner.analysis.summary import Results, StudyResults
from tuner.analysis.words import percent
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit, span
from tuner.reports.findings import Findings
from tuner.reports.overview.cautions import cautions
from tuner.reports.rows import in_digits
from tuner.reports.sections.contract import Item
from tuner.reports.sections.regions import perfect_scaling_ends


@dataclass(frozen=True, slots=True)
class Fact:
    """A number that stands out at the top, and what it is."""

    number: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Content:
    """What stands above the sections.

    Attributes:
        unit: What scores are called.
        question: The goal in words.
        answer: The headline, one or two sentences.
        state: What is still missing; empty if nothing is.
        advice: What to train with; empty if nothing is confirmed.
        sureness: How well the advice is known; empty with it.
        cautions: What to be careful about, the most urgent first.
    """

    title: str
    unit: ScoreUnit
    question: str
    answer: str
    state: str
    advice: str
    sureness: str
    facts: tuple[Fact, ...]
    cautions: tuple[Item, ...]


def content(found: Findings) -> Content:
    """What stands above the sections, from what analysis made of the experiment."""
    unit = found.experiment.goal.unit
    choice = None if found.practice is None else found.practice.choices[0]
    advised = _advised(found, choice)
    return Content(
        title=found.experiment.name,
        unit=unit,
        question=_question(found.experiment),
        answer=_answer(found),
        state=_state(found.results),
        advice="" if advised is None else " ".join((_advice(advised), choice.advice if choice else "")).strip(),
        sureness="" if advised is None else _sureness(advised, choice, found.curve.why_no_interval),
        facts=tuple(_facts(found)),
        cautions=cautions(found),
    )


def _question(experiment: Experiment) -> str:
    goal = experiment.goal
    sizes = experiment.batch_sizes
    several = len(sizes) > 1
    where = f"{len(sizes)} batch sizes from {min(sizes):,} to {max(sizes):,}" if several else f"batch size {sizes[0]:,}"
    return f"{goal.unit.asked}, within {goal.budget}, at {where}?"


def _answer(found: Findings) -> str:
    """The headline."""
    curve, fitted, unit = found.curve, found.fit, found.experiment.goal.unit
    if not curve.reached():
        if curve.unreached:
            return f"Nothing confirmed {unit.success} at any batch size searched so far."
        return "No study is confirmed yet."
    if not unit.counts_steps:
        best = min(curve.reached(), key=lambda each: each.score)
        return f"The {unit.best} is {unit.text(best.score)}, at batch size {best.batch_size:,}."
    perfect = "" if found.regions is None else perfect_scaling_ends(found.regions)
    if isinstance(fitted, NotFitted):
        return f"{perfect} {fitted.sentence}".strip()
    if fitted.is_extrapolated:
        return f"{perfect} The steps still fall at the largest batch size: the critical batch size is beyond it."
    return f"The critical batch size is about {_critical(fitted)}. {perfect}"


def _critical(fitted: ScalingFit) -> str:
    """The critical batch size with its interval."""
    text = f"{fitted.critical_batch_size:,.0f}"
    if fitted.low is None or fitted.high is None:
        return text
    return f"{text} ({PERCENT} interval over seeds {fitted.low:,.0f} to {fitted.high:,.0f})"


def _state(found: Results) -> str:
    """What is still missing."""
    complete, planned = sum(each.complete for each in found.studies), len(found.experiment.batch_sizes)
    if complete == planned:
        return ""
    return f"This report is partial: {complete} of {planned} studies are complete. Running it again goes on."


def _advised(found: Findings, choice: Choice | None) -> StudyResults | None:
    """The study whose optimum to train with: that of the choice or, without one, that with the best score."""
    reached = found.curve.reached()
    if not reached:
        return None
    size = choice.advised if choice else min(reached, key=lambda each: each.score).batch_size
    return next(each for each in found.results.studies if each.batch_size == size)


def _advice(study: StudyResults) -> str:
    """What to train with."""
    confirmed, unit = study.confirmed, study.unit
    assert confirmed is not None
    values = ", ".join(
        f"{name.replace('_', ' ')} {in_digits(each)}" for name, each in confirmed.hyperparameters.items()
    )
    came = f"{unit.phrase(confirmed.score)}" if unit.counts_steps else f"{unit.column} {unit.text(confirmed.score)}"
    return f"Batch size {study.batch_size:,} with {values}: {came}."


def _sureness(study: StudyResults, choice: Choice | None, why_no_interval: str) -> str:
    """How well the score of an optimum and what is advised are known."""
    said = (*_of_seeds(study, why_no_interval), choice.certainty if choice else "")
    return " ".join(dict.fromkeys(filter(None, said)))


def _of_seeds(study: StudyResults, why_no_interval: str) -> Iterator[str]:
    """How well the score of an optimum is known, in sentences."""
    confirmed, unit = study.confirmed, study.unit
    assert confirmed is not None
    interval = confirmed.interval
    if why_no_interval:
        yield f"{unit.column.capitalize()}: {why_no_interval}."
    else:
        yield (
            f"Over all training seeds its median lies within {span(unit, (interval.low, interval.high))} "
            f"({percent(interval.coverage)} interval from {confirmed.seeds} seeds)."
        )
    if study.repeated is not None:
        ends = span(unit, (study.repeated.low, study.repeated.high))
        yield f"Repeated experiments would come to {ends} ({PERCENT} interval)."


def _facts(found: Findings) -> Iterator[Fact]:
    """The numbers at the top."""
    if isinstance(found.fit, ScalingFit) and not found.fit.is_extrapolated:
        yield Fact(f"{found.fit.critical_batch_size:,.0f}", "critical batch size")
    unit = found.experiment.goal.unit
    if found.regions is not None and not found.regions.is_never_perfect:
        yield Fact(found.regions.perfect_phrase, "batch size at which perfect scaling ends")
    if found.curve.reached():
        least = min(found.curve.reached(), key=lambda each: each.score)
        yield Fact(unit.text(least.score), f"{unit.best}, at batch size {least.batch_size:,}")
    yield Fact(f"{sum(each.trials.ended for each in found.results.studies):,}", "search trials finished")
