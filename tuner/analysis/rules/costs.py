"""What rules of thumb cost: the score that they lead to over the tuned one, with an interval over seeds."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from tuner.analysis.finite import finite
from tuner.analysis.optimum.intervals import EXACT, LEAST_SEEDS, few_seeds, middle, redrawn
from tuner.analysis.rules.points import Point, ThumbRule, Tuned, base_of, others, points_at, rules_of
from tuner.analysis.scaling.curve import scaling_curve
from tuner.analysis.words import batch_size_word
from tuner.experiment import Experiment
from tuner.experiment.goals import ScoreUnit
from tuner.records import ExperimentRecord, Role, StudyRecord, TrialEnd
from tuner.trial import Outcome

FAILURES = {Outcome.INFEASIBLE: "diverged", Outcome.CENSORED: "missed the target", Outcome.ERROR: "ended with an error"}
"""How trials end that have no score."""


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What a rule came to at one batch size.

    Attributes:
        hyperparameters: Where it leads.
        tuned: The median score of the tuned optimum.
        per_seed: The score of each seed at the rule's point, infinite if it has none; empty if none has run.
        wanted: How many seeds there will be.
        failures: How many seeds failed in which way.
        low, high: Where the ratio lies, with 95 % confidence, as far as the seeds of both tell; 0 and infinity without
            an interval; both the ratio itself if it is exact.
        tuned_seeds: How many seeds report the tuned optimum.
        is_exact: Whether every seed measures the same.
    """

    batch_size: int
    hyperparameters: Point
    tuned: float
    per_seed: tuple[float, ...]
    wanted: int
    failures: tuple[tuple[str, int], ...]
    low: float
    high: float
    tuned_seeds: int
    is_exact: bool = False

    @property
    def score(self) -> float | None:
        """The median over seeds, infinite if half of them have none; None before any has run."""
        return median(self.per_seed) if self.per_seed else None

    @property
    def ratio(self) -> float | None:
        """How many times the tuned score it is."""
        return None if self.score is None else self.score / self.tuned

    @property
    def has_interval(self) -> bool:
        """Whether the ratio has an interval over seeds."""
        return not (self.is_exact or self.lacks_interval)

    @property
    def lacks_interval(self) -> bool:
        """Whether seeds do not tell where the ratio lies."""
        return self.low == 0 and math.isinf(self.high)

    @property
    def why_no_interval(self) -> str:
        """Within a sentence; empty if there is one, or nothing has run."""
        seeds = min(len(self.per_seed), self.tuned_seeds)
        if self.is_exact:
            return EXACT
        return few_seeds(seeds) if 0 < seeds < LEAST_SEEDS else ""

    @property
    def fails(self) -> bool:
        """Whether half of the seeds or more have no score: with the rule, training never gets there."""
        return self.score is not None and math.isinf(self.score)

    def to_json(self, unit: ScoreUnit) -> dict[str, object]:
        """What one rule came to at one batch size; null for what is infinite, or not known yet."""
        score = None if self.score is None or self.fails else unit.value(self.score)
        return {
            "batch_size": self.batch_size,
            "params": dict(self.hyperparameters),
            f"tuned_{unit.key}": unit.value(self.tuned),
            unit.key: score,
            "ratio": finite(self.ratio),
            "low": finite(self.low) if self.per_seed and not self.lacks_interval else None,
            "high": finite(self.high) if self.per_seed else None,
            "never": self.fails,
            "seeds": len(self.per_seed),
            "wanted": self.wanted,
            "reached": sum(map(math.isfinite, self.per_seed)),
            "failures": dict(self.failures),
        }


@dataclass(frozen=True, slots=True)
class RuleCosts:
    """What every rule came to from one batch size.

    Attributes:
        base: The batch size that they start from.
        costs: For each rule its costs, smallest batch size first.
        left_out: Batch sizes that have no confirmed optimum to compare with.
    """

    experiment: Experiment
    base: int
    costs: tuple[tuple[ThumbRule, tuple[RuleCost, ...]], ...]
    left_out: tuple[int, ...]

    @property
    def unit(self) -> ScoreUnit:
        """What scores count."""
        return self.experiment.goal.unit

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Those that the rules lead to."""
        return tuple(each.batch_size for each in self.costs[0][1])

    @property
    def is_complete(self) -> bool:
        """Whether every seed of every rule has run."""
        return all(len(each.per_seed) >= each.wanted for _, costs in self.costs for each in costs)

    @property
    def summary(self) -> str:
        """What all rules came to: the worst of each that holds everywhere, and of how many batch sizes others fail."""
        holding, failing = [], []
        for rule, costs in self.costs:
            known = [(each.ratio, each) for each in costs if each.ratio is not None]
            failed = [each.batch_size for _, each in known if each.fails]
            if failed:
                where = f"at {len(failed)} of {len(known)} batch sizes, the smallest {min(failed):,}"
                failing.append(f"with the {rule.name} {where}")
            elif known:
                ratio, worst = max(known, key=lambda each: each[0])
                holding.append(f"{times(ratio)} the tuned {self.unit.ratio}{interval(worst)} with the {rule.name}")
        start = f"From batch size {self.base:,}, training"
        parts = [f"{start} comes to at most {_joined(holding)}."] if holding else []
        if failing:
            seldom = f"half of the seeds or fewer {self.unit.success} there"
            parts.append(f"{'It' if holding else start} fails {_joined(failing)}: {seldom}.")
        return " ".join(parts)

    @property
    def sentences(self) -> Iterator[str]:
        """What each rule came to, in a sentence each."""
        for rule, costs in self.costs:
            if known := [each for each in costs if each.per_seed]:
                yield f"With the {rule.name} from batch size {self.base:,}, {self._told(known)}."

    def _told(self, costs: Sequence[RuleCost]) -> str:
        """Where a rule fails, and the worst that it comes to elsewhere."""
        failing = [each for each in costs if each.fails]
        never = [each.batch_size for each in failing if not any(map(math.isfinite, each.per_seed))]
        seldom = [each.batch_size for each in failing if each.batch_size not in never]
        parts = [f"no seed {self.unit.success} at {_listed(never)}"] if never else []
        if seldom:
            parts.append(f"half of the seeds or fewer {self.unit.success} at {_listed(seldom)}")
        reached = [(each.ratio, each) for each in costs if each.ratio is not None and not each.fails]
        if reached:
            ratio, worst = max(reached, key=lambda each: each[0])
            at = f"at batch size {worst.batch_size:,}"
            comes = f"{'elsewhere ' * bool(failing)}training comes to at most"
            parts.append(f"{comes} {times(ratio)} the tuned {self.unit.ratio}{interval(worst)}, {at}")
            worse = [each.batch_size for _, each in reached if each.low > 1]
            nowhere = f"nowhere {'else ' * bool(failing)}worse than tuned"
            where = f"worse than tuned at {_listed(worse)}" if worse else nowhere
            if any(each.has_interval for _, each in reached):
                parts.append(f"beyond the chance of seeds it is {where}")
            elif worst.is_exact:
                parts.append(f"it is {where} ({worst.why_no_interval})")
            else:
                parts.append(worst.why_no_interval)
        return "; ".join(filter(None, parts))

    def to_json(self) -> dict[str, object]:
        """What `tuner rules --json` prints."""
        return {
            "experiment": self.experiment.name,
            "from": self.base,
            "ratio_of": self.unit.ratio,
            "complete": self.is_complete,
            "left_out": list(self.left_out),
            "rules": [
                {"rule": str(rule.scaling), "of": rule.of, "batch_sizes": [each.to_json(self.unit) for each in costs]}
                for rule, costs in self.costs
            ],
        }


def rule_costs(record: ExperimentRecord, batch_size: int | None = None) -> RuleCosts:
    """What the rules came to from one batch size, as far as their trials have run.

    Args:
        record: The experiment.
        batch_size: Where the rules start; by default the smallest batch size that is tuned.

    Raises:
        TunerError: No rule can be asked about, or there is no optimum to start from.
    """
    rules = rules_of(record.experiment)
    base = base_of(record, batch_size)
    known = others(record, base)
    costing = _Costing(scaling_curve(record).is_exact, record.experiment.confirmation.reporting)
    found: dict[ThumbRule, list[RuleCost]] = {rule: [] for rule in rules}
    for other in known:
        for rule, point in points_at(base, other, rules):
            found[rule].append(costing.cost(other, point))
    compared = {base.batch_size, *(each.batch_size for each in known)}
    left_out = tuple(each.batch_size for each in record.studies if each.batch_size not in compared)
    costs = tuple((rule, tuple(each)) for rule, each in found.items())
    return RuleCosts(record.experiment, base.batch_size, costs, left_out)


class _Costing:
    """Compares points of rules with tuned optima."""

    def __init__(self, is_exact: bool, repeats: range) -> None:
        self._is_exact, self._repeats = is_exact, repeats
        self._generator = np.random.default_rng(0)

    def cost(self, other: Tuned, point: Point) -> RuleCost:
        """What a point of a rule came to."""
        optimum = other.optimum
        if point == optimum.hyperparameters:
            per_seed, ends = optimum.per_seed, []
        else:
            ends = _ends(other.study, point, self._repeats)
            per_seed = tuple(each.score for each in ends)
        lost = Counter(FAILURES[each.outcome] for each in ends if each.outcome in FAILURES)
        low, high = self._interval(optimum.per_seed, per_seed) if per_seed else (math.nan, math.nan)
        return RuleCost(
            batch_size=other.batch_size,
            hyperparameters=point,
            tuned=optimum.score,
            per_seed=per_seed,
            wanted=len(self._repeats),
            failures=tuple(sorted(lost.items())),
            low=low,
            high=high,
            tuned_seeds=optimum.seeds,
            is_exact=self._is_exact,
        )

    def _interval(self, tuned: Sequence[float], rule: Sequence[float]) -> tuple[float, float]:
        """Percentiles of the ratio of medians whose seeds are drawn again at both points."""
        if self._is_exact:
            return (median(rule) / median(tuned),) * 2
        if min(len(tuned), len(rule)) < LEAST_SEEDS:
            return 0.0, math.inf
        medians = redrawn([tuned, rule], self._generator)
        medians = medians[np.isfinite(medians[:, 0])]
        return middle(medians[:, 1] / medians[:, 0])


def _ends(study: StudyRecord, point: Point, repeats: range) -> list[TrialEnd]:
    """How the trials of a rule's point ended, one for each seed."""
    trials = [each for each in study.finished(Role.RULE) if each.plan.hyperparameters == point]
    by_repeat = {each.plan.repeat: each.end for each in trials if each.end is not None and each.plan.repeat in repeats}
    return [by_repeat[each] for each in sorted(by_repeat)]


def times(ratio: float) -> str:
    """A ratio, for a person: `1.25 times`."""
    return f"{ratio:.2f} times" if ratio < 10 else f"{ratio:,.0f} times"


def interval(cost: RuleCost) -> str:
    """The interval of a ratio, to follow it: ` (1.1 to 1.4)`, or ` (1.1 or more)` where it has no end; may be empty."""
    if not cost.has_interval:
        return ""
    low, high = (f"{each:.2f}" if each < 10 else f"{each:,.0f}" for each in (cost.low, cost.high))
    return f" ({low} or more)" if math.isinf(cost.high) else f" ({low} to {high})"


def _listed(batch_sizes: Sequence[int]) -> str:
    """Batch sizes within a sentence."""
    return f"{batch_size_word(len(batch_sizes))} {', '.join(f'{each:,}' for each in batch_sizes)}"


def _joined(parts: Sequence[str]) -> str:
    """Parts of a sentence, one after the other."""
    return ", and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
