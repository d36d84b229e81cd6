import itertools

from hypothesis import given
from hypothesis import strategies as st

from objectives.training.measuring.grid import Progress, next_measurement


@given(st.integers(1, 10**9))
def test_measurements_are_at_most_3_percent_apart_or_at_every_step(step: int) -> None:
    following = next_measurement(step)

    assert following > step
    assert following == step + 1 or (following - step) / step <= 0.03
    assert (following + 1 - step) / step > 0.03


def test_a_trial_is_measured_at_every_step_up_to_67() -> None:
    steps = list(itertools.takewhile(lambda step: step < 75, iterate()))

    assert steps == [*range(1, 68), 69, 71, 73]


def test_progress_counts_down_to_the_next_measurement() -> None:
    assert Progress().until_due == 1
    assert Progress(step=101, measured=100).until_due == 2
    assert Progress(step=103, measured=100).until_due == 0


def iterate() -> "itertools.accumulate[int]":
    return itertools.accumulate(itertools.repeat(1), lambda step, _: next_measurement(step))
