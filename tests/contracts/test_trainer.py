"""What every trainer keeps of a trial: it goes on from a checkpoint as if nothing had happened, to the last bit."""

import math
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
from torch import nn

from objectives.classification import Classification
from objectives.data.digits import Digits
from objectives.function import Function
from objectives.losses.bce import BCE
from objectives.losses.mse import MSE
from objectives.losses.next_token import NEXT_TOKEN
from objectives.models.mlp import Mlp
from objectives.models.transformer import Transformer
from objectives.nqm import Noise, QuadraticWorkload
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.supervised import Supervised
from tests.measured import advanced
from tests.objectives.loops.scripts import command
from tests.objectives.reference import EASY
from tests.objectives.users import Data
from tests.toy import Toy
from tuner.analysis.nqm import Method
from tuner.objective import Objective, Trainer
from tuner.trial import Measurement, TrialSpec, Value

SLOW = {**EASY, "learning_rate": 0.01}
"""Still far from the target after a few hundred steps."""

POINTS: dict[str, dict[str, Value]] = {
    "perceptron": dict(SLOW),
    "module with dropout": dict(SLOW),
    "perceptron with numbers": dict(SLOW),
    "module with shares": dict(SLOW),
    "transformer with dropout": dict(SLOW),
    "expected quadratic": {"learning_rate": 0.1, "averaging": 0.9},
    "sampled quadratic": {"learning_rate": 0.1, "momentum": 0.9},
    "toy": {"learning_rate": 0.01},
    "function": {"learning_rate": 0.1},
    "command": {"learning_rate": 0.1},
}
TRAINERS = list(POINTS)


@dataclass(frozen=True)
class Dropping:
    """A model that draws random numbers as it trains."""

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 16), nn.Dropout(), nn.Linear(16, classes))


def train(trainer: Trainer, lane: int) -> list[Measurement]:
    """What a lane measures while all of them are advanced some times."""
    found: list[Measurement] = []
    for _ in range(8):
        while not (measured := advanced(trainer)):
            """A script has to be waited for."""
        found += measured.get(lane, ())
    return found


def objective(kind: str) -> Objective:
    match kind:
        case "perceptron":
            return Classification(Digits(), Mlp((32, 16)), HeavyBall(), LinearDecay())
        case "module with dropout":
            return Classification(Digits(), Dropping(), HeavyBall(), LinearDecay())
        case "perceptron with numbers":
            return Supervised(Data("numbers"), Mlp((32, 16)), HeavyBall(), LinearDecay(), loss=MSE)
        case "module with shares":
            return Supervised(Data("shares"), Dropping(), HeavyBall(), LinearDecay(), loss=BCE)
        case "transformer with dropout":
            return Supervised(
                Data("tokens"), Transformer(16, 1, 2, dropout=0.1), HeavyBall(), LinearDecay(), loss=NEXT_TOKEN
            )
        case "expected quadratic":
            return QuadraticWorkload(Method.AVERAGE, noise=Noise.EXPECTED)
        case "sampled quadratic":
            return QuadraticWorkload(Method.HEAVY_BALL, noise=Noise.SAMPLED, dimension=40)
        case "function":
            return Function("tests.objectives.loops.users:decay", frozenset({"validation/error"}), 1024)
        case "command":
            return command("quiet", "{checkpoint}")
    return Toy()


@pytest.mark.parametrize("lanes", [1, 3, 8])
@pytest.mark.parametrize("kind", TRAINERS)
def test_a_trial_goes_on_in_any_lane_of_another_trainer_with_the_same_bits(kind: str, lanes: int) -> None:
    first = objective(kind).trainer(16, lanes=2, device="cpu")
    second = objective(kind).trainer(16, lanes=lanes, device="cpu")
    trial, neighbour = TrialSpec(11, POINTS[kind]), TrialSpec(5, POINTS[kind])
    first.load(0, neighbour)
    first.advance()
    first.load(1, trial)
    train(first, 1)
    checkpoint = first.save(1)
    if lanes > 1:
        second.load(0, neighbour)
        second.advance()
    second.load(lanes - 1, trial, checkpoint)

    ours, theirs = train(first, 1), train(second, lanes - 1)

    shared = min(len(ours), len(theirs))
    assert shared >= 7
    assert theirs[:shared] == ours[:shared]


@pytest.mark.parametrize("kind", TRAINERS)
def test_a_lane_whose_checkpoint_cannot_be_read_is_still_free_and_nothing_in_it_was_run(
    kind: str, tmp_path: Path
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "trapped"),)

    fresh, tried = (objective(kind).trainer(16, lanes=1, device="cpu") for _ in range(2))
    trial = TrialSpec(11, POINTS[kind])
    fresh.load(0, trial)
    for wrong in (b"nonsense", pickle.dumps({"step": 3, "parameters": Trap()}, protocol=2)):
        with pytest.raises((ValueError, pickle.UnpicklingError)):
            tried.load(0, trial, wrong)
    tried.load(0, trial)

    assert not (tmp_path / "trapped").exists()
    assert tried.advance() == fresh.advance()
