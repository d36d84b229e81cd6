"""The points that rules of thumb lead to from one tuned batch size, and the trials that measure them.

Goyal et al. 2017 (arXiv 1706.02677) for the linear rule, Krizhevsky 2014 (arXiv 1404.5997) for the square root. A rule
is either about the learning rate, and everything else stays as it was tuned; or about the effective learning rate
`lr / (1 - m)`, with the momentum `m` that was tuned where the rule leads to.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuner.analysis.hyperparameters import EFFECTIVE_LEARNING_RATE, LEARNING_RATE, MOMENTUM, value_of
from tuner.analysis.optimum.confirmation import Confirmation, confirm
from tuner.errors import TunerError
from tuner.experiment import Experiment
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.experiment.space import Range, SearchSpace
from tuner.records import RULES_FROM, ExperimentRecord, PointRun, Role, StudyRecord
from tuner.trial import Value

Point = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class ThumbRule:
    """A rule of thumb.

    Attributes:
        scaling: How the value changes with the batch size.
        of: Which value: `LEARNING_RATE` or `EFFECTIVE_LEARNING_RATE`.
    """

    scaling: ScalingRule
    of: str

    @property
    def name(self) -> str:
        """The rule, for a person: `linear rule`, or `linear rule on lr / (1 - m)`."""
        return f"{self.scaling} rule" + (" on lr / (1 - m)" if self.of == EFFECTIVE_LEARNING_RATE else "")

    def point(self, base: Point, there: Point, space: SearchSpace, *, growth: float) -> dict[str, Value]:
        """Where the rule leads.

        Args:
            base: The optimum at the tuned batch size.
            there: The optimum at the other, of which a rule on the effective learning rate takes the momentum.
            space: That in which the other was searched: what it fixes is kept.
            growth: The other batch size over the tuned one.
        """
        point = space.with_fixed(base)
        rate = value_of(self.of, base)
        assert rate is not None
        rate *= self.scaling.factor(growth)
        if self.of == EFFECTIVE_LEARNING_RATE:
            momentum = value_of(MOMENTUM, there)
            assert momentum is not None
            point[MOMENTUM] = there[MOMENTUM]
            rate *= 1 - momentum
        return {**point, LEARNING_RATE: float(f"{rate:.12g}")}


@dataclass(frozen=True, slots=True)
class Tuned:
    """A batch size with a confirmed optimum."""

    study: StudyRecord
    optimum: Confirmation

    @property
    def batch_size(self) -> int:
        """Of its study."""
        return self.study.batch_size


def tuned(record: ExperimentRecord) -> tuple[Tuned, ...]:
    """The batch sizes that are complete and whose confirmed optimum has a score, smallest first."""
    found = ((each, confirm(each, record.experiment.confirmation)) for each in record.studies if each.complete)
    return tuple(
        Tuned(study, optimum) for study, optimum in found if optimum is not None and math.isfinite(optimum.score)
    )


def rules_of(experiment: Experiment) -> tuple[ThumbRule, ...]:
    """The rules that an experiment can be asked about: those on the effective rate if the momentum is searched.

    Raises:
        TunerError: There is no learning rate that is searched.
    """
    parameters, name = experiment.space.parameters, experiment.name
    if not experiment.space.is_searched:
        raise TunerError(f"{name}: every hyperparameter is fixed or follows a rule, so nothing was tuned to compare")
    if LEARNING_RATE not in parameters:
        known = ", ".join(parameters)
        raise TunerError(f"{name} has no {LEARNING_RATE}, which the rules are about; its space has {known}")
    if not isinstance(parameters[LEARNING_RATE], Range):
        raise TunerError(f"{name}: {LEARNING_RATE} is not searched between two values, so there is no rule to compare")
    searched = isinstance(parameters.get(MOMENTUM), Range)
    bases = (LEARNING_RATE, EFFECTIVE_LEARNING_RATE) if searched else (LEARNING_RATE,)
    return tuple(ThumbRule(scaling, of) for of in bases for scaling in (ScalingRule.LINEAR, ScalingRule.SQUARE_ROOT))


def base_of(record: ExperimentRecord, batch_size: int | None) -> Tuned:
    """The batch size that rules start from: the smallest that is tuned, or the one that is asked for.

    Raises:
        TunerError: It has no confirmed optimum, or no other batch size has one.
    """
    name, found = record.experiment.name, tuned(record)
    if not found:
        advice = f"`tuner run` makes one, and `tuner status {name}` says how far it is"
        raise TunerError(f"{name} has no complete batch size with a confirmed optimum; {advice}")
    known = ", ".join(f"{each.batch_size}" for each in found)
    base = found[0] if batch_size is None else next((each for each in found if each.batch_size == batch_size), None)
    if base is None:
        raise TunerError(
            f"batch size {batch_size} of {name} has no confirmed optimum to start from; these have: {known}"
        )
    if len(found) == 1:
        raise TunerError(f"{name} has a confirmed optimum at batch size {known} only, so no rule leads to another")
    return base


def others(record: ExperimentRecord, base: Tuned) -> tuple[Tuned, ...]:
    """The batch sizes that rules lead to."""
    return tuple(each for each in tuned(record) if each.batch_size != base.batch_size)


def points_at(base: Tuned, other: Tuned, rules: Sequence[ThumbRule]) -> Iterator[tuple[ThumbRule, Point]]:
    """Where each rule leads at a batch size."""
    growth = other.batch_size / base.batch_size
    start, there = base.optimum.hyperparameters, other.optimum.hyperparameters
    for rule in rules:
        yield rule, rule.point(start, there, other.study.space, growth=growth)


def wanted_runs(record: ExperimentRecord, base: Tuned) -> dict[int, tuple[PointRun, ...]]:
    """The trials that rules need, by batch size, those among them that have been run. Each point comes once.

    A point that is the tuned optimum itself needs none. The seeds are as many as those that report a winner.
    """
    rules, repeats = rules_of(record.experiment), record.experiment.confirmation.reporting
    runs = {}
    for other in others(record, base):
        numbers = _numbers(other, [point for _, point in points_at(base, other, rules)])
        runs[other.batch_size] = tuple(
            PointRun(number, repeat, Role.RULE, point) for number, point in numbers.items() for repeat in repeats
        )
    return runs


def _numbers(other: Tuned, points: Sequence[Point]) -> dict[int, Point]:
    """The points that are no optimum, by number. One that has been begun keeps its number."""
    begun = {each.plan.point: each.plan.hyperparameters for each in other.study.all_trials(Role.RULE)}
    taken: dict[int, Point] = {}
    following = max((*begun, RULES_FROM - 1)) + 1
    for point in points:
        if point == other.optimum.hyperparameters or point in taken.values():
            continue
        number = next((number for number, known in begun.items() if known == point), following)
        following += number == following
        taken[number] = point
    return taken
