"""Trials under K-FAC start, are saved, are measured and go on as those of every optimizer."""

import pytest
import torch

from objectives.data.digits import Digits
from objectives.models import Architecture, Model
from objectives.models.mlp import Mlp
from objectives.optimizers import Fisher
from objectives.optimizers.ema import Ema
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.optimizers.kfac import Kfac
from objectives.schedules.constant import Constant
from objectives.supervised import Supervised
from objectives.training.lanes import Lanes
from objectives.training.networks.network import Computation, networks_for
from tests.objectives.optimizers.kfac_lanes import TYPICAL, data, minibatches, trained
from tests.objectives.optimizers.plain_kfac import BATCH, Small
from tests.objectives.reference import curve_in_lane
from tuner.trial import TrialSpec


@pytest.mark.parametrize("model", [Mlp((5, 4)), Small()])
def test_a_checkpoint_goes_on_to_the_last_bit(model: Model | Architecture) -> None:
    made = Supervised(Digits(), model, Kfac())
    trial = TrialSpec(3, TYPICAL)
    straight = made.trainer(16, lanes=1, device="cpu")
    straight.load(0, trial)
    expected = curve_in_lane(straight, 0, steps=8)
    stopped = made.trainer(16, lanes=2, device="cpu")
    stopped.load(1, trial)
    curve_in_lane(stopped, 1, steps=4)

    goes_on = made.trainer(16, lanes=1, device="cpu")
    goes_on.load(0, trial, stopped.save(1))
    curve = curve_in_lane(goes_on, 0, steps=8)

    assert curve == [each for each in expected if each.step > 4]
    assert goes_on.save(0) == straight.save(0)


def test_a_perceptron_starts_where_it_does_with_other_optimizers() -> None:
    splits = Digits().load()
    written, module = (
        networks_for(
            Mlp((6,)), splits, Computation(), lanes=1, batch_size=4, device=torch.device("cpu"), fisher=fisher
        ).now
        for fisher in (None, Fisher.SAMPLED)
    )
    rows = [each.initialise(generator) for each in (written, module) if (generator := torch.Generator().manual_seed(4))]

    weights = [each.named_weights(row) for each, row in zip((written, module), rows, strict=True)]  # type: ignore[attr-defined]

    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    inputs = splits.train.inputs[:9]
    torch.testing.assert_close(
        *(each.logits(row.unsqueeze(0), inputs) for each, row in zip((written, module), rows, strict=True))
    )


def test_steps_are_not_recorded() -> None:
    """An interval for each lane is decided on the host, which a recorded step does not ask."""

    def recorder() -> object:
        raise AssertionError("recorded")

    networks = networks_for(
        Small(), data(), Computation(), lanes=1, batch_size=BATCH, device=torch.device("cpu"), fisher=Fisher.SAMPLED
    )

    def made(optimizer: Kfac | HeavyBall) -> Lanes:
        lanes = Lanes(
            networks,
            optimizer=optimizer,
            schedule=Constant(),
            lanes=1,
            device=torch.device("cpu"),
            dtype=torch.float32,
            recorder=recorder,  # type: ignore[arg-type]
        )
        row = lanes.first_row(networks.now.initialise(torch.Generator().manual_seed(0)))
        lanes.write(0, row, seed=0, step=0, hyperparameters=TYPICAL)
        return lanes

    inputs, labels = minibatches(2, 1, dtype=torch.float32)
    trained(made(Kfac()), inputs, labels)
    with pytest.raises(AssertionError, match="recorded"):
        trained(made(HeavyBall()), inputs, labels)


def test_averages_of_its_parameters_are_measured_as_those_of_another_optimizer() -> None:
    made = Supervised(Digits(), Small(), Ema(Kfac()))
    trainer = made.trainer(16, lanes=1, device="cpu")
    trainer.load(0, TrialSpec(3, TYPICAL | {"averaging": 0.0}))

    curve = curve_in_lane(trainer, 0, steps=4)

    plain = Supervised(Digits(), Small(), Kfac()).trainer(16, lanes=1, device="cpu")
    plain.load(0, TrialSpec(3, TYPICAL))
    assert curve == curve_in_lane(plain, 0, steps=4)
