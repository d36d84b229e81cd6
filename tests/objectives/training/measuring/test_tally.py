"""A measurement ends early only where its target is certainly missed, and what it records then is not biased."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from objectives.training.measuring.tally import ACCURACY, DECISIVE, ERROR, LOSS, Losses, Tally
from objectives.training.measuring.terms import Level
from tuner.objective import Target

Terms = tuple[NDArray[np.int8], NDArray[np.float32]]

ODD = [0.0, 1e-30, 0.25, 1.0, 2.0, 1e30, math.inf, math.nan]
"""Losses that are equal, tiny, huge and no numbers."""


@st.composite
def terms(draw: st.DrawFn, positions: int = 0) -> Terms:
    """What a lane makes of some examples, each with one class, or with tokens at so many positions."""
    many = draw(st.integers(1, 60))
    labels = many * (positions or 1)
    levels = np.array(draw(st.lists(st.sampled_from(Level), min_size=labels, max_size=labels)), dtype=np.int8)
    losses = draw(st.lists(st.sampled_from(ODD) | st.floats(0, 10, width=32), min_size=many, max_size=many))
    return levels.reshape(many, positions) if positions else levels, np.array(losses, dtype=np.float32)


def made_of(wrong: NDArray[np.bool_], loss: float = 2.0) -> Terms:
    """Examples that are clearly wrong, with this loss, or right."""
    return (2 * wrong).astype(np.int8), np.where(wrong, loss, 0.1).astype(np.float32)


@dataclass
class Measured:
    """A measurement that is done, and how many examples it took."""

    tally: Tally
    took: int


def measure(
    terms: Terms, metric: str, target: Target | None, *, block: int, most: int, recall: Losses | None = None
) -> Measured:
    """The measurement of a lane that makes this of its examples. Chosen ones lose their last digits."""
    levels, losses = terms
    tally = Tally(metric, target, np.zeros_like(losses) if recall is None else recall, levels[:1].size)
    rows, took = np.arange(min(block, len(levels))), 0
    while True:
        shaken = losses[rows] * np.float32(1 + 1e-5) if took and tally.chooses else losses[rows]
        tally.add(rows, levels[rows], shaken)
        took += len(rows)
        if tally.is_done:
            return Measured(tally, took)
        rows = tally.pick(most)
        assert 0 < len(set(rows.tolist())) == len(rows) <= most


def whole(terms: Terms, metric: str, *, block: int, most: int) -> float:
    """The metric over all examples, in the same blocks."""
    tally = measure(terms, metric, None, block=block, most=most).tally
    assert tally.is_whole
    return tally.values()[metric]


@given(
    st.sampled_from([0, 1, 3]).flatmap(lambda positions: st.tuples(terms(positions), terms(positions))),
    st.sampled_from(sorted(DECISIVE)),
    st.floats(1e-3, 2),
    st.integers(1, 70),
    st.integers(1, 70),
)
def test_a_target_is_met_exactly_where_all_examples_say_so(
    pair: tuple[Terms, Terms], metric: str, value: float, block: int, most: int
) -> None:
    """Whatever the lane got wrong before, and whatever is measured first; with classes and with tokens."""
    before, now = pair
    target = Target(value, above=metric == ACCURACY)
    many = min(len(before[0]), len(now[0]))
    recall = np.zeros(many, dtype=np.float32)
    for made in (before, now):
        part = made[0][:many], made[1][:many]
        tally = measure(part, metric, target, block=block, most=most, recall=recall).tally
        recall = tally.recall

        truth = whole(part, metric, block=block, most=most)
        assert (tally.is_whole and target.is_met(tally.values()[metric])) == target.is_met(truth)
        assert not tally.is_whole or repr(tally.values()[metric]) == repr(truth)


@given(st.integers(1, 400), st.data(), st.integers(1, 600))
@example(100, None, 10)
def test_a_target_that_is_a_multiple_of_one_example_is_missed_by_that_many_errors(
    many: int, data: st.DataObject | None, block: int
) -> None:
    """Strictly below: `k` errors of `many` do not meet a target of `k / many`, and one fewer do."""
    errors = data.draw(st.integers(1, many)) if data else 3
    target = Target(errors / many)
    for found, meets in ((errors, False), (errors - 1, True)):
        made = made_of(np.arange(many) < found)
        tally = measure(made, ERROR, target, block=block, most=50).tally

        assert (tally.is_whole and target.is_met(tally.values()[ERROR])) is meets
        accurate = Target(1 - errors / many, above=True) if errors < many else None
        if accurate is not None and accurate.value == (many - errors) / many:
            other = measure(made, ACCURACY, accurate, block=block, most=50).tally
            assert (other.is_whole and accurate.is_met(other.values()[ACCURACY])) is meets


@pytest.mark.parametrize("metric", [ERROR, LOSS])
def test_the_mean_that_is_recorded_is_not_biased(metric: str) -> None:
    """Over random orders of the examples; the mean up to the error that decides would be 6 % too large."""
    draws = np.random.default_rng(0)
    wrong = np.arange(1000) < 80
    recorded, deciding = [], []
    for _ in range(2000):
        made = made_of(draws.permutation(wrong))
        tally = measure(made, metric, Target(0.02), block=250, most=50).tally
        recorded.append(tally.values()[metric])
        deciding.append(20 / (1 + np.flatnonzero(made[0])[19]))

    truth = whole(made_of(wrong), metric, block=250, most=50)
    spread = np.std(recorded) / math.sqrt(len(recorded))
    assert abs(np.mean(recorded) - truth) < 4 * spread < 0.02 * truth
    if metric == ERROR:
        assert np.mean(deciding) > 1.04 * truth


def test_examples_that_were_wrong_before_decide_soon() -> None:
    """Of 5,000 examples 250 stay wrong: a target of 150 is ruled out by hardly more than 150."""
    wrong = np.zeros(5000, dtype=np.bool_)
    wrong[np.random.default_rng(0).choice(5000, 250, replace=False)] = True
    made = made_of(wrong)
    first = measure(made, ERROR, Target(0.03), block=512, most=512)
    second = measure(made, ERROR, Target(0.03), block=512, most=512, recall=first.tally.recall)

    assert second.took < 512 + 250 < first.took
    assert second.tally.partial == {LOSS: 512, ERROR: 512}


def texts_of(hard: float, many: int = 2000, positions: int = 16) -> Terms:
    """Texts in which a share of all tokens is wrong: more in some texts than in others, and with larger losses."""
    random = np.random.default_rng(0)
    share = np.minimum(random.exponential(hard, many), 1)
    wrong = random.random((many, positions)) < share[:, None]
    return (2 * wrong).astype(np.int8), np.where(wrong, 3.0, 0.2).mean(1).astype(np.float32)


def test_texts_whose_tokens_were_wrong_before_decide_soon() -> None:
    """Of all tokens 10 % stay wrong: a target of 4 % is ruled out by the texts that hold most of them."""
    made = texts_of(0.1)
    first = measure(made, ERROR, Target(0.04), block=128, most=128)
    second = measure(made, ERROR, Target(0.04), block=128, most=128, recall=first.tally.recall)
    whole_error = (made[0] > 0).mean()

    assert second.took < 128 + 450 < first.took < 2000 * 0.04 / whole_error * 1.3
    assert second.tally.partial == {LOSS: 128, ERROR: 128}
    assert second.tally.values()[ERROR] == (made[0][:128] > 0).mean()


@pytest.mark.parametrize(("metric", "value"), [(ERROR, 1 / 8), (ACCURACY, 7 / 8)])
def test_a_share_of_tokens_that_is_the_target_does_not_meet_it(metric: str, value: float) -> None:
    """Of 160 tokens 20 are wrong; with one fewer the target is met."""
    target = Target(value, above=metric == ACCURACY)
    for wrong, meets in ((20, False), (19, True)):
        levels = np.where(np.arange(160) < wrong, Level.CLEARLY_WRONG, Level.RIGHT).astype(np.int8).reshape(10, 16)
        tally = measure((levels, np.ones(10, dtype=np.float32)), metric, target, block=3, most=4).tally

        assert (tally.is_whole and target.is_met(tally.values()[metric])) is meets


def test_examples_that_are_wrong_by_a_hair_rule_nothing_out_when_they_are_chosen() -> None:
    """In its own block such an example may be right. So all are measured, and then they count."""
    levels = np.zeros(2000, dtype=np.int8)
    levels[500:700] = Level.WRONG
    losses = np.where(levels > 0, 0.7, 0.1).astype(np.float32)

    found = measure((levels, losses), ERROR, Target(0.05), block=100, most=100, recall=losses)

    assert found.took > 600
    assert found.tally.is_over


def test_the_last_digits_of_chosen_examples_rule_nothing_out() -> None:
    """The loss is below its target by a millionth, and chosen examples are off by ten times that."""
    losses = np.where(np.arange(2000) % 5 == 0, 2.5 * (1 - 1e-6), 0.0).astype(np.float32)
    levels = np.zeros(2000, dtype=np.int8)

    tally = measure((levels, losses), LOSS, Target(0.5), block=100, most=500, recall=losses).tally

    assert tally.is_whole
    assert tally.values()[LOSS] < 0.5


@pytest.mark.parametrize("metric", [ERROR, LOSS])
def test_a_lane_whose_outputs_are_no_numbers_leaves_after_the_first_block(metric: str) -> None:
    made = np.full(5000, Level.CLEARLY_WRONG, dtype=np.int8), np.full(5000, math.nan, dtype=np.float32)

    found = measure(made, metric, Target(0.03), block=512, most=512)

    assert (found.took, found.tally.is_over, found.tally.is_whole) == (512, True, False)


def test_without_a_target_everything_is_measured_once() -> None:
    found = measure(made_of(np.ones(5000, dtype=np.bool_), loss=1.0), ERROR, None, block=512, most=512)

    assert (found.took, found.tally.partial, found.tally.values()) == (5000, {}, {LOSS: 1.0, ERROR: 1.0})


def test_fewer_examples_than_a_block_are_all_measured() -> None:
    tally = measure(made_of(np.ones(40, dtype=np.bool_)), ERROR, Target(0.03), block=512, most=512).tally

    assert (tally.is_whole, tally.partial) == (True, {})


def test_without_examples_there_are_no_means() -> None:
    tally = Tally(ERROR, Target(0.03), np.zeros(0, dtype=np.float32))

    assert tally.is_done
    assert math.isnan(tally.values()[ERROR])
