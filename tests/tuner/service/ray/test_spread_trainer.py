"""A trainer of trainers: the same results as one trainer, however its lanes are dealt out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.classification import Classification
from objectives.data.digits import Digits
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from tests.measured import advanced
from tests.toy import Toy
from tuner.experiment.goals import ReachTarget
from tuner.objective import Objective, Target, Trainer, measure_end
from tuner.records import Role, TrialPlan
from tuner.search.cutoff import Cutoff
from tuner.search.loop import Ended, Trial, search
from tuner.service.ray.spread_trainer import Change, Measured, SpreadTrainer, apply, dealt
from tuner.trial import TrialSpec

GOAL = ReachTarget("validation/error", Target(0.03), within_steps=400)


@dataclass(frozen=True, slots=True)
class Here:
    """A part in this process."""

    trainer: Trainer

    def advance(self, changes: Sequence[Change]) -> Callable[[], Measured]:
        apply(changes, self.trainer)
        measured = self.trainer.advance()
        return lambda: measured

    def save(self, changes: Sequence[Change], lane: int) -> bytes:
        apply(changes, self.trainer)
        return self.trainer.save(lane)

    def measure_end(self, changes: Sequence[Change], lane: int, step: int) -> Mapping[str, float]:
        apply(changes, self.trainer)
        return measure_end(self.trainer, lane, step)

    def close(self) -> None:
        self.trainer.close()


def spread(objective: Objective, *, lanes: int, parts: int) -> SpreadTrainer:
    made = [Here(objective.trainer(64, lanes=each, device="cpu")) for each in dealt(lanes, parts)]
    return SpreadTrainer(made, lanes=lanes, device="cpu")


def ended(trainer: Trainer, rates: Sequence[float]) -> list[Ended]:
    """A search with capping, in which what ends first decides how others end."""
    plans = [TrialPlan(at, 0, Role.SEARCH, at, {"learning_rate": each}, 1, "cpu") for at, each in enumerate(rates)]
    trials = iter([Trial(at, plan) for at, plan in enumerate(plans)])
    return [each for each in search(trainer, trials, GOAL, cutoff=Cutoff(1.5)) if isinstance(each, Ended)]


@given(
    st.lists(st.floats(1e-3, 10), min_size=1, max_size=12),
    st.integers(1, 6).flatmap(lambda lanes: st.tuples(st.just(lanes), st.integers(1, lanes))),
)
def test_a_search_ends_the_same_however_its_lanes_are_dealt_out(rates: list[float], shape: tuple[int, int]) -> None:
    lanes, parts = shape

    assert ended(spread(Toy(), lanes=lanes, parts=parts), rates) == ended(
        Toy().trainer(64, lanes=lanes, device="cpu"), rates
    )


def test_digits_train_the_same_in_one_trainer_and_in_three() -> None:
    objective = Classification(Digits(), Mlp(hidden=(32,)), HeavyBall(), LinearDecay())
    trainers = [objective.trainer(64, lanes=5, device="cpu"), spread(objective, lanes=5, parts=3)]
    for trainer in trainers:
        for lane in range(5):
            point = {"learning_rate": 0.02 * (lane + 1), "momentum": 0.5, "end_factor": 1.0, "decay_steps": 100.0}
            trainer.load(lane, TrialSpec(lane, point))

    for _ in range(30):
        one, three = (advanced(trainer) for trainer in trainers)
        assert list(one) == list(three)
        for lane, (measured,) in one.items():
            assert three[lane][0].step == measured.step
            assert three[lane][0].metrics == pytest.approx(measured.metrics, rel=1e-4, abs=1e-6)


def test_a_trial_goes_on_from_where_it_was_saved_in_another_lane() -> None:
    trainer, spec = spread(Toy(), lanes=4, parts=2), TrialSpec(0, {"learning_rate": 0.1})
    trainer.load(3, spec)
    for _ in range(5):
        advanced(trainer)

    saved = trainer.save(3)
    trainer.unload(3)
    trainer.load(0, spec, saved)

    assert [each.step for each in advanced(trainer)[0]] == [6]
    assert trainer.save(0) == b"6"


def test_a_lane_that_holds_a_trial_is_not_loaded_again() -> None:
    trainer = spread(Toy(), lanes=4, parts=2)
    trainer.load(3, TrialSpec(0, {"learning_rate": 0.1}))

    with pytest.raises(ValueError, match="lane 3 holds a trial; unload it first"):
        trainer.load(3, TrialSpec(0, {"learning_rate": 0.1}))


@given(st.integers(1, 100), st.integers(1, 100))
def test_lanes_are_dealt_out_evenly(lanes: int, parts: int) -> None:
    shares = dealt(lanes, parts)

    assert sum(shares) == lanes
    assert max(shares) - min(shares) <= 1
