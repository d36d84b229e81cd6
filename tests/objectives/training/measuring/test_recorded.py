"""Lanes that are measured by recorded steps make of their examples what they make of them otherwise."""

from collections.abc import Sequence
from functools import partial

import pytest
import torch

from objectives.classification import Classification
from objectives.models import Architecture, Model, Network
from objectives.models.cnn import Cnn
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.inputs.examples import Examples
from objectives.training.measuring.evaluation import Evaluation
from objectives.training.measuring.recorded import RecordedTerms
from objectives.training.measuring.terms import terms
from objectives.training.networks.network import Computation, networks_for
from tests.benchmarks.workloads import images
from tests.measured import advanced
from tests.objectives.recorders import EagerRecorder
from tests.objectives.reference import DEVICES, EASY
from tests.objectives.training.measuring.test_exact_measuring import Bigram, Blobs, Chains
from tuner.experiment.definition import GoalSettings, MeasuringSettings
from tuner.objective import MeasuringPlan, Target
from tuner.trial import Measurement, TrialSpec

CPU = torch.device("cpu")
LANES = 5


def network_of(model: Model | Architecture) -> Network:
    return networks_for(model, images(), Computation(), lanes=LANES, batch_size=8, device=CPU).now


def rows_of(network: Network, lanes: int) -> torch.Tensor:
    return torch.stack([network.initialise(torch.Generator().manual_seed(lane)) for lane in range(lanes)])


@pytest.mark.parametrize("room", [100, 2])
@pytest.mark.parametrize("model", [Mlp((16,)), Cnn(dropout=0.4)], ids=["mlp", "cnn"])
@pytest.mark.parametrize(("lanes", "many"), [(LANES, 12), (2, 7), (1, 1)])
@torch.no_grad()
def test_each_lane_is_measured_on_its_own_examples(
    model: Model | Architecture, lanes: int, many: int, room: int
) -> None:
    network, split = network_of(model), images().validation
    recorder = EagerRecorder(room)
    examples = Examples(split, images(), device=CPU, dtype=torch.float32)
    recorded = RecordedTerms(network, examples, lanes=LANES, size=12, make=lambda: recorder)
    chosen = torch.randint(len(split), (lanes, many), generator=torch.Generator().manual_seed(1))
    rows = rows_of(network, lanes)

    for _ in range(2):
        levels, losses = recorded(rows, chosen)

        expected = terms(network, rows, split.inputs[chosen], split.labels[chosen])
        assert torch.equal(levels, expected[0])
        torch.testing.assert_close(losses, expected[1])
    assert recorder.recorded[-1] <= room


@pytest.mark.parametrize("target", [None, Target(0.5), Target(0.89)])
@pytest.mark.parametrize(("data", "model"), [(Blobs(), Mlp((16,))), (Chains(), Bigram())], ids=["classes", "tokens"])
@torch.no_grad()
def test_recorded_or_not_the_same_is_measured(data: Blobs | Chains, model: Mlp | Bigram, target: Target | None) -> None:
    splits = data.load()
    network = networks_for(model, splits, Computation(), lanes=LANES, batch_size=8, device=CPU).now
    plan = MeasuringPlan("validation/error", (target,) if target else ())
    made = partial(Evaluation, splits, plan, lanes=LANES, device=CPU, dtype=torch.float32)
    found = []
    for evaluation in (made(), made(recorder=EagerRecorder)):
        tallies = [evaluation.tally(evaluation.recall(), reached=0) for _ in range(7)]
        evaluation.measure(network, rows_of(network, 7), tallies)
        found.append([(each.values()["validation/error"], each.partial) for each in tallies])

    assert found[0] == found[1]


def curves(device: str, settings: MeasuringSettings, *, model: Model | Architecture) -> Sequence[Sequence[Measurement]]:
    """What some trials measure in their first 64 steps."""
    goal = GoalSettings("validation/error", within_steps=64, below=0.05)
    workload = Classification(Blobs(), model, HeavyBall(), LinearDecay())
    trainer = workload.planned_trainer(32, lanes=3, device=device, plan=settings.plan(goal, 32, reports=True))
    for lane in range(3):
        trainer.load(lane, TrialSpec(lane, {**EASY, "learning_rate": 0.1 * (lane + 1)}))
    found: list[list[Measurement]] = [[], [], []]
    while min(map(len, found)) == 0 or min(each[-1].step for each in found) < 60:
        for lane, measured in advanced(trainer).items():
            found[lane] += measured
    trainer.close()
    return found


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_measures_the_same_twice_and_decides_as_all_examples_do(device: str) -> None:
    full = MeasuringSettings(until_certain=False, test_steps="always")
    first, again, whole = (
        curves(device, each, model=Mlp((32,))) for each in (MeasuringSettings(), MeasuringSettings(), full)
    )

    assert first == again
    for partly, wholly in zip(first, whole, strict=True):
        for one, other in zip(partly, wholly, strict=False):
            assert one.step == other.step
            value = one.whole("validation/error")
            assert value == other.metrics["validation/error"] if value is not None else True
            assert (value is not None and value < 0.05) == (other.metrics["validation/error"] < 0.05)
