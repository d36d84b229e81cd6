"""The points of a study that are still to be run, in order."""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import count
from typing import Protocol

from tuner.experiment import Experiment, SearchSettings
from tuner.experiment.components import build
from tuner.experiment.sequences import halton_points_outside
from tuner.records import PointRun, Role, StudyRecord, TrialPlan
from tuner.samplers import Sampler
from tuner.trial import sampler_seed


class Points(Protocol):
    """Where the trials of a study get their points.

    Attributes:
        left: How many points there are at the start.
    """

    left: int

    def ask(self) -> PointRun:
        """The next point to run."""
        ...

    def tell(self, point: int, loss: float) -> None:
        """The loss of a point: a finite number, lower is better."""
        ...


class SearchedPoints:
    """The points of a search that have no result: first those that an interruption left, then the sampler's.

    The sampler is told the results of all rounds, since the spaces of earlier rounds lie within the last one's. A model
    of these results knows nothing of the part that a later round has added. Therefore quasi-random points cover that
    part first: half of the round's points. A round that looks again adds no part.

    Args:
        experiment: Says how to search.
        record: The study as it stands.
        warm: Points of other batch sizes, which come first in the first round and in one that looks again. Quasi-random
            points with their numbers are skipped: point `n` of the sequence stays point `n`, and the points that are
            left are as even.

    Attributes:
        left: How many points there are at the start.
    """

    def __init__(self, experiment: Experiment, record: StudyRecord, *, warm: Sequence[PointRun] = ()) -> None:
        sampler = build("tuner.samplers", experiment.search.sampler, Sampler)
        seed = sampler_seed(experiment_seed=experiment.seed, batch_size=record.batch_size, round=record.round)
        self._suggestions = sampler.start(record.space, seed=seed)
        searched = record.all_trials(Role.SEARCH)
        begun = {each.plan.point: _again(each.plan) for each in searched}
        losses = {each.plan.point: each.end.loss for each in searched if each.end is not None}
        for point in sorted(begun):
            self._suggestions.queue(point, begun[point].hyperparameters)
        for point in sorted(losses):
            self._suggestions.tell(point, losses[point])
        widened = record.earlier and record.earlier[-1].space != record.space
        given = _cover(record, experiment.search, seed=seed) if widened else warm
        self._given = {each.point: each for each in given}
        done = sum(point >= 0 for point in losses)  # the others were probes
        self.left = experiment.points_by(record.round, second_look=record.is_second_look) - done
        self._runs = self._unfinished(begun, losses.keys(), last=record.last_point)

    def ask(self) -> PointRun:
        return next(self._runs)

    def tell(self, point: int, loss: float) -> None:
        self._suggestions.tell(point, loss)

    def _unfinished(self, begun: Mapping[int, PointRun], finished: Set[int], *, last: int) -> Iterator[PointRun]:
        for point in sorted(begun.keys() - finished):
            yield begun[point]
        for point in count(last + 1):
            if (run := self._given.get(point)) is not None:
                self._suggestions.queue(point, run.hyperparameters)
                yield run
            else:
                yield PointRun(point, 0, Role.SEARCH, self._suggestions.ask(point))


def _again(plan: TrialPlan) -> PointRun:
    """The run that a plan was made for."""
    return PointRun(plan.point, plan.repeat, plan.role, plan.hyperparameters, plan.origin)


def _cover(record: StudyRecord, settings: SearchSettings, *, seed: int) -> list[PointRun]:
    """The points with which a later round begins: even over what its space has and the last had not."""
    many = (settings.round_points + 1) // 2
    points = halton_points_outside(record.earlier[-1].space, record.space, many, seed=seed)
    first = settings.points_by(record.round - 1)
    return [PointRun(number, 0, Role.SEARCH, each) for number, each in enumerate(points, start=first)]


class GivenPoints:
    """Points that are known beforehand: probes and confirmations.

    Attributes:
        left: How many points there are at the start.
    """

    def __init__(self, runs: Sequence[PointRun]) -> None:
        self.left = len(runs)
        self._runs = iter(runs)

    def ask(self) -> PointRun:
        return next(self._runs)

    def tell(self, point: int, loss: float) -> None:
        """Nothing: given points do not depend on results."""
