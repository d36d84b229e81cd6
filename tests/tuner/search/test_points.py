"""Points that are left: those without a result first, then new points with the next numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from tests.tuner.synthetic import digits, ended, study, trial
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.experiment.sequences import halton_point, halton_points_outside
from tuner.experiment.space import Range, Scale, SearchSpace
from tuner.records import Origin, PointRun, Role, StudyRecord
from tuner.search.points import GivenPoints, SearchedPoints
from tuner.trial import Outcome, Value, sampler_seed

LINE = SearchSpace({"learning_rate": Range(1e-3, 1.0, scale=Scale.LOG)})
WIDE = SearchSpace({"learning_rate": Range(1e-3, 10.0, scale=Scale.LOG)})
DIGITS = digits()
EXPERIMENT = replace(
    DIGITS, search=replace(DIGITS.search, sampler={"kind": "quasi_random"}, points=6, round_points=5, max_rounds=2)
)


def quasi_random(number: int, *, space: SearchSpace = LINE, round: int = 1) -> PointRun:
    seed = sampler_seed(experiment_seed=EXPERIMENT.seed, batch_size=64, round=round)
    return PointRun(number, 0, Role.SEARCH, halton_point(space, number, seed=seed))


def asked(points: SearchedPoints) -> list[PointRun]:
    return [points.ask() for _ in range(points.left)]


def searched(*numbers: int, interrupted: tuple[int, ...] = ()) -> StudyRecord:
    """A study of these points; some have no result."""
    ends = {each: None if each in interrupted else ended(30) for each in numbers}
    return study(*(trial(each, end, run=quasi_random(each)) for each, end in ends.items()), space=LINE)


def test_a_new_study_is_left_with_all_its_points() -> None:
    assert asked(SearchedPoints(EXPERIMENT, study(space=LINE))) == [quasi_random(number) for number in range(6)]


def test_interrupted_points_come_first_and_new_points_have_the_next_numbers() -> None:
    points = SearchedPoints(EXPERIMENT, searched(0, 1, 2, 3, interrupted=(1, 3)))

    assert [each.point for each in asked(points)] == [1, 3, 4, 5]


def test_an_interrupted_point_of_a_warm_start_keeps_its_origin() -> None:
    run = replace(quasi_random(0), origin=Origin(32, 1, 7, ScalingRule.LINEAR))

    assert SearchedPoints(EXPERIMENT, study(trial(0, None, run=run), space=LINE)).ask() == run


def test_a_point_that_was_trained_at_the_second_try_is_done() -> None:
    record = searched(0, 1, interrupted=(1,))
    record = replace(record, trials=(*record.trials, trial(2, ended(30), run=quasi_random(1))))

    assert [each.point for each in asked(SearchedPoints(EXPERIMENT, record))] == [2, 3, 4, 5]


def test_points_of_a_warm_start_keep_their_numbers() -> None:
    warm = [PointRun(number, 0, Role.SEARCH, {"learning_rate": 0.5}) for number in range(2)]

    found = asked(SearchedPoints(EXPERIMENT, study(space=LINE), warm=warm))

    assert found == [*warm, *(quasi_random(number) for number in range(2, 6))]


@pytest.mark.parametrize(("round_points", "added"), [(4, 2), (5, 3)])
def test_a_later_round_begins_in_what_was_added_with_half_of_its_points_rounded_up(
    round_points: int, added: int
) -> None:
    experiment = replace(EXPERIMENT, search=replace(EXPERIMENT.search, round_points=round_points))
    record = replace(study(space=WIDE), round=2, earlier=(searched(*range(6)),))

    found = asked(SearchedPoints(experiment, record))

    seed = sampler_seed(experiment_seed=EXPERIMENT.seed, batch_size=64, round=2)
    outside = enumerate(halton_points_outside(LINE, WIDE, added, seed=seed), start=6)
    assert found[:added] == [PointRun(number, 0, Role.SEARCH, each) for number, each in outside]
    assert found[added:] == [quasi_random(each, space=WIDE, round=2) for each in range(6 + added, 6 + round_points)]


def test_probes_do_not_count_as_points_of_the_search() -> None:
    probe = PointRun(-1, 0, Role.SEARCH, {"learning_rate": 2.0})
    record = searched(0)
    record = replace(record, trials=(*record.trials, trial(1, ended(24, outcome=Outcome.INFEASIBLE), run=probe)))

    assert [each.point for each in asked(SearchedPoints(EXPERIMENT, record))] == [1, 2, 3, 4, 5]


def test_given_points_come_in_order() -> None:
    runs = [quasi_random(number) for number in (4, 2, 7)]
    points = GivenPoints(runs)

    assert [points.ask() for _ in range(points.left)] == runs


@dataclass(frozen=True)
class Listener:
    """A sampler, and its own suggestions, that writes down what it is given."""

    heard: ClassVar[list[object]] = []

    def start(self, space: SearchSpace, *, seed: int) -> "Listener":
        self.heard.append((space, seed))
        return self

    def ask(self, number: int) -> Mapping[str, Value]:
        self.heard.append(("ask", number))
        return {"learning_rate": 0.25}

    def queue(self, number: int, point: Mapping[str, Value]) -> None:
        self.heard.append(("queue", number, point["learning_rate"]))

    def tell(self, number: int, loss: float) -> None:
        self.heard.append(("tell", number, loss))


def test_the_sampler_is_given_every_point_and_result_in_the_order_of_their_numbers() -> None:
    Listener.heard.clear()
    experiment = replace(EXPERIMENT, search=replace(EXPERIMENT.search, sampler={"kind": f"{__name__}:Listener"}))
    rates = [PointRun(number, 0, Role.SEARCH, {"learning_rate": rate}) for number, rate in enumerate((0.5, 0.125))]
    record = study(trial(0, ended(32), run=rates[1]), trial(1, None, run=rates[0]), space=LINE, batch_size=32)
    warm = [PointRun(number, 0, Role.SEARCH, {"learning_rate": 0.75}) for number in range(3)]

    points = SearchedPoints(experiment, record, warm=warm)
    runs = [points.ask(), points.ask(), points.ask()]
    points.tell(2, 4.5)

    assert runs == [rates[0], warm[2], PointRun(3, 0, Role.SEARCH, {"learning_rate": 0.25})]
    assert Listener.heard == [
        (LINE, sampler_seed(experiment_seed=EXPERIMENT.seed, batch_size=32, round=1)),
        ("queue", 0, 0.5),
        ("queue", 1, 0.125),
        ("tell", 1, 5.0),
        ("queue", 2, 0.75),
        ("ask", 3),
        ("tell", 2, 4.5),
    ]
