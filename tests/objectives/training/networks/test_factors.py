"""The factors of layers are those of `curvlinops`, whatever parts they are computed in."""

from collections.abc import Callable, Sequence
from typing import Literal

import pytest
import torch
from curvlinops import KFACLinearOperator  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional

from objectives.losses import Loss, Targets
from objectives.losses.bce import BCE
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.mse import MSE
from objectives.losses.next_token import NEXT_TOKEN
from objectives.models import Factors
from objectives.models.layers.dense import Dense
from objectives.optimizers import Fisher
from objectives.training.draws import step_seeds
from objectives.training.networks.accumulation import Accumulation
from objectives.training.networks.modules import ModuleNetwork

CPU = torch.device("cpu")
EXAMPLES, OUTPUTS = 6, 3


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(50, 4), nn.Tanh(), nn.Linear(4, OUTPUTS, bias=False))


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, stride=2),
        nn.Tanh(),
        nn.Conv2d(3, 2, 3, bias=False, padding="same"),
        nn.Flatten(),
        nn.Linear(18, OUTPUTS),
    )


def network(
    make: Callable[[], nn.Module], *, loss: Loss = CROSS_ENTROPY, fisher: Fisher = Fisher.EXACT
) -> ModuleNetwork:
    return ModuleNetwork(make, (2, 5, 5), device=CPU, dtype=torch.float64, loss=loss, fisher=fisher)


def examples(loss: Loss = CROSS_ENTROPY) -> tuple[Tensor, Tensor]:
    """`[example, feature]` and labels."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(EXAMPLES, 50, generator=generator, dtype=torch.float64)
    if loss.targets in (Targets.CLASSES, Targets.TOKENS):
        of_each = (2,) if loss is NEXT_TOKEN else ()
        return inputs, torch.randint(OUTPUTS, (EXAMPLES, *of_each), generator=generator)
    labels = torch.rand(EXAMPLES, OUTPUTS, generator=generator, dtype=torch.float64)
    return inputs, labels.round() if loss is BCE else labels


def factors_of(
    made: ModuleNetwork | Accumulation, row: Tensor, loss: Loss = CROSS_ENTROPY, *, seed: int = 0
) -> tuple[list[Factors], Tensor, Tensor]:
    """The factors, without the dimension of lanes, the gradient and the losses."""
    inputs, labels = (each.unsqueeze(0) for each in examples(loss))
    sums = torch.zeros(1, made.parameters, dtype=torch.float64)
    sides = [each.sides for each in made.layout.layers]
    found = [(row.new_zeros(1, below, below), row.new_zeros(1, above, above)) for below, above in sides]
    seeds = step_seeds(torch.tensor([[seed]]), torch.arange(EXAMPLES))
    losses = made.add_factors(row.unsqueeze(0), inputs, labels, sums, found, seeds=seeds)
    return [(below[0], above[0]) for below, above in found], sums, losses


def drawn(made: ModuleNetwork) -> Tensor:
    return made.initialise(torch.Generator().manual_seed(3)).double()


def blocks(factors: Sequence[Factors]) -> list[Tensor]:
    """Each layer's block of the Fisher matrix."""
    return [torch.kron(above, below) for below, above in factors]


def reference(make: Callable[[], nn.Module], made: ModuleNetwork, row: Tensor, loss: Loss, kind: str) -> list[Tensor]:
    """The blocks as `curvlinops` has them."""
    module = make().double()
    module.load_state_dict(dict(made.named_weights(row)))
    inputs, labels = examples(loss)
    functions = {MSE: nn.MSELoss(), BCE: nn.BCEWithLogitsLoss()}
    operator = KFACLinearOperator(
        module,
        functions.get(loss, nn.CrossEntropyLoss()),
        [each for each in module.parameters() if each.requires_grad],
        [(inputs.view(-1, 2, 5, 5), labels)],
        fisher_type=kind,
        separate_weight_and_bias=False,
        check_deterministic=False,
    )
    operator.compute_kronecker_factors()
    # `_mapping` has the layers in order.
    return [
        torch.kron(operator._gradient_covariances[each], operator._input_covariances[each])
        for each in operator._mapping
    ]


@pytest.mark.parametrize("make", [perceptron, convolutions])
@pytest.mark.parametrize("loss", [CROSS_ENTROPY, MSE, BCE], ids=lambda each: each.name)
def test_exact_factors_are_those_of_the_generalised_gauss_newton_matrix(
    make: Callable[[], nn.Module], loss: Loss
) -> None:
    made = network(make, loss=loss)
    row = drawn(made)

    found, _, _ = factors_of(made, row, loss)

    torch.testing.assert_close(blocks(found), reference(make, made, row, loss, "type-2"), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("make", [perceptron, convolutions])
@pytest.mark.parametrize("loss", [CROSS_ENTROPY, MSE, BCE], ids=lambda each: each.name)
def test_empirical_factors_are_those_of_the_labels(make: Callable[[], nn.Module], loss: Loss) -> None:
    made = network(make, loss=loss, fisher=Fisher.EMPIRICAL)
    row = drawn(made)

    found, _, _ = factors_of(made, row, loss)

    expected = reference(make, made, row, loss, "empirical")
    torch.testing.assert_close(blocks(found), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("fisher", "kind"), [(Fisher.EXACT, "type-2"), (Fisher.EMPIRICAL, "empirical")])
def test_factors_of_texts_count_each_token_as_a_label(fisher: Fisher, kind: str) -> None:
    class ClassesFirst(nn.Flatten):
        """`[example, class, position]`, as torch's cross entropy takes it."""

        def forward(self, input: Tensor) -> Tensor:
            return input.transpose(1, 2)

    made = network(lambda: nn.Sequential(nn.Flatten(2), nn.Linear(25, OUTPUTS)), loss=NEXT_TOKEN, fisher=fisher)
    row = drawn(made)

    found, _, _ = factors_of(made, row, NEXT_TOKEN)

    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(2), nn.Linear(25, OUTPUTS), ClassesFirst())

    expected = reference(make, made, row, NEXT_TOKEN, kind)
    torch.testing.assert_close(blocks(found), expected, rtol=1e-10, atol=1e-12)


def test_a_layer_may_be_given_its_inputs_by_name() -> None:
    class Named(nn.Linear):
        def __call__(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = super().__call__(input=inputs)
            return outputs

    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(), Named(50, 4), nn.Tanh(), nn.Linear(4, OUTPUTS, bias=False))

    made, plain = network(make), network(perceptron)
    row = drawn(plain)

    torch.testing.assert_close(factors_of(made, row), factors_of(plain, row), rtol=0, atol=0)


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, MSE, BCE], ids=lambda each: each.name)
def test_sampled_factors_are_the_exact_ones_on_average(loss: Loss) -> None:
    made = network(convolutions, loss=loss, fisher=Fisher.SAMPLED)
    row = drawn(made)

    sampled = [factors_of(made, row, loss, seed=seed)[0] for seed in range(300)]

    exact, _, _ = factors_of(network(convolutions, loss=loss), row, loss)
    for number, (below, above) in enumerate(exact):
        mean = torch.stack([each[number][1] for each in sampled]).mean(0)
        assert torch.equal(sampled[0][number][0], below)
        assert (mean - above).norm() < 0.12 * above.norm()


def test_the_seeds_decide_which_labels_are_drawn() -> None:
    made = network(perceptron, fisher=Fisher.SAMPLED)
    row = drawn(made)

    first, again, other = (factors_of(made, row, seed=seed)[0] for seed in (5, 5, 6))

    assert torch.equal(first[1][1], again[1][1])
    assert not torch.equal(first[1][1], other[1][1])


@pytest.mark.parametrize("fisher", list(Fisher))
@pytest.mark.parametrize("microbatch", [1, 4])
def test_factors_of_microbatches_add_up_to_those_of_the_minibatch(fisher: Fisher, microbatch: int) -> None:
    made = network(convolutions, fisher=fisher)
    row = drawn(made)
    parts = Accumulation(lambda _: made, batch_size=EXAMPLES, microbatch=microbatch)

    found = factors_of(parts, row)

    torch.testing.assert_close(found, factors_of(made, row), rtol=1e-10, atol=1e-12)


class Full(ModuleNetwork):
    """A network that fails halfway in its first step with factors, as on a device that is full."""

    failures = 1

    def add_factors(self, *args: Tensor, **kwargs: Tensor) -> Tensor:  # type: ignore[override]
        losses = super().add_factors(*args, **kwargs)  # type: ignore[arg-type]
        if self.failures:
            self.failures -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return losses


def test_a_full_device_leaves_nothing_behind_in_the_factors() -> None:
    made = network(perceptron)
    full = Full(perceptron, (2, 5, 5), device=CPU, dtype=torch.float64, fisher=Fisher.EXACT)
    row = drawn(made)

    found = factors_of(Accumulation(lambda _: full, batch_size=EXAMPLES), row)

    torch.testing.assert_close(found, factors_of(made, row), rtol=1e-10, atol=1e-12)


def test_a_device_with_room_for_gradients_alone_gets_smaller_parts_once_factors_are_wanted() -> None:
    made = network(perceptron)
    full = Full(perceptron, (2, 5, 5), device=CPU, dtype=torch.float64, fisher=Fisher.EXACT)
    row = drawn(made)
    parts = Accumulation(lambda _: full, batch_size=EXAMPLES)
    inputs, labels = (each.unsqueeze(0) for each in examples())
    parts.add_gradient(row.unsqueeze(0), inputs, labels, torch.zeros(1, made.parameters, dtype=torch.float64))

    found = factors_of(parts, row)

    torch.testing.assert_close(found, factors_of(made, row), rtol=1e-10, atol=1e-12)


def test_the_gradient_is_that_of_a_step_without_factors() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(), Dense(50, 4), nn.ReLU(inplace=True), Dense(4, OUTPUTS))

    made = network(make, fisher=Fisher.EXACT)
    row = drawn(made)
    inputs, labels = (each.unsqueeze(0) for each in examples())
    expected = torch.zeros(1, made.parameters, dtype=torch.float64)
    losses = made.add_gradient(row.unsqueeze(0), inputs, labels, expected)

    _, sums, found = factors_of(made, row)

    torch.testing.assert_close(sums, expected, rtol=1e-12, atol=1e-14)
    assert torch.equal(found, losses)


def test_an_activation_in_place_changes_no_factor() -> None:
    def make(*, in_place: bool) -> nn.Module:
        return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(in_place), nn.Flatten(), nn.Linear(27, OUTPUTS))

    apart, within = network(lambda: make(in_place=False)), network(lambda: make(in_place=True))
    row = drawn(apart)

    torch.testing.assert_close(factors_of(within, row), factors_of(apart, row), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("padding", "mode", "by"),
    [("same", "zeros", (0, 1, 0, 1)), (1, "reflect", (1, 1, 1, 1)), ((2, 0), "circular", (0, 0, 2, 2))],
)
def test_padding_of_any_kind_is_part_of_the_patches(
    padding: str | int | tuple[int, int], mode: Literal["zeros", "reflect", "circular"], by: tuple[int, ...]
) -> None:
    class Padded(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return functional.pad(images, by, "constant" if mode == "zeros" else mode)

    def make(*, apart: bool) -> nn.Module:
        convolution = nn.Conv2d(2, 3, 2, padding=0 if apart else padding, padding_mode=mode)
        behind = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, OUTPUTS))
        return nn.Sequential(Padded() if apart else nn.Identity(), behind)

    within, apart = network(lambda: make(apart=False)), network(lambda: make(apart=True))
    row = drawn(apart)

    torch.testing.assert_close(factors_of(within, row), factors_of(apart, row), rtol=1e-10, atol=1e-12)


class Twice(nn.Module):
    """A linear layer that is called twice: at each of two positions at once, or one after the other."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self.at_once = at_once
        self.shared = nn.Linear(25, 4)
        self.out = nn.Linear(8, OUTPUTS)

    def forward(self, images: Tensor) -> Tensor:
        parts = images.flatten(2)
        if self.at_once:
            return self.out(self.shared(parts).flatten(1).tanh())  # type: ignore[no-any-return]
        return self.out(torch.cat([self.shared(each) for each in parts.unbind(1)], 1).tanh())  # type: ignore[no-any-return]


def test_a_layer_that_is_called_twice_counts_as_one_with_two_positions() -> None:
    once, twice = network(lambda: Twice(at_once=True)), network(lambda: Twice(at_once=False))
    row = drawn(once)

    found, expected = factors_of(twice, row), factors_of(once, row)

    assert len(twice.layout.layers) == 2
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    make = lambda: Twice(at_once=True)  # noqa: E731 - as an argument
    torch.testing.assert_close(
        blocks(expected[0]), reference(make, once, row, CROSS_ENTROPY, "type-2"), rtol=1e-10, atol=1e-12
    )


def test_patches_in_parts_have_the_factors_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = network(convolutions)
    row = drawn(made)
    expected = factors_of(made, row)

    monkeypatch.setattr("objectives.training.networks.factors.AT_ONCE", 1000)  # one example, or five

    torch.testing.assert_close(factors_of(made, row), expected, rtol=1e-10, atol=1e-12)


def test_frozen_layers_and_grouped_convolutions_have_no_factors() -> None:
    def make() -> nn.Module:
        module = nn.Sequential(
            nn.Conv2d(2, 2, 3), nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, OUTPUTS)
        )
        module[0].requires_grad_(False)
        return module

    layers = network(make).layout.layers

    assert [each.sides for each in layers] == [(5, OUTPUTS)]


def test_a_network_that_is_not_asked_for_factors_has_no_layers() -> None:
    made = ModuleNetwork(perceptron, (2, 5, 5), device=CPU, dtype=torch.float64)

    assert made.layout.layers == ()
