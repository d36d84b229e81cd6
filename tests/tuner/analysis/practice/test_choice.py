"""What to train with, where the answer is known: steps, times and intervals that were made up."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from tuner.analysis.practice.choice import Choice, choice
from tuner.analysis.practice.effort import efforts
from tuner.analysis.practice.front import front
from tuner.analysis.scaling.curve import ScalingPoint
from tuner.records import Timing, newest

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
GPU = "H100"


def point(batch_size: int, *per_seed: float) -> ScalingPoint:
    """The steps of an odd number of seeds, in order."""
    return ScalingPoint(batch_size, per_seed[len(per_seed) // 2], per_seed, {})


def timing(batch_size: int, *seconds: float, device: str = GPU, has_measuring: bool = False) -> Timing:
    return Timing(batch_size, device, seconds, has_measuring, NOON)


def chosen(points: Mapping[int, tuple[float, ...]], seconds: Mapping[int, float] | None = None) -> Choice:
    """The choice among batch sizes with the steps of their seeds and the seconds of their steps."""
    timed = {size: timing(size, each, each, each) for size, each in (seconds or {}).items()}
    found = efforts([point(size, *steps) for size, steps in points.items()], timed)
    return choice(found, device=GPU if timed else "")


def test_a_choice_that_another_beats_in_one_cost_and_equals_in_the_other_is_not_on_the_front() -> None:
    assert front([(1.0, 1.0)]) == (0,)
    assert front([(1.0, 2.0), (1.0, 1.0), (2.0, 1.0)]) == (1,)
    assert front([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0), (3.0, 3.0)]) == (0, 1, 2)
    assert front([(1.0, 1.0), (1.0, 1.0)]) == (0, 1)


def test_time_is_steps_times_the_time_of_a_step_and_its_interval_holds_that_of_both() -> None:
    found = efforts([point(64, 90, 90, 100, 120, 120)], {64: timing(64, 0.01, 0.02, 0.04)})
    (way,) = found.ways

    assert way.steps.value == 100
    assert way.examples.value == 6400
    assert way.seconds is not None
    assert way.seconds.value == pytest.approx(2.0)
    assert (way.steps.low, way.steps.high) == (90, 120)
    assert way.seconds.low == pytest.approx(0.9)
    assert way.seconds.high == pytest.approx(4.8)


def test_perfect_scaling_on_a_device_that_takes_no_longer_for_more_examples_advises_the_largest_batch() -> None:
    found = chosen({8: (800.0,) * 5, 16: (400.0,) * 5, 32: (200.0,) * 5}, {8: 0.01, 16: 0.01, 32: 0.01})

    assert found.worth == (32,)
    assert (found.cheapest, found.advised, found.enough) == (32, 32, 32)  # all take as many examples
    assert found.advice == (
        "On this H100, batch size 32 reaches the target with the fewest examples, and no other is certain to be sooner."
    )


def test_the_sentence_says_how_much_sooner_for_how_many_examples_and_where_time_stops_to_fall() -> None:
    steps = {64: (1000.0,) * 5, 512: (162.5,) * 5, 2048: (130.0,) * 5, 4096: (130.0,) * 5}

    found = chosen(steps, {64: 0.01, 512: 0.01, 2048: 0.01, 4096: 0.01})

    assert found.worth == (64, 512, 2048)
    assert found.advice == (
        "On this H100, batch size 512 reaches the target 6.2 times sooner than 64 for 1.3 times the examples; "
        "none beyond 2,048 is certain to be sooner still."
    )


def test_a_batch_that_is_faster_by_less_than_its_seeds_tell_is_not_called_faster() -> None:
    found = chosen({8: (90.0, 95.0, 100.0, 105.0, 110.0), 16: (60.0, 90.0, 95.0, 100.0, 140.0)}, {8: 0.01, 16: 0.01})

    assert (found.faster, found.sooner, found.advised) == (None, None, 8)
    assert found.advice == (
        "On this H100, batch size 8 reaches the target with the fewest examples, and no other is certain to be sooner."
    )


def test_where_larger_batches_are_faster_but_too_dear_the_cheapest_is_advised_and_the_fastest_is_named() -> None:
    found = chosen({8: (100.0,) * 5, 32: (80.0,) * 5}, {8: 0.01, 32: 0.01})

    assert (found.advised, found.faster) == (8, 32)
    assert found.advice == (
        "On this H100, batch size 8 reaches the target with the fewest examples; 32 is 1.2 times sooner for 3.2 times "
        "as many; it is the largest that reaches it."
    )


def test_without_times_the_steps_are_weighed() -> None:
    found = chosen({4: (400.0,) * 5, 64: (50.0,) * 5, 256: (49.0,) * 5, 1024: (50.0,) * 5})

    assert found.advice == (
        "Batch size 64 takes 8 times fewer steps to the target than 4 for 2 times the examples; "
        "none beyond 256 is certain to take fewer still."
    )
    assert found.ways[0].pace == found.ways[0].steps


def test_one_way_is_all_there_is() -> None:
    found = chosen({8: (100.0,)}, {8: 0.01})

    assert found.advice == "On this H100, batch size 8 is the only one known to reach the target."
    assert found.enough == 8


def test_no_batch_size_beyond_one_that_is_smaller_than_the_advised_is_spoken_of() -> None:
    """The steps at batch size 4 are so uncertain that nothing is certain to take fewer."""
    steps = {4: (50.0, 60.0, 400.0, 2000.0, 9000.0), 8: (190.0,) * 5, 32: (60.0,) * 5, 64: (60.0,) * 5}

    found = chosen(steps)

    assert (found.cheapest, found.faster, found.enough) == (8, 32, 32)
    assert found.advice.endswith("; none beyond 32 is certain to take fewer still.")


def test_one_seed_makes_nothing_certain() -> None:
    found = chosen({4: (400.0,), 64: (50.0,), 256: (60.0,)})

    assert found.advice == (
        "Batch size 64 takes 8 times fewer steps to the target than 4 for 2 times the examples; "
        "none beyond 64 takes fewer still."
    )
    assert found.certainty == "Steps: too few seeds for an interval (1; at least 5)."


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_too_few_seeds_have_no_interval_and_the_medians_decide(seeds: int) -> None:
    found = chosen({4: (400.0,) * seeds, 64: (50.0,) * seeds}, {4: 0.01, 64: 0.01})

    assert found.why_no_interval == f"too few seeds for an interval ({seeds}; at least 5)"
    assert (found.advised, found.cheapest) == (64, 4)
    for each in found.ways:
        assert each.seconds is not None
        assert not each.seconds.has_interval
        assert each.to_json(1.0)["examples"] == {"value": each.examples.value, "low": None, "high": None}
    assert found.to_json()["sooner"] == {"value": 8.0, "low": None, "high": None}


def test_exact_steps_are_not_called_too_few_seeds() -> None:
    found = choice(efforts([point(4, 400.0), point(64, 50.0)], {}, is_exact=True))

    assert found.certainty == "Steps: exact, the same for every seed."
    assert "certain" not in found.advice


def test_a_batch_size_that_was_not_timed_reaches_the_target_too() -> None:
    found = choice(efforts([point(8, 100.0, 100.0, 100.0)], {8: timing(8, 0.01)}), device=GPU, untimed=(16, 1024))

    assert found.advice == (
        "On this H100, batch size 8 is the only one timed of those that reach the target (not timed there: 16, 1,024)."
    )


def test_an_interval_without_an_end_is_said_in_words() -> None:
    found = chosen({8: (100.0, 100.0, 100.0, math.inf, math.inf), 16: (60.0,) * 5})

    assert found.certainty == (
        "With 95 % confidence over seeds batch size 16 takes at least 1.7 times fewer steps than 8, "
        "for at most 1.2 times the examples."
    )


def test_a_seed_that_did_not_reach_the_target_makes_an_end_infinite_and_json_null() -> None:
    found = chosen({8: (100.0, 100.0, 100.0, math.inf, math.inf), 16: (60.0,) * 5}, {8: 0.01, 16: 0.01})

    assert found.ways[0].steps.high == math.inf
    assert found.ways[0].to_json(None)["seconds"] == {"value": 1.0, "low": 1.0, "high": None}


def test_a_price_an_hour_makes_time_money() -> None:
    (way,) = efforts([point(64, *[100.0] * 5)], {64: timing(64, 36.0)}).ways

    assert way.to_json(2.0)["cost"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert "cost" not in way.to_json(None)


def test_of_timings_of_the_same_batch_size_on_the_same_device_the_last_counts() -> None:
    first, again, other = timing(8, 1.0), timing(8, 2.0), timing(8, 3.0, device="a CPU")

    assert newest([first, other, again]) == (again, other)
