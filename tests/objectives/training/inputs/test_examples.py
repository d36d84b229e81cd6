"""What is taken of examples is the same, whatever holds them."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from objectives.classification import Classification
from objectives.data import Augment, Pixels, Split, Splits
from objectives.models.cnn import Cnn
from objectives.models.mlp import Mlp
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.training.draws import step_seeds
from objectives.training.inputs import examples as module
from objectives.training.inputs.examples import Examples
from objectives.training.inputs.images import random_numbers
from objectives.training.measuring.evaluation import Evaluation
from objectives.training.networks.network import Computation, networks_for
from objectives.training.trainer import LaneTrainer
from tests.measured import advanced
from tests.objectives.recorders import EagerRecorder
from tests.objectives.reference import DEVICES, EASY
from tuner.objective import MeasuringPlan
from tuner.trial import TrialSpec

CPU = torch.device("cpu")
SHAPE, STORED = (1, 8, 8), (1, 10, 9)
MIDDLE = (slice(None), slice(1, 9), slice(0, 8))


def photographs(many: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Bytes `[example, byte]`: a bright middle column, class 1, or a bright middle row; and the classes."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.randint(160, (many, *STORED), dtype=torch.uint8, generator=generator)
    labels = torch.arange(many) % 2
    found[labels == 1, :, :, 4] += 95
    found[labels == 0, :, 5] += 95
    return found.flatten(1), labels


def splits(augment: Augment = Augment.NONE, *, many: int = 700) -> Splits:
    """Images that stay bytes."""
    train, validation, test = (Split(*photographs(each, seed=each)) for each in (300, many, 90))
    pixels = Pixels(STORED, (90.0,), (55.0,))
    return Splits(train, validation, test, classes=2, shape=SHAPE, pixels=pixels, augment=augment)


def as_numbers(given: Splits) -> Splits:
    """The same images as numbers, standardised beforehand."""

    def standardised(split: Split) -> Split:
        images = split.inputs.view(-1, *STORED)[:, *MIDDLE].float()
        return Split(((images - 90) / 55).flatten(1), split.labels)

    train, validation, test = (standardised(each) for each in (given.train, given.validation, given.test))
    return Splits(train, validation, test, classes=2, shape=SHAPE)


def trainer(given: Splits, *, lanes: int = 2, device: str = "cpu", model: Mlp | Cnn | None = None) -> LaneTrainer:
    return LaneTrainer(
        given,
        model or Mlp((16,)),
        optimizer=HeavyBall(),
        schedule=LinearDecay(),
        batch_size=20,
        lanes=lanes,
        device=device,
        plan=MeasuringPlan(),
    )


def curve(made: LaneTrainer, lane: int, *, steps: int) -> list[Mapping[str, float]]:
    """What the trial in a lane measures next."""
    found: list[Mapping[str, float]] = []
    while len(found) < steps:
        found += [each.metrics for each in advanced(made)[lane]]
    return found[:steps]


@pytest.fixture(params=[True, False], ids=["as one", "in small blocks"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs of 13 examples are made at once, or of as many as are measured."""
    if not request.param:
        monkeypatch.setattr(module, "AT_ONCE", 13 * 64)


@pytest.mark.usefixtures("blocks")
def test_bytes_train_and_are_measured_as_the_numbers_that_they_stand_for() -> None:
    found = []
    for given in (splits(), as_numbers(splits())):
        made = trainer(given)
        for lane in (0, 1):
            made.load(lane, TrialSpec(lane, EASY))
        found.append([curve(made, lane, steps=12) for lane in (0, 1)])

    assert found[0] == found[1]
    assert found[0][0][-1]["validation/error"] < 0.1


@pytest.mark.usefixtures("blocks")
def test_other_metrics_are_measured_on_bytes_as_on_numbers() -> None:
    found = []
    for given in (splits(), as_numbers(splits())):
        workload = Classification(Loaded(given), Mlp((16,)), HeavyBall(), LinearDecay(), measured=("error", "macro_f1"))
        made = workload.trainer(20, lanes=1, device="cpu")
        made.load(0, TrialSpec(0, EASY))
        found.append([each.metrics for _ in range(6) for each in advanced(made)[0]])

    assert found[0] == found[1]


class Loaded:
    """Splits as a data set."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits

    def load(self) -> Splits:
        return self._splits


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("many", [700, 30])
@torch.no_grad()
def test_recorded_or_not_bytes_are_measured_the_same(many: int) -> None:
    given = splits(many=many)
    network = networks_for(Cnn(), given, Computation(), lanes=3, batch_size=8, device=CPU).now
    rows = torch.stack([network.initialise(torch.Generator().manual_seed(lane)) for lane in range(3)])
    found = []
    for recorder in (None, EagerRecorder):
        made = Evaluation(given, MeasuringPlan(), lanes=3, device=CPU, dtype=torch.float32, recorder=recorder)
        tallies = made.measured(network, rows, [made.recall()] * 3, [0] * 3)
        found.append([each.values() for each in tallies])

    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_what_is_measured_is_never_changed_at_random() -> None:
    """Neither are the examples of the initial loss; but what is trained on is."""
    plain, changed = (trainer(splits(each)) for each in (Augment.NONE, Augment.CROP_FLIP))
    found = []
    for made in (plain, changed):
        made.load(0, TrialSpec(3, {**EASY, "learning_rate": 0.0}))
        found.append(curve(made, 0, steps=4))

    for one, other in zip(*found, strict=True):
        assert {**one, "train/loss": 0.0} == {**other, "train/loss": 0.0}
    assert found[0][0] == found[1][0]  # the initial loss
    assert found[0][2]["train/loss"] != found[1][2]["train/loss"]


def test_an_augmented_trial_is_the_same_in_any_lane_and_from_a_checkpoint() -> None:
    alone, beside = (trainer(splits(Augment.CROP_FLIP), lanes=lanes) for lanes in (1, 3))
    alone.load(0, TrialSpec(5, EASY))
    beside.load(0, TrialSpec(6, EASY))
    curve(beside, 0, steps=3)
    beside.load(2, TrialSpec(5, EASY))
    begun = curve(alone, 0, steps=9)
    again = trainer(splits(Augment.CROP_FLIP), lanes=2)
    again.load(1, TrialSpec(5, EASY), alone.save(0))

    assert begun == close(curve(beside, 2, steps=9))
    assert curve(again, 1, steps=5) == close(curve(alone, 0, steps=5))


@torch.inference_mode()
def test_a_trial_sees_the_changes_of_its_own_seed() -> None:
    given = splits(Augment.CROP_FLIP)
    made = trainer(given, lanes=1)
    made.load(0, TrialSpec(5, EASY))
    rows = made._minibatches._rows[0, 0].clone()

    inputs, _ = made._minibatches.take(1)

    seeds = step_seeds(torch.tensor([5]), torch.tensor([[0]]))
    plain = Examples(given.train, given, device=CPU, dtype=torch.float32)
    expected, _ = plain.gather(rows, random_numbers(seeds, len(rows)).flatten(0, 2))
    assert torch.equal(inputs[0, 0], expected)


def close(curve: Sequence[Mapping[str, float]]) -> object:
    """Equal but for rounding, which the number of lanes may change."""
    return [pytest.approx(dict(each), rel=1e-5) for each in curve]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("most_resident", [0, 2**32], ids=["host", "device"])
@pytest.mark.parametrize("order", [None, torch.tensor([5, 2, 2, 9])], ids=["all", "some"])
def test_examples_are_taken_by_their_numbers(device: str, most_resident: int, order: Tensor | None) -> None:
    given, on = splits(), torch.device(device)
    plain = as_numbers(given).train
    made = Examples(given.train, given, device=on, dtype=torch.float32, order=order, most_resident=most_resident)
    rows = torch.tensor([[3, 0], [1, 1]])
    which = rows if order is None else order[rows]

    inputs, labels = made.inputs(rows.to(made.home)), made.targets(rows.to(made.home))

    assert len(made) == (300 if order is None else 4)
    assert inputs.device.type == labels.device.type == device
    torch.testing.assert_close(inputs.cpu(), plain.inputs[which], rtol=1e-6, atol=1e-6)
    assert torch.equal(labels.cpu(), plain.labels[which])


def test_so_many_inputs_are_made_at_once_that_they_are_64_mebibytes() -> None:
    split = Split(torch.zeros(4, 1), torch.zeros(4))

    def at_once(*shape: int) -> int:
        given = Splits(split, split, split, classes=1, shape=shape)
        return Examples(split, given, device=CPU, dtype=torch.float32).at_once(4096)

    assert [at_once(1, 28, 28), at_once(3, 32, 32), at_once(3, 224, 224), at_once(2**25)] == [4096, 4096, 111, 1]


def test_blocks_are_all_examples_in_order() -> None:
    made = Examples(splits().train, splits(), device=CPU, dtype=torch.float32)

    assert [each for block in made.blocks(128) for each in range(300)[block]] == list(range(300))
    assert len(list(made.blocks(128))) == 3
