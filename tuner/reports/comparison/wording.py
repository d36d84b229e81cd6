"""What a comparison says in words, never more than its intervals do."""

import math
from collections.abc import Iterator, Sequence

from tuner.analysis.comparison import Compared, Comparison, Contrast, Interval, Quantity, Verdict
from tuner.analysis.comparison.settings import EFFORT
from tuner.analysis.optimum.intervals import EXACT, LEAST_SEEDS, PERCENT
from tuner.analysis.scaling.curve import ScalingFit
from tuner.analysis.words import batch_size_word
from tuner.experiment import GoalSettings
from tuner.experiment.batch_sizes.budgets import KINDS

QUESTION = ("objective", "goal")
"""The tables that say what is trained, and for what."""
NAMES = {Quantity.CRITICAL: "critical batch size", Quantity.FLOOR: "least steps"}
VERDICTS = {
    Verdict.BEYOND: "beyond both",
    Verdict.BEYOND_SEEDS: "beyond seeds",
    Verdict.WITHIN_SEARCHES: "within searches",
    Verdict.WITHIN: "within seeds",
    Verdict.UNKNOWN: "not known",
}
"""What tables say of a ratio."""
MEANINGS = (
    f'"Over seeds" is a {PERCENT} interval for the ratio over training seeds, at the very optima that were '
    f'found. "Repeated" is a {PERCENT} interval for what repeated experiments would come to, since another '
    "search finds other points; it needs five batch sizes. A difference is beyond an interval that leaves out a ratio "
    "of 1. Each interval is for one ratio: of twenty numbers that are the same, one leaves out 1 by chance."
)


def headline(found: Comparison) -> str:
    """The answer, in a sentence or two for each experiment but the first."""
    return " ".join(" ".join(_about(found, each)) for each in found.experiments[1:])


def _about(found: Comparison, of: Compared) -> Iterator[str]:
    """What can be said of an experiment beside the first."""
    own = [each for each in found.contrasts if each.of == of.name]
    yield from (of_fit(each) for each in own if each.quantity is Quantity.CRITICAL)
    yield of_scores(found, [each for each in own if each.quantity is Quantity.SCORE], of)


def of_fit(each: Contrast) -> str:
    """What can be said of a critical batch size, or of the least steps."""
    name = NAMES[each.quantity]
    is_one = each.quantity is Quantity.CRITICAL
    if each.verdict is Verdict.UNKNOWN or each.ratio is None or each.over_seeds is None:
        names = f"{name}{'s' if is_one else ''} of {each.of} and {each.to}"
        return f"Whether the {names} differ is not known: {each.why.rstrip('.')}."
    ratio = f"the {name} of {each.of} {'is' if is_one else 'are'} {times(each.ratio)} {'that' if is_one else 'those'}"
    return _capital(f"{ratio} of {each.to} ({_intervals(each)}){_judged(each.verdict)}.")


def _judged(verdict: Verdict) -> str:
    """The end of a sentence about a ratio."""
    return {
        Verdict.BEYOND: ", a difference beyond both intervals",
        Verdict.BEYOND_SEEDS: ", more than seeds explain; how far searches differ cannot be estimated",
        Verdict.WITHIN_SEARCHES: ", more than seeds explain, but repeated searches might show no difference",
        Verdict.WITHIN: ", no difference beyond what seeds explain",
    }[verdict]


def of_scores(found: Comparison, scores: Sequence[Contrast], of: Compared) -> str:
    """At which shared batch sizes an experiment is better or worse than the first, as far as intervals tell."""
    first, unit = found.names[0], found.unit
    if not scores:
        return f"{of.name} and {first} share no confirmed batch size."
    beyond = [each for each in scores if each.verdict in (Verdict.BEYOND, Verdict.BEYOND_SEEDS)]
    known = [each for each in scores if each.verdict is not Verdict.UNKNOWN]
    if not known:
        return f"Whether {of.name} and {first} differ is not known{_unknown(scores)}."
    if not beyond:
        one = f"At the shared {_sizes(known)} {of.name} and {first} do not differ beyond the intervals"
        none = f"At none of {len(known)} shared batch sizes do {of.name} and {first} differ beyond the intervals"
        return f"{one if len(known) == 1 else none}{_unknown(scores)}."
    words = ("fewer steps", "more steps") if unit.counts_steps else ("a better value", "a worse value")
    sides = ([each for each in beyond if _is_better(each) is good] for good in (True, False))
    parts = [f"{word} than {first} at {_sizes(side)}" for word, side in zip(words, sides, strict=True) if side]
    verb = "needs" if unit.counts_steps else "comes to"
    whole = all(each.verdict is Verdict.BEYOND for each in beyond)
    which = "both intervals" if whole else "the intervals over seeds, and how far searches differ is not known"
    rest = len(known) - len(beyond)
    others = f"the other {rest}" if len(known) == len(scores) else f"{rest} other"
    left = f"; at {others} shared {batch_size_word(rest)} there is no such difference" if rest else ""
    return f"{of.name} {verb} {' and '.join(parts)}, beyond {which}{left}{_unknown(scores)}."


def _unknown(scores: Sequence[Contrast]) -> str:
    """At which batch sizes nothing can be said, and why; empty if at none."""
    found = [each for each in scores if each.verdict is Verdict.UNKNOWN]
    whys = dict.fromkeys(each.why for each in found)
    said = (f"at {_sizes([each for each in found if each.why == why])} ({why})" for why in whys)
    return f"; nothing can be said {', and '.join(said)}" if found else ""


def _is_better(each: Contrast) -> bool:
    return each.ratio is not None and each.ratio < 1


def _sizes(contrasts: Sequence[Contrast]) -> str:
    """Batch sizes, for a person."""
    sizes = [f"{each.batch_size:,}" for each in contrasts]
    return f"{batch_size_word(len(sizes))} {_listed(sizes)}"


def _intervals(each: Contrast) -> str:
    """Both intervals of a ratio, as far as they are known."""
    known = ((each.over_seeds, "over seeds"), (each.repeated, "over repeated searches"))
    return ", ".join(f"{span_of(interval)} {name}" for interval, name in known if interval is not None)


def times(ratio: float) -> str:
    """A ratio within a sentence."""
    return f"{in_short(ratio)} times"


def span_of(interval: Interval | None) -> str:
    """An interval of ratios, for a cell or a sentence."""
    return "-" if interval is None else f"{in_short(interval.low)} to {in_short(interval.high)}"


def in_short(ratio: float) -> str:
    """A ratio in about three digits.

    >>> in_short(2.293), in_short(0.0712), in_short(345.6), in_short(float("inf"))
    ('2.29', '0.0712', '346', 'infinite')
    """
    if math.isinf(ratio):
        return "infinite"
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3g}"


def question(found: Comparison) -> str:
    """What was asked."""
    return f"{found.unit.asked}, in {len(found.names)} experiments?"


def difference(found: Comparison) -> str:
    """The settings of the workload and of the goal that differ."""
    asked = [each.path for each in found.settings if each.table in QUESTION]
    return f"{_listed(asked)}." if asked else "nothing that is trained or asked."


def curves(found: Comparison) -> str:
    """What the curves come to, in a sentence."""
    said = [_curve(found, each) for each in found.experiments]
    return f"{_capital(found.unit.best)}: {'; '.join(said)}."


def _curve(found: Comparison, each: Compared) -> str:
    points, fit, unit = each.curve.reached(), each.fit, found.unit
    if not points:
        return f"{each.name} has none"
    best = min(points, key=lambda point: point.score)
    said = f"{unit.text(best.score)} of {each.name} at batch size {best.batch_size:,}"
    if isinstance(fit, ScalingFit) and not fit.is_extrapolated:
        said += f", whose critical batch size is {fit.critical_batch_size:,.0f}"
        if fit.low is not None and fit.high is not None:
            said += f" ({fit.low:,.0f} to {fit.high:,.0f} over seeds)"
    return said


def budgets(found: Comparison) -> str:
    """Why experiments with other budgets answer other questions; empty if budgets are the same or hardly matter."""
    goals = [each.record.experiment.goal for each in found.experiments]
    said = ", ".join(f"{each.name} {goal.budget}" for each, goal in zip(found.experiments, goals, strict=True))
    if found.unit.counts_steps or all(goal.within == goals[0].within for goal in goals):
        return ""
    if len({_kind(each) for each in goals}) == 1:
        return f"The budgets differ ({said}), so that the best values do too, whatever else differs."
    return (
        f"The budgets differ in kind ({said}), and so do the questions. With as many steps at every batch size, a "
        "larger batch sees more examples: this asks what can be reached in a given time, if parallel hardware makes "
        "all steps equally fast. With as many examples or epochs at every batch size, a larger batch takes fewer "
        "steps: this asks what a given amount of computation is worth. Large batches tend to win the first, small ones "
        "the second (Shallue et al. 2019, section 4.7), so neither curve refutes the other."
    )


def _kind(goal: GoalSettings) -> str:
    """Whether a budget is in steps, or in examples or epochs."""
    return "steps" if goal.within_steps is not None else KINDS[1]


def cautions(found: Comparison) -> Iterator[str]:
    """What a reader could take for more than it is."""
    yield from (
        f"{each.name} is not complete: its results may still change."
        for each in found.experiments
        if not each.is_complete
    )
    yield from (f"{each.name}: {each.note}" for each in found.experiments if each.note)
    workload = [each.path for each in found.settings if each.table == "objective"]
    if len(workload) > 1:
        yield f"The workloads differ in {len(workload)} settings: what each of them does alone cannot be told."
    effort = [each.path for each in found.settings if each.table in EFFORT]
    if effort:
        yield f"The optima were not looked for alike ({_listed(effort)}): a difference may come from that."
    for each in found.experiments:
        if each.curve.unreached:
            sizes = ", ".join(f"{size:,}" for size in each.curve.unreached)
            within = each.record.experiment.goal.budget
            yield f"{each.name}: {found.unit.failed} at batch size {sizes}, within {within}."
    exact = [each.name for each in found.experiments if each.curve.is_exact]
    if exact:
        yield f"{_listed(exact)}: {EXACT}. Ratios to exact numbers have no interval here, and differences no verdict."
    if any(each.seeds is None and not each.curve.is_exact for each in found.experiments):
        yield f"With fewer than {LEAST_SEEDS} reporting seeds no ratio has an interval, and no difference a verdict."
    yield "Whether the optima of an experiment lie inside its search space, `tuner edges` and its own report say."
    yield found.unit.caution


def _listed(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{', '.join(paths[:-1])} and {paths[-1]}"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
