"""The search generator fills lanes, judges, caps and refills."""

import math
from collections.abc import Iterator

import pytest

from tests.toy import Toy, ToyTrainer, steps_to
from tuner.goal import ReachTarget
from tuner.records import Role, TrialPlan
from tuner.study import Ended, Trial, search
from tuner.trial import Outcome

GOAL = ReachTarget("validation/error", below=0.03, within_steps=400)


def trials(*learning_rates: float) -> Iterator[Trial]:
    """One trial for each learning rate."""
    for number, rate in enumerate(learning_rates):
        yield Trial(number, TrialPlan(number, 0, Role.SEARCH, number, {"learning_rate": rate}, 2, "cpu"))


def ends(trainer: ToyTrainer, *learning_rates: float, slack: float = math.inf) -> dict[int, Ended]:
    """Every end, by trial number, in the order they came."""
    events = search(trainer, trials(*learning_rates), GOAL, slack=slack)
    return {each.trial.number: each for each in events if isinstance(each, Ended)}


@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
def test_steps_to_target_do_not_depend_on_the_number_of_lanes(lanes: int) -> None:
    rates = (0.1, 0.02, 0.5, 0.05, 0.9)

    found = ends(Toy().trainer(64, lanes=lanes, device="cpu"), *rates)

    assert [found[number].result.steps for number in range(5)] == [steps_to(0.03, rate) for rate in rates]
    assert all(each.result.outcome is Outcome.ACHIEVED for each in found.values())


def test_a_freed_lane_is_refilled_before_the_lanes_advance() -> None:
    trainer = Toy().trainer(64, lanes=2, device="cpu")

    order = list(ends(trainer, 0.001, 0.1, 0.1, 0.1))

    assert order == [1, 2, 3, 0]


def test_a_trial_is_cut_at_slack_times_the_fewest_steps_so_far() -> None:
    best = steps_to(0.03, 0.1)

    found = ends(Toy().trainer(64, lanes=1, device="cpu"), 0.1, 0.0001, slack=1.5)

    assert found[1].result.outcome is Outcome.CENSORED
    assert found[1].result.steps == -(-3 * best // 2)


def test_without_slack_nothing_is_cut_before_its_budget() -> None:
    found = ends(Toy().trainer(64, lanes=1, device="cpu"), 0.1, 1e-6)

    assert (found[1].result.outcome, found[1].result.steps) == (Outcome.CENSORED, 400)


def test_a_diverging_trial_ends_at_once() -> None:
    found = ends(Toy().trainer(64, lanes=1, device="cpu"), 5.0)

    assert (found[0].result.outcome, found[0].result.steps) == (Outcome.INFEASIBLE, 1)


def test_no_trials_are_no_events() -> None:
    assert ends(Toy().trainer(64, lanes=2, device="cpu")) == {}
