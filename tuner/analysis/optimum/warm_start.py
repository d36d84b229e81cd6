"""Warm start: a study begins, or is looked at again, where the search of a neighbouring batch size ended.

Published rules say how the best learning rate changes with the batch size: linearly (Goyal et al. 2017, arXiv
1706.02677), with its square root (Krizhevsky 2014, arXiv 1404.5997), or not at all. None holds everywhere, so all three
are tried, and the search goes on from what they come to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuner.analysis.hyperparameters import LEARNING_RATE
from tuner.analysis.optimum.candidates import best_trials
from tuner.analysis.optimum.confirmation import confirm, neighbours_winners
from tuner.experiment import ConfirmationSettings
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.experiment.space import SearchSpace
from tuner.records import CONFIRMATION, Origin, PointRun, Role, StudyRecord, TrialRecord
from tuner.trial import Value

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What a study took over from a neighbouring batch size.

    Attributes:
        batch_size: The neighbour's.
        round, trial: Round and number of its search trial that had found its optimum.
        rules: How its learning rate was carried over, one for each point.
    """

    batch_size: int
    round: int
    trial: int
    rules: tuple[ScalingRule, ...]

    @property
    def sentence(self) -> str:
        """What was taken over, for a person."""
        return f"Began from batch size {self.batch_size}'s optimum ({', '.join(self.rules)})."

    def to_json(self) -> Json:
        """What `warm_start` holds."""
        return {
            "batch_size": self.batch_size,
            "round": self.round,
            "trial": self.trial,
            "rules": [str(each) for each in self.rules],
        }


def warm_start(study: StudyRecord) -> WarmStart | None:
    """What a study took over, as its points say; None if it began by itself."""
    found = [each.plan.origin for each in study.until(1).all_trials(Role.SEARCH) if each.plan.origin is not None]
    if not found:
        return None
    first = found[0]
    return WarmStart(first.batch_size, first.round, first.trial, tuple(dict.fromkeys(each.rule for each in found)))


def warm_points(
    study: StudyRecord, studies: Sequence[StudyRecord], settings: ConfirmationSettings
) -> tuple[PointRun, ...]:
    """The points with which a study's first round begins, numbered from 0; none if there is no optimum to begin from.

    Which neighbour is decided once, when the study's first point is asked for. From then on that point says it, so
    that an interrupted study takes the others from the same place whatever has become known since.

    Args:
        study: As it stands.
        studies: All those of the experiment.
        settings: What confirms a neighbour's winner.
    """
    if not study.space.dimensions:
        return ()
    begun = study.all_trials(Role.SEARCH)
    source = _taken(begun[0].plan.origin, studies) if begun else _nearest(study, studies, settings)
    if source is None:
        return ()
    return _carried_points(study, [source], first=0)


def second_look_points(
    study: StudyRecord, studies: Sequence[StudyRecord], settings: ConfirmationSettings
) -> tuple[PointRun, ...]:
    """The points with which a study is looked at again: the winners of its neighbours, by every rule.

    Args:
        study: As it stands, in the round that looks again.
        studies: All those of the experiment.
        settings: What confirms a neighbour's winner.
    """
    found = neighbours_winners(study.batch_size, studies, settings)
    sources = [(size, trial) for size, trials in sorted(found.items()) for trial in trials]
    return _carried_points(study, sources, first=1 + study.first_look.last_point)


def _carried_points(
    study: StudyRecord, sources: Sequence[tuple[int, TrialRecord]], *, first: int
) -> tuple[PointRun, ...]:
    """The optima of other batch sizes, their learning rates carried over by every rule; numbered from `first`."""
    points: list[tuple[Mapping[str, Value], Origin]] = []
    for size, optimum in sources:
        for rule in ScalingRule:
            point = _carried(optimum.plan.hyperparameters, rule.factor(study.batch_size / size), study.space)
            if point not in [each for each, _ in points]:
                points.append((point, Origin(size, optimum.round, optimum.number, rule)))
    return tuple(
        PointRun(number, 0, Role.SEARCH, point, origin) for number, (point, origin) in enumerate(points, start=first)
    )


def _nearest(
    study: StudyRecord, studies: Sequence[StudyRecord], settings: ConfirmationSettings
) -> tuple[int, TrialRecord] | None:
    """The batch size nearest by ratio that has an optimum, the larger of two as near, and that optimum."""
    others = [each for each in studies if each.batch_size != study.batch_size]
    found = [(each.batch_size, best) for each in others for best in _optimum(each, settings)]
    return min(found, key=lambda each: (_ratio(each[0], study.batch_size), -each[0]), default=None)


def _ratio(one: int, other: int) -> float:
    """How many times the larger is the smaller: of two equally far, exactly the same."""
    return max(one, other) / min(one, other)


def _optimum(study: StudyRecord, settings: ConfirmationSettings) -> Iterator[TrialRecord]:
    """The search trial that found a study's winner, or its best if none is confirmed yet; nothing before that.

    That confirmation has begun says that the search is over.
    """
    if (winner := confirm(study, settings)) is not None:
        yield study.trial(winner.round, winner.trial)
    elif study.all_trials(*CONFIRMATION):
        yield from best_trials(study, 1)


def _taken(origin: Origin | None, studies: Sequence[StudyRecord]) -> tuple[int, TrialRecord] | None:
    """The batch size and the trial that an origin names."""
    if origin is None:
        return None
    (neighbour,) = (each for each in studies if each.batch_size == origin.batch_size)
    return origin.batch_size, neighbour.trial(origin.round, origin.trial)


def _carried(point: Mapping[str, Value], factor: float, space: SearchSpace) -> Mapping[str, Value]:
    """A point with its learning rate, if that is searched, multiplied; then moved into a space."""
    ranges, point = dict(space.ranges()), space.with_fixed(point)
    scaled = {**point, LEARNING_RATE: float(point[LEARNING_RATE]) * factor} if LEARNING_RATE in ranges else point
    return {name: ranges[name].nearest(float(each)) if name in ranges else each for name, each in scaled.items()}
