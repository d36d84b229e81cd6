"""Models of torchvision: those of torchvision, with what lanes need."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torchvision import models

from objectives.models.layers.dropout import Dropout
from objectives.models.layers.ghosts import GhostBatchNorm, has_batch_norm
from objectives.models.layers.norms import Norm
from objectives.models.torchvision import Torchvision
from tuner.errors import ConfigError
from tuner.experiment.components import build

NAMES = models.list_models(module=models)


def test_a_model_is_that_of_torchvision_drawn_from_the_same_seed() -> None:
    torch.manual_seed(5)
    ours = Torchvision("mobilenet_v3_small").module((3, 32, 32), 10)
    torch.manual_seed(5)
    theirs = models.mobilenet_v3_small(num_classes=10)

    assert sum(each.numel() for each in Torchvision("resnet18").module((3, 224, 224), 1000).parameters()) == 11_689_512
    assert all(torch.equal(each, theirs.state_dict()[name]) for name, each in ours.state_dict().items())
    images = torch.randn(2, 3, 32, 32)
    for module in (ours, theirs):
        module.train()
    torch.manual_seed(6)
    outputs = ours(images)
    torch.manual_seed(6)
    assert torch.equal(outputs, theirs(images))


def test_its_dropouts_can_be_set_for_each_lane() -> None:
    module = Torchvision("mobilenet_v3_small").module((3, 32, 32), 10)

    assert [each.rate for each in module.modules() if isinstance(each, Dropout)] == [0.2]
    assert not any(type(each) is nn.Dropout for each in module.modules())


def test_ghosts_replace_all_its_batch_norms() -> None:
    ordinary, ghosts = (Torchvision("resnet18", norm, 4).module((3, 32, 32), 10) for norm in (Norm.BATCH, Norm.GHOST))
    norms = [each for each in ordinary.modules() if isinstance(each, nn.BatchNorm2d)]

    assert len(norms) == 20
    assert not has_batch_norm(ghosts)
    assert [each.ghost_size for each in ghosts.modules() if isinstance(each, GhostBatchNorm)] == [4] * 20


def test_images_of_one_channel_are_given_three_times() -> None:
    one = Torchvision("squeezenet1_1").module((1, 32, 32), 10).eval()
    images = torch.randn(2, 1, 32, 32)

    assert isinstance(one, nn.Sequential)
    assert torch.equal(one(images), one[1](images.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("name", ["googlenet"])
def test_models_with_auxiliary_outputs_have_one_output_in_training(name: str) -> None:
    module = Torchvision(name).module((3, 32, 32), 10)

    assert module.train()(torch.randn(2, 3, 32, 32)).shape == (2, 10)


SMALLEST = [
    *["alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3"],
    *["maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18"],
    *["resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "swin_v2_t", "vgg11", "vgg11_bn", "vit_b_16"],
    "wide_resnet50_2",
]
"""One of each family."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_every_family_of_classification_models_has_an_output_for_each_class(name: str) -> None:
    module = Torchvision(name).module((3, 224, 224), 5)
    shapes = {
        path: torch.empty_like(each, device="meta")
        for path, each in [*module.named_parameters(), *module.named_buffers()]
    }

    for mode in (module.train(), module.eval()):
        outputs = torch.func.functional_call(mode, shapes, torch.empty(2, 3, 224, 224, device="meta"))
        assert outputs.shape == (2, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet81"}, "resnet81 is not a classification model of torchvision; did you mean resnet18?"),
        ({"name": "fcn"}, "fcn is not a classification model of torchvision; it has alexnet, convnext_base"),
        (
            {"name": "resnet18", "norm": "none"},
            "norm is none; resnet18 cannot do without what it has: norm is batch or",
        ),
    ],
)
def test_what_torchvision_does_not_have_is_refused_in_a_line(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build("objectives.models", {"kind": "torchvision", **settings}, object)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "alexnet",
            (3, 32, 32),
            "alexnet does not take images of 32 x 32 pixels, but for example of 63 x 63; torch says",
        ),
        (
            "maxvit_t",
            (1, 32, 48),
            "maxvit_t does not take images of 32 x 48 pixels, but for example of 224 x 224; torch",
        ),
        ("resnet18", (2, 32, 32), "resnet18 needs images of 3 channels, or of 1, not of 2"),
        ("resnet18", (784,), "resnet18 needs images of at least 1 x 1 pixels, not examples of shape"),
    ],
)
def test_images_that_a_model_does_not_take_are_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Torchvision(name).module(shape, 10)


def test_ghosts_of_a_model_without_batch_norm_are_refused() -> None:
    with pytest.raises(ValueError, match="squeezenet1_1 has no batch norm that ghost batch norm could replace"):
        Torchvision("squeezenet1_1", Norm.GHOST).module((3, 32, 32), 10)


def test_torchvision_is_imported_when_a_model_of_it_is_named() -> None:
    code = "import sys, objectives.models.torchvision as t; early = 'torchvision' in sys.modules"
    code += "; t.Torchvision('resnet18'); print(early, 'torchvision' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]
