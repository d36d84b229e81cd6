"""The points with which a study begins: a neighbour's optimum, and what the rules make of its learning rate."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.tuner.synthetic import ended, grown, pending, study
from tuner.analysis.optimum.warm_start import WarmStart, warm_points, warm_start
from tuner.experiment import ConfirmationSettings
from tuner.experiment.batch_sizes.rules import ScalingRule
from tuner.experiment.space import Choice, Fixed, Parameter, Range, Scale, SearchSpace
from tuner.records import Origin, PointRun, Role, StudyRecord
from tuner.trial import Value

SETTINGS = ConfirmationSettings(candidates=2, choose_seeds=1, report_seeds=1)
SPACE = SearchSpace(
    {
        "learning_rate": Range(1e-3, 1.0, scale=Scale.LOG),
        "momentum": Range(0.0, 0.99, scale=Scale.REVERSE_LOG),
        "activation": Choice(("relu", "tanh")),
        "decay": Fixed(0.1),
    }
)
SAME, LINEAR, SQUARE_ROOT = ScalingRule


def at(learning_rate: float, momentum: float = 0.9) -> dict[str, Value]:
    return {"learning_rate": learning_rate, "momentum": momentum, "activation": "tanh", "decay": 0.1}


def found(batch_size: int, *rates: float, space: SearchSpace = SPACE) -> StudyRecord:
    """A finished search of these learning rates, each taking ten steps more than the one before."""
    runs = [PointRun(number, 0, Role.SEARCH, at(rate)) for number, rate in enumerate(rates)]
    return grown(study(space=space, batch_size=batch_size), runs, lambda run: ended(40 + 10 * run.point))


def confirmed(record: StudyRecord, *, winner: int = 0) -> StudyRecord:
    """The same with its confirmation, in which this point was fastest."""
    while wanted := pending(record, SETTINGS):
        record = grown(record, wanted, lambda run: ended(50 if run.point == winner else 80))
    return replace(record, complete=True)


def begun(record: StudyRecord, *runs: PointRun) -> StudyRecord:
    return grown(record, runs, lambda run: ended(60))


def test_the_optimum_comes_as_it_is_and_scaled_linearly_and_by_the_square_root() -> None:
    points = warm_points(study(space=SPACE, batch_size=32), [confirmed(found(128, 0.4))], SETTINGS)

    assert points == (
        PointRun(0, 0, Role.SEARCH, at(0.4), Origin(128, 1, 0, SAME)),
        PointRun(1, 0, Role.SEARCH, at(0.1), Origin(128, 1, 0, LINEAR)),
        PointRun(2, 0, Role.SEARCH, at(0.2), Origin(128, 1, 0, SQUARE_ROOT)),
    )


@pytest.mark.parametrize(("rule", "factor"), [(SAME, 1.0), (LINEAR, 4.0), (SQUARE_ROOT, 2.0)])
def test_a_rule_says_what_a_four_times_larger_batch_does_to_the_learning_rate(rule: ScalingRule, factor: float) -> None:
    assert rule.factor(4.0) == factor


def test_the_confirmed_winner_is_taken_and_not_the_best_of_the_search() -> None:
    (first, *_) = warm_points(study(space=SPACE, batch_size=64), [confirmed(found(128, 0.4, 0.3), winner=1)], SETTINGS)

    assert (first.hyperparameters, first.origin) == (at(0.3), Origin(128, 1, 1, SAME))


def test_a_search_that_is_over_but_not_confirmed_offers_its_best_trial() -> None:
    searched = found(128, 0.4, 0.3)
    confirming = grown(searched, pending(searched, SETTINGS)[:1], lambda run: ended(99))

    (first, *_) = warm_points(study(space=SPACE, batch_size=64), [confirming], SETTINGS)

    assert first.hyperparameters == at(0.4)


@pytest.mark.parametrize("searched", [(), (0.4, 0.3)])
def test_a_search_that_is_not_over_offers_nothing(searched: tuple[float, ...]) -> None:
    assert warm_points(study(space=SPACE, batch_size=64), [found(128, *searched)], SETTINGS) == ()


def test_a_study_in_which_nothing_reached_the_target_offers_nothing() -> None:
    unreached = replace(study(space=SPACE, batch_size=128), complete=True)

    assert warm_points(study(space=SPACE, batch_size=64), [unreached], SETTINGS) == ()


@pytest.mark.parametrize(
    ("others", "nearest"), [((16, 128), 128), ((16, 512), 16), ((32, 128), 128), ((7, 63), 63), ((1024,), 1024)]
)
def test_the_neighbour_is_the_nearest_by_ratio_and_the_larger_of_two(others: tuple[int, ...], nearest: int) -> None:
    own = 21 if nearest == 63 else 64
    studies = [confirmed(found(each, 0.4)) for each in others]

    (first, *_) = warm_points(study(space=SPACE, batch_size=own), [study(batch_size=own), *studies], SETTINGS)

    assert first.origin == Origin(nearest, 1, 0, SAME)


def test_points_outside_the_box_are_moved_to_its_edge_and_equal_ones_dropped() -> None:
    points = warm_points(study(space=SPACE, batch_size=1024), [confirmed(found(64, 0.5))], SETTINGS)

    rates = [(each.point, each.hyperparameters["learning_rate"], each.origin) for each in points]
    assert rates == [(0, 0.5, Origin(64, 1, 0, SAME)), (1, 1.0, Origin(64, 1, 0, LINEAR))]


def test_every_range_of_a_neighbour_that_was_widened_is_moved_into_the_box() -> None:
    narrow = SearchSpace({**SPACE.parameters, "momentum": Range(0.0, 0.5, scale=Scale.REVERSE_LOG)})

    points = warm_points(study(space=narrow, batch_size=64), [confirmed(found(128, 2.0))], SETTINGS)

    assert all(each.hyperparameters in narrow for each in points)
    assert [each.hyperparameters["learning_rate"] for each in points] == [1.0]
    assert points[0].hyperparameters["momentum"] == 0.5


@given(st.integers(1, 2**20), st.integers(1, 2**20), st.floats(1e-6, 1e6), st.floats(0, 0.9999))
def test_the_points_are_different_ones_of_the_box_and_numbered_from_zero(
    own: int, neighbour: int, rate: float, momentum: float
) -> None:
    assume(own != neighbour)
    run = PointRun(0, 0, Role.SEARCH, at(rate, momentum))
    other = confirmed(grown(study(space=SPACE, batch_size=neighbour), [run], lambda _: ended(40)))

    points = warm_points(study(space=SPACE, batch_size=own), [other], SETTINGS)

    assert [each.point for each in points] == list(range(len(points)))
    assert 1 <= len({repr(each.hyperparameters) for each in points}) == len(points) <= 3
    assert all(each.hyperparameters in SPACE for each in points)


def test_a_scaled_rate_is_that_of_the_optimum_and_not_of_where_it_was_moved() -> None:
    _, linear, square_root = warm_points(study(space=SPACE, batch_size=16), [confirmed(found(128, 2.0))], SETTINGS)

    assert linear.hyperparameters["learning_rate"] == 0.25
    assert square_root.hyperparameters["learning_rate"] == pytest.approx(2 / math.sqrt(8), rel=1e-12)


@pytest.mark.parametrize("rate", [Fixed(0.4), Choice((0.2, 0.4))])
def test_without_a_range_of_learning_rates_there_is_the_optimum_alone(rate: Parameter) -> None:
    space = SearchSpace({**SPACE.parameters, "learning_rate": rate})

    points = warm_points(study(space=space, batch_size=64), [confirmed(found(128, 0.4, space=space))], SETTINGS)

    assert [(each.hyperparameters, each.origin) for each in points] == [(at(0.4), Origin(128, 1, 0, SAME))]


def test_a_study_that_has_begun_stays_with_its_neighbour_whatever_is_known_since() -> None:
    empty, far = study(space=SPACE, batch_size=64), confirmed(found(512, 0.4, 0.3), winner=1)
    points = warm_points(empty, [far], SETTINGS)

    again = warm_points(begun(empty, points[0]), [confirmed(found(128, 0.7)), far], SETTINGS)

    assert again == points


def test_a_study_that_began_by_itself_goes_on_so() -> None:
    record = begun(study(space=SPACE, batch_size=64), PointRun(0, 0, Role.SEARCH, at(0.2)))

    assert warm_points(record, [confirmed(found(128, 0.4))], SETTINGS) == ()


def test_a_study_says_what_it_began_from() -> None:
    empty = study(space=SPACE, batch_size=64)
    points = warm_points(empty, [confirmed(found(128, 0.4))], SETTINGS)
    told = warm_start(begun(empty, *points, PointRun(3, 0, Role.SEARCH, at(0.2))))

    assert told == WarmStart(128, 1, 0, (SAME, LINEAR, SQUARE_ROOT))
    assert told.sentence == "Began from batch size 128's optimum (as it is, linear, square root)."
    assert told.to_json() == {
        "batch_size": 128,
        "round": 1,
        "trial": 0,
        "rules": ["as it is", "linear", "square root"],
    }


def test_a_study_that_took_nothing_over_says_nothing() -> None:
    assert warm_start(found(64, 0.4)) is None
