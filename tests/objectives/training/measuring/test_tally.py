"""A measurement ends early only where its target is certainly missed, and what it records then is not biased."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from objectives.training.measuring.tally import ACCURACY, DECISIVE, ERROR, LOSS, Recall, Tally
from tuner.objective import Target

Terms = tuple[NDArray[np.bool_], NDArray[np.float32]]

ODD = [0.0, 1e-30, 0.25, 1.0, 2.0, 1e30, math.inf, math.nan]
"""Losses that are equal, tiny, huge and no numbers."""


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """What a lane makes of some examples."""
    many = draw(st.integers(1, 60))
    wrong = draw(st.lists(st.booleans(), min_size=many, max_size=many))
    losses = draw(st.lists(st.sampled_from(ODD) | st.floats(0, 10, width=32), min_size=many, max_size=many))
    return np.array(wrong), np.array(losses, dtype=np.float32)


def measured(terms: Terms, metric: str, target: Target | None, *, block: int, most: int, recall: Recall) -> Tally:
    """The measurement of a lane that makes this of its examples."""
    wrong, losses = terms
    tally = Tally(metric, target, recall)
    first = np.arange(min(block, len(wrong)))
    tally.add(first, wrong[first], losses[first])
    while not tally.is_done:
        rows = tally.pick(most)
        assert 0 < len(set(rows.tolist())) == len(rows) <= most
        tally.add(rows, wrong[rows], losses[rows])
    return tally


def whole(terms: Terms, metric: str) -> float:
    """The metric over all examples."""
    tally = measured(terms, metric, None, block=len(terms[0]), most=1, recall=Recall.of(len(terms[0])))
    assert tally.is_whole
    return tally.values()[metric]


@given(terms(), terms(), st.sampled_from(sorted(DECISIVE)), st.floats(1e-3, 2), st.integers(1, 70), st.integers(1, 70))
def test_a_target_is_met_exactly_where_all_examples_say_so(
    before: Terms, now: Terms, metric: str, value: float, block: int, most: int
) -> None:
    """Whatever the lane got wrong before, and whatever is measured first."""
    target = Target(value, above=metric == ACCURACY)
    many = min(len(before[0]), len(now[0]))
    recall = Recall.of(many)
    for made in (before, now):
        part = made[0][:many], made[1][:many]
        tally = measured(part, metric, target, block=block, most=most, recall=recall)
        recall = tally.recall

        reached = tally.is_whole and target.is_met(tally.values()[metric])
        assert reached == target.is_met(whole(part, metric))


@given(st.integers(1, 400), st.data(), st.integers(1, 600))
@example(100, None, 10)
def test_a_target_that_is_a_multiple_of_one_example_is_missed_by_that_many_errors(
    many: int, data: st.DataObject | None, block: int
) -> None:
    """Strictly below: `k` errors of `many` do not meet a target of `k / many`, and one fewer do."""
    errors = data.draw(st.integers(1, many)) if data else 3
    target = Target(errors / many)
    for found, meets in ((errors, False), (errors - 1, True)):
        made = np.arange(many) < found, np.zeros(many, dtype=np.float32)
        tally = measured(made, ERROR, target, block=block, most=50, recall=Recall.of(many))

        assert (tally.is_whole and target.is_met(tally.values()[ERROR])) is meets
        accurate = Target(1 - errors / many, above=True) if errors < many else None
        if accurate is not None and accurate.value == (many - errors) / many:
            other = measured(made, ACCURACY, accurate, block=block, most=50, recall=Recall.of(many))
            assert (other.is_whole and accurate.is_met(other.values()[ACCURACY])) is meets


@pytest.mark.parametrize("metric", [ERROR, LOSS])
def test_the_mean_that_is_recorded_is_not_biased(metric: str) -> None:
    """Over random orders of the examples; the mean up to the error that decides would be 6 % too large."""
    draws = np.random.default_rng(0)
    wrong = np.arange(1000) < 80
    losses = np.where(wrong, 2.0, 0.1).astype(np.float32)
    recorded, deciding = [], []
    for _ in range(2000):
        order = draws.permutation(1000)
        made = wrong[order], losses[order]
        tally = measured(made, metric, Target(0.02), block=250, most=50, recall=Recall.of(1000))
        recorded.append(tally.values()[metric])
        deciding.append(20 / (1 + np.flatnonzero(made[0])[19]))

    truth = whole((wrong, losses), metric)
    spread = np.std(recorded) / math.sqrt(len(recorded))
    assert abs(np.mean(recorded) - truth) < 4 * spread < 0.02 * truth
    if metric == ERROR:
        assert np.mean(deciding) > 1.04 * truth


def test_examples_that_were_wrong_before_decide_soon() -> None:
    """Of 5,000 examples 250 stay wrong: a target of 150 is ruled out by hardly more than 150."""
    wrong = np.zeros(5000, dtype=np.bool_)
    wrong[np.random.default_rng(0).choice(5000, 250, replace=False)] = True
    made = wrong, np.where(wrong, 2.0, 0.1).astype(np.float32)
    first = measured(made, ERROR, Target(0.03), block=512, most=512, recall=Recall.of(5000))
    second = measured(made, ERROR, Target(0.03), block=512, most=512, recall=first.recall)

    assert second.sums.seen < 512 + 160 < first.sums.seen
    assert second.partial == {LOSS: 512, ERROR: 512}


def test_a_lane_whose_outputs_are_no_numbers_leaves_after_the_first_block() -> None:
    made = np.ones(5000, dtype=np.bool_), np.full(5000, math.nan, dtype=np.float32)

    for metric in (ERROR, LOSS):
        tally = measured(made, metric, Target(0.03), block=512, most=512, recall=Recall.of(5000))
        assert (tally.sums.seen, tally.is_over, tally.is_whole) == (512, True, False)


def test_without_a_target_everything_is_measured() -> None:
    made = np.ones(5000, dtype=np.bool_), np.ones(5000, dtype=np.float32)

    tally = measured(made, ERROR, None, block=512, most=512, recall=Recall.of(5000))

    assert (tally.partial, tally.values()) == ({}, {LOSS: 1.0, ERROR: 1.0})


def test_fewer_examples_than_a_block_are_all_measured() -> None:
    made = np.ones(40, dtype=np.bool_), np.ones(40, dtype=np.float32)

    tally = measured(made, ERROR, Target(0.03), block=512, most=512, recall=Recall.of(40))

    assert (tally.is_whole, tally.partial) == (True, {})


def test_without_examples_there_are_no_means() -> None:
    tally = measured(
        (np.ones(0, dtype=np.bool_), np.ones(0, dtype=np.float32)),
        ERROR,
        Target(0.03),
        block=512,
        most=5,
        recall=Recall.of(0),
    )

    assert (tally.is_done, math.isnan(tally.values()[ERROR])) == (True, True)
