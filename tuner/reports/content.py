"""What a report says, in words and formatted numbers; the template only arranges it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

import tomlkit

from tuner.analysis.edges.verdicts import Verdict
from tuner.analysis.scaling.curve import CONFIDENCE, NotFitted, ScalingCurve, ScalingFit, perfect_until
from tuner.analysis.summary import Results, StudyResults
from tuner.experiment import Experiment
from tuner.records import TrialRecord
from tuner.reports.findings import Findings
from tuner.reports.rows import Table, in_digits, optima_table, search_table, sensitivity_table

PACKAGES = ("batch-tuner", "optuna", "torch", "numpy", "scipy", "scikit-learn", "mlflow")


@dataclass(frozen=True, slots=True)
class Fact:
    """A number that stands out at the top, and what it is."""

    number: str
    meaning: str


@dataclass(frozen=True, slots=True)
class RoundNote:
    """A sentence of the story of a study's search."""

    batch_size: str
    sentence: str


@dataclass(frozen=True, slots=True)
class EdgeNote:
    """What is worth saying of an optimum's place in its space."""

    batch_size: str
    sentence: str
    where: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Content:
    """A report, but for its figures.

    Attributes:
        question: The goal in words.
        answer: The headline, one or two sentences.
        state: What is still missing; empty if nothing is.
        interval: Which interval the optima come with; empty if none is confirmed.
        model: How well the noisy quadratic model fits; empty if that was not asked for.
        settings: The experiment's TOML.
    """

    title: str
    question: str
    answer: str
    state: str
    model: str
    facts: tuple[Fact, ...]
    optima: Table
    interval: str
    searches: Table
    sensitivity: Table
    costs: str
    edges: tuple[EdgeNote, ...]
    edges_summary: str
    rounds: tuple[RoundNote, ...]
    cautions: tuple[str, ...]
    commands: tuple[str, ...]
    versions: str
    store: str
    settings: str


def content(found: Findings, *, store: str = "") -> Content:
    """What a report says.

    Args:
        found: What analysis made of the experiment.
        store: Where it is stored, without password.
    """
    studies = found.results.studies
    return Content(
        title=found.experiment.name,
        question=_question(found.experiment),
        answer=_answer(found.curve, found.fit),
        state=_state(found.results),
        model=found.explanation.sentence if found.explanation else "",
        facts=tuple(_facts(found)),
        optima=optima_table(found.results),
        interval=_interval(studies),
        searches=search_table(studies),
        sensitivity=sensitivity_table(found.sensitivity),
        costs=_costs(studies),
        edges=tuple(_edge_notes(studies)),
        edges_summary=_edges_summary(found.results),
        rounds=tuple(RoundNote(f"{each.batch_size:,}", line) for each in studies for line in each.story),
        cautions=tuple(_cautions(found)),
        commands=_commands(found.results),
        versions=_versions(),
        store=store,
        settings=tomlkit.dumps(found.experiment.to_table()),
    )


def _question(experiment: Experiment) -> str:
    goal, search = experiment.goal, experiment.search
    sizes = experiment.batch_sizes
    several = len(sizes) > 1
    where = f"{len(sizes)} batch sizes from {min(sizes):,} to {max(sizes):,}" if several else f"batch size {sizes[0]:,}"
    return (
        f"How few gradient steps bring {goal.phrase}, within {goal.budget}, at {where}? "
        f"Each search has {search.points} points. {_choice(experiment)}"
    )


def _choice(experiment: Experiment) -> str:
    """How the winner of a study is chosen and reported."""
    settings = experiment.confirmation
    borrowed = " and the leading points of the neighbouring batch sizes" if settings.neighbours else ""
    seeds = "one fresh seed" if settings.choose_seeds == 1 else f"1 to {settings.choose_seeds} fresh seeds"
    return (
        f"Its best {settings.candidates} points{borrowed} run again on {seeds} each, which choose the winner. "
        f"The winner's {settings.report_seeds} other seeds are reported."
    )


def _answer(curve: ScalingCurve, fitted: ScalingFit | NotFitted) -> str:
    """The headline."""
    if not curve.reached():
        if curve.unreached:
            return "Nothing confirmed reached the target at any batch size searched so far."
        return "No study is confirmed yet."
    until = perfect_until(curve)
    smallest = curve.reached()[0].batch_size
    perfect = (
        f"Doubling the batch size halves the steps up to about batch size {until:,}."
        if until is not None and until > smallest
        else "No doubling of the batch size halves the steps."
    )
    if isinstance(fitted, NotFitted):
        return fitted.sentence if len(curve.reached()) < 2 else f"{perfect} {fitted.sentence}"
    if fitted.is_extrapolated:
        return f"{perfect} The steps still fall at the largest batch size: the critical batch size is beyond it."
    return f"The critical batch size is about {_critical(fitted)}. {perfect}"


def _critical(fitted: ScalingFit) -> str:
    """The critical batch size with its interval."""
    text = f"{fitted.critical_batch_size:,.0f}"
    if fitted.low is None or fitted.high is None:
        return text
    return f"{text} ({CONFIDENCE:.0%} interval over seeds {fitted.low:,.0f} to {fitted.high:,.0f})"


def _state(found: Results) -> str:
    """What is still missing."""
    complete, planned = sum(each.complete for each in found.studies), len(found.experiment.batch_sizes)
    if complete == planned:
        return ""
    return f"This report is partial: {complete} of {planned} studies are complete. Running it again goes on."


def _facts(found: Findings) -> Iterator[Fact]:
    """The numbers at the top."""
    if isinstance(found.fit, ScalingFit) and not found.fit.is_extrapolated:
        yield Fact(f"{found.fit.critical_batch_size:,.0f}", "critical batch size")
    until = perfect_until(found.curve)
    if until is not None:
        yield Fact(f"{until:,}", "largest batch size that scales perfectly")
    if found.curve.reached():
        least = min(found.curve.reached(), key=lambda each: each.steps)
        yield Fact(f"{least.steps:,.0f}", f"fewest steps, at batch size {least.batch_size:,}")
    yield Fact(f"{sum(each.trials.finished for each in found.results.studies):,}", "search trials finished")


def _interval(studies: Sequence[StudyResults]) -> str:
    """Which interval the optima come with; nothing before one is confirmed."""
    confirmed = next((each.confirmed for each in studies if each.confirmed is not None), None)
    if confirmed is None:
        return ""
    return (
        '"Over seeds" is an interval for the median over all training seeds at this very point, which it covers with '
        f'{confirmed.interval.coverage:.0%} probability. "Repeated" is a {CONFIDENCE:.0%} interval for what repeated '
        "experiments would come to on average, since another search finds another point; it is estimated from how far "
        'batch sizes lie off the line between their neighbours. "Found at" is the batch size whose search found the '
        "point."
    )


def _costs(studies: Sequence[StudyResults]) -> str:
    search = sum(each.steps_spent for each in studies)
    confirmation = sum(each.confirmation_steps_spent for each in studies)
    examples = sum(each.examples_spent + each.confirmation_steps_spent * each.batch_size for each in studies)
    return (
        f"Searching took {search:,} gradient steps and confirming {confirmation:,}; "
        f"together they trained on {examples:,} examples."
    )


def _edges_summary(found: Results) -> str:
    """How many optima may be outside."""
    known = [study for study in found.studies if study.best is not None]
    if not known:
        return "No study has an optimum yet."
    outside = sum(any(edge.verdict is Verdict.BOX_EDGE for edge in study.edges) for study in known)
    if outside:
        return f"In {outside} of {len(known)} studies the optimum is probably outside the space that was searched."
    return "Every optimum is inside the space that was searched, or as far as training or the parameter allows."


def _edge_notes(studies: Sequence[StudyResults]) -> Iterator[EdgeNote]:
    """Every verdict but `inside`."""
    for study in studies:
        for edge in study.edges:
            if edge.verdict is not Verdict.INSIDE:
                where = f"{in_digits(edge.value)}, at {edge.position:.0%} of the range"
                yield EdgeNote(f"{study.batch_size:,}", edge.sentence, where, edge.verdict is Verdict.BOX_EDGE)


def _cautions(found: Findings) -> Iterator[str]:
    """What a reader could take for more than it is."""
    studies = found.results.studies
    censored = [study for study in studies if study.complete and study.confirmed is None]
    yield from (f"Batch size {each.batch_size:,}: {each.unreached.sentence}" for each in studies if each.unreached)
    if censored:
        yield (
            f"Nothing reached the target within {found.experiment.goal.budget} at batch size {_sizes(censored)}: "
            "that budget is a lower bound, and these studies are not in the fit."
        )
    partly = [each for each in studies if each.confirmed and each.confirmed.reached < each.confirmed.seeds]
    if partly:
        yield (
            f"At batch size {_sizes(partly)} not every reporting seed reached the target. "
            "Seeds that did not count as infinite in medians and spreads."
        )
    yield from (each.sentence for each in found.results.doubts)
    if isinstance(found.fit, ScalingFit):
        yield (
            "The interval of the critical batch size covers the spread over training seeds, and not how well each "
            f"search found its optimum. Medians lie {2**found.fit.residual - 1:.0%} off the fit (root mean square)."
        )
    bias = found.results.selection_bias
    if bias is not None:
        yield (
            "The best search trial is the least of many noisy numbers and looks better than it is: winners took "
            f"{bias.ratio:.2f} times as many steps when confirmed (geometric mean). Compare confirmed medians."
        )
    if found.experiment.objective.get("deterministic") is False:
        yield (
            "Kernels that add in any order were allowed (objective.deterministic = false): on a GPU, two runs of the "
            "same trial may differ."
        )
    yield "Steps to target are measured at evaluations, whose spacing limits their precision."


def _sizes(studies: Sequence[StudyResults]) -> str:
    return ", ".join(f"{each.batch_size:,}" for each in studies)


def _commands(found: Results) -> tuple[str, ...]:
    """How to get these numbers again."""
    name = found.experiment.name
    best = next((each for each in found.studies if each.best is not None), None)
    replay = best and best.best and f"tuner replay {name} --batch-size {best.batch_size} {_trial(best.best)}"
    return (f"tuner run {name}.toml", *([replay] if replay else []), f"tuner export {name} --format csv")


def _trial(trial: TrialRecord) -> str:
    """The options that name a trial of a study."""
    return f"--trial {trial.number}" + (f" --round {trial.round}" if trial.round > 1 else "")


def _versions() -> str:
    """What this report was written with."""
    installed = []
    for name in PACKAGES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join([f"Python {python_version()}", *installed])
