"""Widening: which sides of its space the next round of a study widens, and what earlier rounds came to."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict, check, is_natural
from tuner.experiment.goals import Goal, ScoreUnit
from tuner.experiment.space import Choice, Fixed, Parameter, Range, SearchSpace, Side
from tuner.records import CONFIRMATION, Role, StudyRecord
from tuner.trial import Outcome

Json = dict[str, object]

NEAR = 0.25
"""Within this distance of an edge, in shares of the range, a best point without a score is near it."""


@dataclass(frozen=True, slots=True)
class Widening:
    """A side of the space that a round has widened."""

    parameter: str
    side: Side
    before: float
    after: float

    @property
    def phrase(self) -> str:
        """What was done, for a person: `learning_rate high 0.01 -> 0.1`."""
        return f"{self.parameter} {self.side} {self.before:g} -> {self.after:g}"

    def to_json(self) -> Json:
        """One entry of `widened`."""
        return {"parameter": self.parameter, "side": str(self.side), "from": self.before, "to": self.after}


@dataclass(frozen=True, slots=True)
class RoundStory:
    """The result of one round.

    Attributes:
        points: Points of its own with a result.
        unit: What scores count.
        best: Best score of one of them, None if none has a score.
        probes: Probes beyond its sides with a result.
        best_probe: Best score of one of those, None if none has a score.
        widened: What the next round did about it; empty for the last, and for one before a second look.
        second_look: Whether the round looked again at an optimum that was in doubt.
    """

    round: int
    unit: ScoreUnit
    points: int
    best: float | None
    probes: int
    best_probe: float | None
    widened: tuple[Widening, ...]
    second_look: bool = False

    @property
    def sentence(self) -> str:
        """The round, for a person."""
        probed = f"; {self.probes} probes beyond its sides, {self._told(self.best_probe)}" if self.probes else ""
        widened = f"; then {', '.join(each.phrase for each in self.widened)}" if self.widened else ""
        again = ", a second look, as the optimum did not fit other batch sizes" if self.second_look else ""
        return f"Round {self.round}{again}: {self.points} points, {self._told(self.best)}{probed}{widened}."

    def _told(self, best: float | None) -> str:
        return f"none {self.unit.success}" if best is None else f"best {self.unit.phrase(best)}"

    def _value(self, best: float | None) -> float | None:
        return None if best is None else self.unit.value(best)

    def to_json(self) -> Json:
        """One entry of `history`."""
        return {
            "round": self.round,
            "points": self.points,
            f"best_{self.unit.key}": self._value(self.best),
            "probes": self.probes,
            "best_probe": self._value(self.best_probe),
            "widened": [each.to_json() for each in self.widened],
            "second_look": self.second_look,
        }


@dataclass(frozen=True, slots=True)
class Unreached:
    """A search that ended without a trial that has a score: none reached the target, or none finished.

    Attributes:
        unit: What scores would count.
        closest: The metric's best value at the end of a trial; None if every trial ended without a number.
        diverged: Whether every trial diverged.
    """

    goal: Goal
    unit: ScoreUnit
    points: int
    rounds: int
    closest: float | None
    diverged: bool
    space: SearchSpace

    @property
    def sentence(self) -> str:
        """What was tried, for a person."""
        rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        is_alone = self.points == 1 or not self.space.dimensions
        none_of = "The only point never" if is_alone else f"None of {self.points} points in {rounds}"
        tried = ", ".join(f"{name} {_extent(each)}" for name, each in self.space.parameters.items())
        return (
            f"{none_of} {self.unit.attempt} within {self.goal.within_steps:,} steps; {self._end(is_alone=is_alone)}. "
            f"Tried: {tried}."
        )

    def _end(self, *, is_alone: bool) -> str:
        """How near it came."""
        if self.closest is not None:
            return f"{'it' if is_alone else 'the closest'} ended at {self.closest:.4g}"
        if self.diverged:
            return "it diverged" if is_alone else "all of them diverged"
        return "it ended without a number" if is_alone else "all of them ended without a number"

    def to_json(self) -> Json:
        """What `unreached` holds."""
        return {"closest": self.closest, "sentence": self.sentence}


def wider_space(study: StudyRecord, *, max_rounds: int) -> SearchSpace | None:
    """The space in which a searched study should go on, or None if its search is over.

    Every side at which the optimum is at the edge of the box goes further out. A study without a score has no
    optimum to lose: there it is enough that the best point lies near an edge. Nothing is widened once confirmation has
    begun: what is confirmed is what was found.
    """
    if study.round >= max_rounds or study.all_trials(*CONFIRMATION):
        return None
    parameters, ranges = dict(study.space.parameters), dict(study.space.ranges())
    for edge in check(study):
        limits = ranges[edge.parameter]
        hopes = study.incumbent is None and _is_near(edge) and not is_natural(limits, edge.side)
        if edge.verdict is Verdict.BOX_EDGE or (edge.verdict is Verdict.INSIDE and hopes):
            parameters[edge.parameter] = limits.widen(edge.side)
    return SearchSpace(parameters) if parameters != study.space.parameters else None


def history(study: StudyRecord, unit: ScoreUnit) -> tuple[RoundStory, ...]:
    """The result of every round, oldest first; `unit` says what scores count."""
    rounds = study.rounds
    following = [*rounds[1:], rounds[-1]]
    return tuple(
        RoundStory(
            round=each.round,
            unit=unit,
            points=len(each.finished(Role.SEARCH)),
            best=each.incumbent,
            probes=len(each.finished(Role.PROBE)),
            best_probe=each.best_score(Role.PROBE),
            widened=tuple(widenings(each.space, after.space)),
            second_look=each.is_second_look,
        )
        for each, after in zip(rounds, following, strict=True)
    )


def widenings(before: SearchSpace, after: SearchSpace) -> Iterator[Widening]:
    """Every side that is further out in the second of two spaces."""
    wider = dict(after.ranges())
    for name, limits in before.ranges():
        for side in Side:
            if limits.end(side) != wider[name].end(side):
                yield Widening(name, side, limits.end(side), wider[name].end(side))


def unreached(study: StudyRecord, goal: Goal, unit: ScoreUnit) -> Unreached | None:
    """The search in which no trial has a score; None if one has, or if the study is not complete."""
    trials = study.finished(Role.SEARCH)
    if not study.complete or study.incumbent is not None:
        return None
    ends = [each.end for each in trials if each.end is not None]
    last = [each.final.get(goal.metric, math.nan) for each in ends]
    return Unreached(
        goal=goal,
        unit=unit,
        points=len(trials),
        rounds=study.round,
        closest=min(filter(math.isfinite, last), key=goal.distance, default=None),
        diverged=all(each.outcome is Outcome.INFEASIBLE for each in ends),
        space=study.space,
    )


def _is_near(edge: EdgeVerdict) -> bool:
    """Whether the best point lies near the edge."""
    return edge.position <= NEAR if edge.side is Side.LOW else edge.position >= 1 - NEAR


def _extent(parameter: Parameter) -> str:
    """What values a parameter may have, for a person."""
    match parameter:
        case Range(low, high):
            return f"{low:g} to {high:g}"
        case Choice(options):
            return " or ".join(map(str, options))
        case Fixed(value):
            return f"= {value}"
