"""As trials run out, the others move to a trainer with fewer lanes and notice nothing."""

from functools import partial

import pytest

from objectives.training.shrinking import ShrinkingTrainer
from objectives.training.trainer import LaneTrainer
from tests.objectives.reference import EASY, curves_in_lanes, lane_trainer
from tuner.trial import TrialSpec

TRIALS = [TrialSpec(seed, EASY) for seed in range(9)]


class Maker:
    """Makes lane trainers and remembers how large."""

    def __init__(self, batch_size: int) -> None:
        self.sizes: list[int] = []
        self._make = partial(lane_trainer, batch_size)

    def __call__(self, lanes: int) -> LaneTrainer:
        self.sizes.append(lanes)
        return self._make(lanes=lanes)


@pytest.mark.parametrize("batch_size", [2, 64, 1024])
def test_curves_are_those_of_a_trainer_that_keeps_its_lanes(batch_size: int) -> None:
    maker = Maker(batch_size)
    steps = 24 if batch_size < 1000 else 8

    shrinking = curves_in_lanes(ShrinkingTrainer(maker(8), maker), TRIALS, steps=steps)

    assert shrinking == curves_in_lanes(lane_trainer(batch_size, lanes=8), TRIALS, steps=steps)
    assert min(maker.sizes) < 8


def test_it_shrinks_by_halves_and_grows_back() -> None:
    maker = Maker(64)
    trainer = ShrinkingTrainer(maker(8), maker)
    for lane in range(8):
        trainer.load(lane, TRIALS[lane])
    trainer.advance()

    for lane in range(7):
        trainer.unload(lane)
        trainer.advance()
    trainer.load(0, TRIALS[0])
    trainer.advance()

    assert maker.sizes == [8, 4, 2, 1, 8, 2]
    assert trainer.lanes == 8


def test_a_lane_holds_one_trial() -> None:
    maker = Maker(64)
    trainer = ShrinkingTrainer(maker(2), maker)
    trainer.load(1, TRIALS[0])

    with pytest.raises(ValueError, match="lane 1 holds a trial"):
        trainer.load(1, TRIALS[1])


def test_a_trial_can_be_saved_from_whichever_lane_it_moved_to() -> None:
    maker = Maker(64)
    trainer, other = ShrinkingTrainer(maker(4), maker), lane_trainer(64, lanes=1)
    trainer.load(0, TRIALS[0])
    trainer.load(3, TRIALS[3])
    trainer.advance()
    trainer.unload(0)
    trainer.advance()

    other.load(0, TRIALS[3], trainer.save(3))

    assert other.advance()[0] == trainer.advance()[3]
