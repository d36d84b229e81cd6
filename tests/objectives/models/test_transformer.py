"""The transformer is that of torch's own layers, looks at no later byte, starts as published, and learns in lanes."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from objectives.data import Splits
from objectives.data.text import Text
from objectives.losses.next_token import NEXT_TOKEN
from objectives.models.transformer import Decoder, Transformer
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.schedules.linear_decay import LinearDecay
from objectives.supervised import Supervised
from objectives.training.networks.network import Computation, networks_for
from tests.measured import advanced
from tests.objectives.reference import DEVICES, EASY, curve_in_lane, shuffled
from tuner.errors import ConfigError
from tuner.experiment.components import build
from tuner.objective import Objective
from tuner.trial import TrialSpec

CPU = torch.device("cpu")
SMALL = Transformer(width=16, layers=2, heads=2)
TRIAL = TrialSpec(7, {**EASY, "learning_rate": 0.1})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Text:
    file = tmp_path_factory.mktemp("text") / "alphabet.txt"
    file.write_bytes(b"abcdefgh" * 60)
    return Text(str(file), context=5)


def decoder(settings: Transformer, *, context: int = 12, classes: int = 30, seed: int = 0) -> Decoder:
    """In double precision, with parameters that are not small, so that everything counts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = settings.module((context,), classes).double()
        with torch.no_grad():
            for each in made.parameters():
                each.add_(0.3 * torch.randn_like(each))
    assert isinstance(made, Decoder)
    return made


def texts(many: int, *, context: int = 12, classes: int = 30) -> Tensor:
    return torch.randint(classes, (many, context), generator=torch.Generator().manual_seed(1))


def by_torchs_layers(made: Decoder, settings: Transformer, given: Tensor) -> Tensor:
    """The outputs of the same parameters in torch's own layers."""
    stream = made.embedding.weight[given] + made.positions
    for block in made.blocks:
        layer = nn.TransformerEncoderLayer(
            settings.width,
            settings.heads,
            4 * settings.width,
            dropout=0.0,
            activation=functional.gelu,
            batch_first=True,
            norm_first=True,
            dtype=torch.float64,
        )
        ours = [
            "attention.projections.weight",
            "attention.projections.bias",
            "attention.to_stream.weight",
            "attention.to_stream.bias",
            "hidden.weight",
            "hidden.bias",
            "to_stream.weight",
            "to_stream.bias",
            "attention_norm.weight",
            "attention_norm.bias",
            "perceptron_norm.weight",
            "perceptron_norm.bias",
        ]
        weights = block.state_dict()
        layer.load_state_dict(dict(zip(layer.state_dict(), (weights[name] for name in ours), strict=True)))
        mask = nn.Transformer.generate_square_subsequent_mask(given.shape[1], dtype=torch.float64)
        stream = layer(stream, src_mask=mask, is_causal=True)
    normed = functional.layer_norm(stream, (settings.width,), made.norm.weight, made.norm.bias)
    return normed @ made.embedding.weight.T


def test_outputs_are_those_of_torchs_own_layers() -> None:
    settings = Transformer(width=24, layers=3, heads=4)
    made = decoder(settings)

    found = made(texts(5))

    assert found.shape == (5, 12, 30)
    torch.testing.assert_close(found, by_torchs_layers(made, settings, texts(5)), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("changed", [1, 6, 11])
def test_a_later_byte_changes_no_earlier_output(changed: int) -> None:
    made, given = decoder(SMALL), texts(4)
    other = given.clone()
    other[:, changed] = (other[:, changed] + 1) % 30

    before, after = made(given), made(other)

    assert torch.equal(before[:, :changed], after[:, :changed])
    assert (before[:, changed:] != after[:, changed:]).any(2).all()


@pytest.mark.parametrize(("width", "layers", "heads", "context", "classes"), [(16, 2, 2, 12, 30), (64, 5, 8, 32, 256)])
def test_the_number_of_parameters_is_that_of_the_formula(
    width: int, layers: int, heads: int, context: int, classes: int
) -> None:
    made = Transformer(width, layers, heads).module((context,), classes)

    found = sum(each.numel() for each in made.parameters())

    assert found == (classes + context) * width + layers * (12 * width**2 + 13 * width) + 2 * width


def test_parameters_start_as_published() -> None:
    torch.manual_seed(0)
    made = Transformer(width=64, layers=8, heads=4).module((32,), 256)

    for name, each in made.named_parameters():
        if "norm" in name or name.endswith("bias"):
            assert torch.equal(each, torch.full_like(each, float(name.endswith("weight"))))
        else:
            deviation = 0.02 / math.sqrt(16) if "to_stream" in name else 0.02
            assert each.std().item() == pytest.approx(deviation, rel=0.06)
            assert abs(each.mean().item()) < 0.06 * deviation


def test_dropout_is_for_training_alone() -> None:
    made, given = Transformer(16, 1, 2, dropout=0.5).module((12,), 30), texts(2)
    plain = Transformer(16, 1, 2).module((12,), 30)
    plain.load_state_dict(made.state_dict())

    assert not torch.equal(made.train()(given), made.train()(given))
    assert torch.equal(made.eval()(given), plain.train()(given))


def supervised(data: Text, model: Transformer = SMALL) -> Supervised:
    return Supervised(data, model, HeavyBall(), LinearDecay(), loss=NEXT_TOKEN)


@pytest.mark.parametrize("device", DEVICES)
def test_it_starts_by_guessing_and_learns_a_periodic_text(data: Text, device: str) -> None:
    trainer = supervised(data).trainer(16, lanes=2, device=device)
    trainer.load(1, TRIAL)

    curve = curve_in_lane(trainer, 1, steps=60)

    assert curve[0].metrics["train/loss"] == pytest.approx(math.log(256), abs=0.1)
    last = curve[-1].metrics
    assert last["validation/loss"] < 0.05
    assert last["test/loss"] < 0.05
    assert last["validation/error"] == last["test/error"] == 0


def ordinary_loop(splits: Splits, trial: TrialSpec, *, steps: int) -> list[dict[str, float]]:
    """What the trial measures after each step in a loop of torch, from the parameters that a lane starts from."""
    generator = torch.Generator().manual_seed(trial.seed)
    network = networks_for(SMALL, splits, Computation(), lanes=1, batch_size=16, device=CPU, loss=NEXT_TOKEN).now
    module = SMALL.module(splits.shape, splits.classes)
    module.load_state_dict(network.named_weights(network.initialise(generator)))  # type: ignore[attr-defined]
    rate, momentum = (float(trial.hyperparameters[name]) for name in ("learning_rate", "momentum"))
    optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=momentum)
    found = []
    for rows, step in zip(shuffled(len(splits.train), 16, generator), range(steps), strict=False):
        optimizer.param_groups[0]["lr"] = rate * (1 - 0.9 * step / 2000)
        optimizer.zero_grad()
        outputs = module(splits.train.inputs[rows])
        loss = functional.cross_entropy(outputs.transpose(1, 2), splits.train.labels[rows])
        torch.autograd.backward(loss)
        optimizer.step()
        found.append({"train/loss": loss.item()})
        for name, split in (("validation", splits.validation), ("test", splits.test)):
            with torch.no_grad():
                outputs = module(split.inputs).transpose(1, 2)
            found[-1][f"{name}/loss"] = functional.cross_entropy(outputs, split.labels).item()
            found[-1][f"{name}/error"] = (outputs.argmax(1) != split.labels).double().mean().item()
    return found


def test_a_lane_trains_as_an_ordinary_loop_does(data: Text) -> None:
    made = supervised(data)
    trainer = made.trainer(16, lanes=3, device="cpu")
    for lane in (0, 2):
        trainer.load(lane, TrialSpec(lane, TRIAL.hyperparameters))
    trainer.load(1, TRIAL)

    found = [dict(each.metrics) for each in curve_in_lane(trainer, 1, steps=25)]

    expected = ordinary_loop(made.splits, TRIAL, steps=25)
    assert len(found) == 25
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_a_lane_does_not_depend_on_its_neighbours(data: Text, device: str) -> None:
    made = supervised(data, Transformer(16, 1, 2, dropout=0.2))
    alone, beside = made.trainer(16, lanes=1, device=device), made.trainer(16, lanes=3, device=device)
    alone.load(0, TRIAL)
    beside.load(0, TrialSpec(3, {**TRIAL.hyperparameters, "learning_rate": 1e9}))
    beside.load(2, TRIAL)

    assert curve_in_lane(beside, 2, steps=10) == curve_in_lane(alone, 0, steps=10)


def test_minibatches_in_parts_train_the_same_up_to_rounding(data: Text) -> None:
    parts = Supervised(data, SMALL, HeavyBall(), LinearDecay(), microbatch=5, loss=NEXT_TOKEN)
    trainers = [each.trainer(16, lanes=1, device="cpu") for each in (parts, supervised(data))]
    for each in trainers:
        each.load(0, TRIAL)

    ours, theirs = (curve_in_lane(each, 0, steps=8)[-1].metrics for each in trainers)

    assert ours == pytest.approx(theirs, rel=1e-3)


def test_metrics_of_the_users_are_given_all_positions(data: Text) -> None:
    made = Supervised(
        data, SMALL, HeavyBall(), LinearDecay(), loss=NEXT_TOKEN, measured=("error", "top5_error", f"{__name__}:shape")
    )
    trainers = [each.trainer(16, lanes=2, device="cpu") for each in (made, supervised(data))]
    for each in trainers:
        each.load(0, TRIAL)

    whole, early = (advanced(each)[0][0].metrics for each in trainers)

    validation = made.splits.validation
    assert whole["validation/shape"] == len(validation) * 1e6 + 5 * 1e3 + 256
    assert whole["validation/error"] == early["validation/error"]
    assert whole["validation/loss"] == pytest.approx(early["validation/loss"], rel=1e-6)
    assert whole["train/loss"] == pytest.approx(early["train/loss"], rel=1e-6)
    assert whole["validation/top5_error"] <= whole["validation/error"]


def shape(outputs: Tensor, targets: Tensor) -> float:
    """A metric that says what it is given."""
    examples, positions, classes = outputs.shape
    assert targets.shape == (examples, positions)
    return examples * 1e6 + positions * 1e3 + classes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 10, "heads": 4}, "width is 10, which 4 heads do not divide; say a multiple of heads"),
        ({"dropout": 1.0}, "dropout"),
        ({"layers": 0}, "layers"),
    ],
)
def test_settings_that_make_no_transformer_are_refused(settings: dict[str, object], message: str) -> None:
    table = {
        "kind": "supervised",
        "data": {"kind": "text", "file": "text.txt"},
        "model": {"kind": "transformer", **settings},
        "optimizer": {"kind": "heavy_ball"},
        "loss": "next_token",
    }

    with pytest.raises(ConfigError, match=message):
        build("objectives", table, Objective)
