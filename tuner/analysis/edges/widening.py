"""Widening: which sides of its space the next round of a study widens, and what earlier rounds came to."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tuner.analysis.edges.verdicts import EdgeVerdict, Verdict, check, is_natural
from tuner.experiment.goals import ReachTarget
from tuner.experiment.space import Choice, Fixed, Parameter, Range, SearchSpace, Side
from tuner.records import CONFIRMATION, Role, StudyRecord

Json = dict[str, object]

NEAR = 0.25
"""Within this distance of an edge, in shares of the range, a best point that did not reach the target is near it."""


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
        best_steps: Fewest steps to target of one of them, None if none reached it.
        probes: Probes beyond its sides with a result.
        best_probe: Fewest steps to target of one of those, None if none reached it.
        widened: What the next round did about it; empty for the last, and for one before a second look.
        second_look: Whether the round looked again at an optimum that was in doubt.
    """

    round: int
    points: int
    best_steps: int | None
    probes: int
    best_probe: int | None
    widened: tuple[Widening, ...]
    second_look: bool = False

    @property
    def sentence(self) -> str:
        """The round, for a person."""
        probed = f"; {self.probes} probes beyond its sides, {_best(self.best_probe)}" if self.probes else ""
        widened = f"; then {', '.join(each.phrase for each in self.widened)}" if self.widened else ""
        again = ", a second look, as the optimum did not fit other batch sizes" if self.second_look else ""
        return f"Round {self.round}{again}: {self.points} points, {_best(self.best_steps)}{probed}{widened}."

    def to_json(self) -> Json:
        """One entry of `history`."""
        return {
            "round": self.round,
            "points": self.points,
            "best_steps": self.best_steps,
            "probes": self.probes,
            "best_probe": self.best_probe,
            "widened": [each.to_json() for each in self.widened],
            "second_look": self.second_look,
        }


@dataclass(frozen=True, slots=True)
class Unreached:
    """A search that ended without reaching its target.

    Attributes:
        closest: The metric's least value at the end of a trial; None if every trial ended without a number.
    """

    goal: ReachTarget
    points: int
    rounds: int
    closest: float | None
    space: SearchSpace

    @property
    def sentence(self) -> str:
        """What was tried, for a person."""
        rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        closest = "all of them diverged" if self.closest is None else f"the closest ended at {self.closest:.4g}"
        tried = ", ".join(f"{name} {_extent(each)}" for name, each in self.space.parameters.items())
        return (
            f"None of {self.points} points in {rounds} brought {self.goal.metric} {self.goal.target.phrase} within "
            f"{self.goal.within_steps:,} steps; {closest}. Tried: {tried}."
        )

    def to_json(self) -> Json:
        """What `unreached` holds."""
        return {"closest": self.closest, "sentence": self.sentence}


def wider_space(study: StudyRecord, *, max_rounds: int) -> SearchSpace | None:
    """The space in which a searched study should go on, or None if its search is over.

    Every side at which the optimum is at the edge of the box goes further out. A study that nothing reached has no
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


def history(study: StudyRecord) -> tuple[RoundStory, ...]:
    """The result of every round, oldest first."""
    rounds = study.rounds
    following = [*rounds[1:], rounds[-1]]
    return tuple(
        RoundStory(
            round=each.round,
            points=len(each.finished(Role.SEARCH)),
            best_steps=each.incumbent,
            probes=len(each.finished(Role.PROBE)),
            best_probe=each.fewest_steps(Role.PROBE),
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


def unreached(study: StudyRecord, goal: ReachTarget) -> Unreached | None:
    """The search that did not reach its target; None if a trial reached it, or if the study is not complete."""
    trials = study.finished(Role.SEARCH)
    if not study.complete or study.incumbent is not None:
        return None
    last = [each.end.final.get(goal.metric, math.nan) for each in trials if each.end is not None]
    closest = min(filter(math.isfinite, last), key=goal.target.distance, default=None)
    return Unreached(goal, len(trials), study.round, closest, study.space)


def _best(steps: int | None) -> str:
    return "none reached the target" if steps is None else f"best {steps:,} steps"


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
