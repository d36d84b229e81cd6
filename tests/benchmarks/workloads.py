"""The models that are timed, in lanes and as an ordinary PyTorch module."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from objectives.data import Split, Splits
from objectives.data.digits import Digits
from objectives.models import Architecture, Model
from objectives.models.cnn import Cnn
from objectives.models.mlp import Mlp

EXAMPLES = 4096
"""Random images, as large as those of MNIST."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A model and its data.

    Attributes:
        module: The same model as people write it.
        batch_sizes: Those that are timed unless others are asked for.
        lanes: As many trials at once. 8 is what a search runs by default.
    """

    model: Model | Architecture
    splits: Callable[[], Splits]
    module: Callable[[], nn.Module]
    batch_sizes: tuple[int, ...]
    lanes: tuple[int, ...]


def images() -> Splits:
    """Random images of MNIST's shape."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(EXAMPLES, 784, generator=generator)
    split = Split(inputs, torch.randint(10, (EXAMPLES,), generator=generator))
    return Splits(split, split, split, classes=10, shape=(1, 28, 28))


def perceptron(*widths: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def simple_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 1024),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(1024, 10),
    )


WORKLOADS = {
    "digits-mlp": Workload(
        Mlp((128,)), Digits().load, lambda: perceptron(64, 128, 10), (2, 8, 64, 512, 1024), (1, 8, 16, 32)
    ),
    "mlp-512": Workload(Mlp((512, 512)), images, lambda: perceptron(784, 512, 512, 10), (8, 64, 512, 1024), (1, 8, 16)),
    "simple-cnn": Workload(Cnn(), images, simple_cnn, (2, 8, 64, 512), (1, 8)),
}
