"""Models are those of the papers: their sizes, and their outputs beside those of torchvision or of plain functions."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import (
    VGG11_BN_Weights,
    VGG11_Weights,
    resnet,
    vgg,
)

from objectives.models import Architecture
from objectives.models.fully_connected import FullyConnected
from objectives.models.keskar_c1 import KeskarC1
from objectives.models.keskar_f1 import KeskarF1
from objectives.models.layers.dense import MOST_WEIGHTS
from objectives.models.layers.norms import Norm
from objectives.models.resnet import ResNet, Shortcut
from objectives.models.resnet8 import ResNet8
from objectives.models.vgg11 import Vgg11
from tuner.experiment.limits.numbers import limits_hold

CIFAR = (3, 32, 32)


def parameters(model: Architecture, shape: tuple[int, ...] = CIFAR, classes: int = 10) -> int:
    """How many numbers are trained; none of them is computed."""
    with torch.device("meta"):
        module = model.module(shape, classes)
    return sum(each.numel() for each in module.parameters())


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def assert_same_gradients(ours: nn.Module, theirs: nn.Module, inputs: Tensor) -> None:
    """In training, of two modules whose parameters are in the same order."""
    for module in (ours, theirs):
        torch.autograd.backward(module(inputs).square().sum())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_resnets_have_the_sizes_of_table_6_of_he_et_al(depth: int, millions: float) -> None:
    assert round(parameters(ResNet(depth)) / 1e6, 2) == millions


@pytest.mark.parametrize("norm", list(Norm))
def test_resnet_44_takes_images_of_cifar(norm: Norm) -> None:
    module = ResNet(44, norm).module(CIFAR, 10)

    assert module(torch.randn(2, *CIFAR)).shape == (2, 10)


def test_resnets_with_projections_are_made_of_the_blocks_of_torchvision() -> None:
    ours = ResNet(14, shortcut=Shortcut.PROJECTION).module((3, 9, 8), 10).double()
    blocks = []
    for below, filters, stride in [(16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]:
        shortcut = nn.Sequential(nn.Conv2d(below, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))
        blocks.append(resnet.BasicBlock(below, filters, stride, shortcut if stride == 2 else None))
    theirs = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    ).double()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))

    torch.testing.assert_close(ours(images(4, 3, 9, 8)), theirs(images(4, 3, 9, 8)), rtol=1e-10, atol=1e-10)
    assert_same_gradients(ours, theirs, images(4, 3, 9, 8))


def test_shortcuts_without_parameters_skip_pixels_and_add_channels_of_zeros() -> None:
    module = ResNet(8, Norm.NONE).module((3, 8, 8), 10).double()
    weights = iter(module.parameters())

    def convolved(inputs: Tensor, stride: int = 1) -> Tensor:
        return functional.conv2d(inputs, next(weights), next(weights), stride, padding=1)

    below = convolved(images(2, 3, 8, 8)).relu()
    for filters, stride in [(16, 1), (32, 2), (64, 2)]:
        shortcut = torch.zeros(2, filters, below.shape[2] // stride, below.shape[3] // stride, dtype=torch.float64)
        shortcut[:, : below.shape[1]] = below[:, :, ::stride, ::stride]
        below = (convolved(convolved(below, stride).relu()) + shortcut).relu()
    expected = functional.linear(below.mean((2, 3)), next(weights), next(weights))

    torch.testing.assert_close(module(images(2, 3, 8, 8)), expected, rtol=1e-10, atol=1e-10)


def test_resnet_8_has_seven_convolutions_and_no_norm() -> None:
    module = ResNet8().module(CIFAR, 10)
    filters = [(3, 16), (16, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64)]

    assert [
        (each.in_channels, each.out_channels) for each in module.modules() if isinstance(each, nn.Conv2d)
    ] == filters
    assert parameters(ResNet8()) == sum((9 * a + 1) * b for a, b in filters) + 65 * 10
    assert not list(module.buffers())


def test_resnet_8_has_its_relu_before_each_convolution_of_a_block() -> None:
    module = ResNet8().module((3, 8, 8), 10).double()
    weights = iter(module.parameters())

    def convolved(inputs: Tensor, stride: int = 1) -> Tensor:
        return functional.conv2d(inputs, next(weights), next(weights), stride, padding=1)

    below = convolved(images(2, 3, 8, 8))
    for stride, more in [(1, 0), (2, 16), (2, 32)]:
        shortcut = torch.cat(
            [below[:, :, ::stride, ::stride], below.new_zeros(2, more, *(8 // 2 ** (more // 16),) * 2)], 1
        )
        below = convolved(convolved(below.relu(), stride).relu()) + shortcut
    expected = functional.linear(below.relu().mean((2, 3)), next(weights), next(weights))

    torch.testing.assert_close(module(images(2, 3, 8, 8)), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("norm", "weights"), [(Norm.NONE, VGG11_Weights), (Norm.BATCH, VGG11_BN_Weights)])
def test_vgg_11_for_imagenet_has_as_many_parameters_as_that_of_torchvision(
    norm: Norm, weights: type[VGG11_Weights | VGG11_BN_Weights]
) -> None:
    published = weights.IMAGENET1K_V1.meta["num_params"]

    assert parameters(Vgg11(norm, hidden=(4096, 4096)), (3, 224, 224), 1000) == published


def test_vgg_11_has_the_convolutions_of_torchvision_and_for_cifar_one_dense_layer() -> None:
    ours = Vgg11().module(CIFAR, 10)
    theirs = nn.Sequential(*vgg.make_layers(vgg.cfgs["A"], batch_norm=True), nn.Flatten(), nn.Linear(512, 10))
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(2, *CIFAR)

    torch.testing.assert_close(ours(inputs), theirs(inputs))


def test_f1_has_five_hidden_layers_of_512_units_with_a_scale_and_a_shift_each() -> None:
    expected = (784 + 1) * 512 + 4 * (512 + 1) * 512 + 5 * 2 * 512 + (512 + 1) * 10

    assert parameters(KeskarF1(), (1, 28, 28)) == expected
    assert parameters(KeskarF1(Norm.GHOST), (1, 28, 28)) == expected
    assert parameters(KeskarF1(Norm.NONE), (1, 28, 28)) == expected - 5 * 2 * 512


def test_c1_has_the_layers_of_the_released_code() -> None:
    convolutions = (25 * 3 + 1) * 64 + (25 * 64 + 1) * 64
    dense = (64 * 8 * 8 + 1) * 384 + (384 + 1) * 192 + (192 + 1) * 10
    module = KeskarC1().module(CIFAR, 10)

    assert parameters(KeskarC1()) == convolutions + dense + 2 * (64 + 64 + 384 + 192)
    assert [type(each).__name__ for each in module] == [  # type: ignore[attr-defined]
        *["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"] * 2,
        "Flatten",
        *["Dense", "BatchNorm1d", "ReLU", "Dropout"] * 2,
        "Linear",
    ]


def test_a_fully_connected_network_has_a_norm_and_dropout_behind_each_hidden_layer() -> None:
    module = FullyConnected((5, 4), Norm.BATCH, dropout=0.25).module((2, 3), 7)

    assert parameters(FullyConnected((5, 4)), (2, 3), 7) == (6 + 1) * 5 + (5 + 1) * 4 + (4 + 1) * 7
    hidden = ["Dense", "BatchNorm1d", "ReLU", "Dropout"]
    layers = list(module)  # type: ignore[call-overload]
    assert [type(each).__name__ for each in layers] == ["Flatten", *hidden, *hidden, "Linear"]
    assert repr(layers[4]) == "Dropout(rate=0.25)"


@pytest.mark.parametrize("depth", [2, 7, 21, 22])
def test_a_depth_that_is_not_6_n_plus_2_is_refused(depth: int) -> None:
    near = "20 or 26" if depth > 20 else "8 or 14"
    with pytest.raises(ValueError, match=rf"depth is {depth}; it must be 6 n \+ 2, such as {near}"):
        ResNet(depth)


@pytest.mark.parametrize("model", [Vgg11(), KeskarC1(), ResNet(), ResNet8()])
@pytest.mark.parametrize("shape", [(784,), (3, 3, 32), (3, 32, 3)])
def test_what_is_no_image_of_that_size_is_refused(model: Architecture, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs images of at least \d+ x \d+ pixels, not examples of shape"):
        model.module(shape, 10)


@pytest.mark.parametrize("model", [Vgg11, KeskarC1, FullyConnected])
def test_an_impossible_dropout_is_refused(model: type[Vgg11 | KeskarC1 | FullyConnected]) -> None:
    with pytest.raises(ValueError, match=r"dropout is 1\.0; it must be at least 0 and below 1"):
        model(dropout=1.0)


@pytest.mark.parametrize("model", [Vgg11, FullyConnected])
def test_too_many_weights_are_refused(model: type[Vgg11 | FullyConnected]) -> None:
    with limits_hold(), pytest.raises(ValueError, match=f"between its layers; at most {MOST_WEIGHTS:,}"):
        model(hidden=(16_384, 16_384))
