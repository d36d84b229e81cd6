import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from objectives.models.cnn import Cnn, Size
from objectives.models.layers.dense import Dense
from objectives.models.layers.dropout import Dropout
from objectives.models.layers.targets import Target


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        (Size.NARROW, 416 + 12_832 + 1568 * 512 + 512 + 5_130),
        (Size.BASE, 832 + 51_264 + 3136 * 1024 + 1024 + 10_250),
        (Size.WIDE, 1_664 + 204_928 + 6272 * 2048 + 2048 + 20_490),
    ],
)
def test_it_has_as_many_parameters_as_its_layers_for_mnist(size: Size, parameters: int) -> None:
    module = Cnn(size).module((1, 28, 28), 10)

    assert sum(each.numel() for each in module.parameters()) == parameters


def test_pooling_before_the_relu_changes_nothing() -> None:
    ours = Cnn(Size.NARROW, channels_last=False).module((3, 12, 10), 7)
    layers = list(ours)  # type: ignore[call-overload]
    paper = nn.Sequential(*(layers[index] for index in (0, 2, 1, 3, 5, 4, 6, 7, 8, 9, 10)))
    images = torch.randn(5, 3, 12, 10)

    assert torch.equal(ours.eval()(images), paper.eval()(images))


def test_the_order_of_channels_in_memory_changes_rounding_alone() -> None:
    last, first = (Cnn(Size.NARROW, channels_last=each).module((3, 12, 10), 7).eval() for each in (True, False))
    first.load_state_dict(dict(zip(first.state_dict(), last.state_dict().values(), strict=True)))
    images = torch.randn(5, 3, 12, 10)

    torch.testing.assert_close(last(images), first(images))


def test_dropout_is_0_4_unless_said_otherwise() -> None:
    module = Cnn().module((1, 8, 8), 10)

    assert [each.rate for each in module.modules() if isinstance(each, Dropout)] == [0.4]


@pytest.mark.parametrize("shape", [(784,), (1, 3, 28), (1, 28, 2)])
def test_what_is_no_image_of_4_by_4_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cnn needs images of at least 4 x 4 pixels, not examples of shape"):
        Cnn().module(shape, 10)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_an_impossible_dropout_is_refused(dropout: float) -> None:
    with pytest.raises(ValueError, match=f"dropout is {dropout}; it must be at least 0 and below 1"):
        Cnn(dropout=dropout)


def test_a_dense_layer_adds_its_gradient_where_it_is_wanted() -> None:
    torch.manual_seed(0)
    ours, theirs = Dense(6, 4).double(), nn.Linear(6, 4).double()
    theirs.load_state_dict(ours.state_dict())
    sums = torch.ones(4, 6, dtype=torch.float64)
    ours.target = Target(sums)
    inputs = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)

    found, expected = (
        torch.autograd.grad(layer(inputs).square().sum(), [inputs, *layer.parameters()], allow_unused=True)
        for layer in (ours, theirs)
    )

    assert found[1] is None
    for mine, other in zip([found[0], sums - 1, found[2]], expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)


def test_a_dense_layer_computes_no_gradient_of_inputs_that_need_none() -> None:
    layer = Dense(6, 4)
    layer.target = Target(torch.zeros(4, 6))

    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(layer(torch.randn(3, 6)).sum())

    assert counter.get_total_flops() == 2 * 3 * 6 * 4  # of the outputs; what is added in place is not counted
