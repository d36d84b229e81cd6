"""Every model that is shipped, small enough to be trained in a test, and what is known of its initial parameters."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from objectives.data import Split, Splits
from objectives.losses import Loss
from objectives.losses.cross_entropy import CROSS_ENTROPY
from objectives.losses.next_token import NEXT_TOKEN
from objectives.models import Architecture, Model
from objectives.models.cnn import Cnn, Size
from objectives.models.fully_connected import FullyConnected
from objectives.models.keskar_c1 import KeskarC1
from objectives.models.keskar_f1 import KeskarF1
from objectives.models.layers.dropout import Dropout
from objectives.models.layers.norms import Norm
from objectives.models.mlp import Mlp
from objectives.models.resnet import ResNet, Shortcut
from objectives.models.resnet8 import ResNet8
from objectives.models.torchvision import Torchvision
from objectives.models.transformer import Transformer
from objectives.models.vgg11 import Vgg11

GHOSTS, BATCH, CLASSES = 4, 8, 7

Deviation = Callable[[Tensor], float]
"""The standard deviation of initial weights `[out, in, ...]`."""


def he(weights: Tensor) -> float:
    """Equation 14 of He et al. 2015."""
    return math.sqrt(2 / (len(weights) * weights[0, 0].numel()))


def glorot(weights: Tensor) -> float:
    """Equation 12 of Glorot and Bengio 2010; a pixel of a filter counts as an input and as an output."""
    return math.sqrt(2 / (sum(weights.shape[:2]) * weights[0, 0].numel()))


def torchs(weights: Tensor) -> float:
    """Of a uniform distribution up to one over the square root of the inputs."""
    return 1 / math.sqrt(3 * weights[0].numel())


def gpt2s(weights: Tensor) -> float:
    """Of a transformer of width 16 with 2 blocks: layers that write to the residual stream are drawn smaller."""
    return 0.02 / math.sqrt(4) if len(weights) == 16 else 0.02


def small(weights: Tensor) -> float:
    return 0.01


@dataclass(frozen=True)
class Case:
    """A model, and what is known of it.

    Attributes:
        kind: What files call it.
        convolutions, dense: Standard deviations of initial weights.
        are_convolutions_zero, are_dense_zero: Whether their biases are; else they are drawn as torch draws them.
    """

    kind: str
    model: Model | Architecture
    shape: tuple[int, ...]
    convolutions: Deviation
    dense: Deviation
    are_convolutions_zero: bool
    are_dense_zero: bool
    loss: Loss = CROSS_ENTROPY

    @property
    def features(self) -> int:
        return math.prod(self.shape)

    def inputs(self, *many: int, generator: torch.Generator | None = None) -> Tensor:
        """Random inputs `[..., feature]`."""
        if self.loss is NEXT_TOKEN:
            return torch.randint(CLASSES, (*many, self.features), generator=generator)
        return torch.randn(*many, self.features, generator=generator)

    def labels(self, *many: int, generator: torch.Generator | None = None) -> Tensor:
        """Random labels, `[...]` or `[..., position]`."""
        positions = self.shape if self.loss is NEXT_TOKEN else ()
        return torch.randint(CLASSES, (*many, *positions), generator=generator)

    def reference(self) -> nn.Module:
        """The same network as an ordinary module."""
        if isinstance(self.model, Architecture):
            return self.model.module(self.shape, CLASSES)
        assert isinstance(self.model, Mlp)
        (hidden,) = self.model.hidden
        return nn.Sequential(nn.Linear(self.features, hidden), nn.ReLU(), nn.Linear(hidden, CLASSES))

    def load(self) -> Splits:
        """Random examples. A case is a data set, too."""
        generator = torch.Generator().manual_seed(0)
        train, validation, test = (
            Split(self.inputs(many, generator=generator), self.labels(many, generator=generator)) for many in (24, 8, 8)
        )
        return Splits(train, validation, test, CLASSES, self.shape)

    def __str__(self) -> str:
        return f"{self.kind} {getattr(self.model, 'norm', '')}".strip()


@dataclass(frozen=True)
class WithoutDropout:
    """A module whose rates of dropout are set from outside."""

    model: Architecture

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        made = self.model.module(shape, classes)
        for each in made.modules():
            if isinstance(each, Dropout):
                each.rate = 0.0
        return made


TINY = (3, 8, 8)

CASES = [
    Case("mlp", Mlp((16,)), (64,), torchs, torchs, False, False),
    Case("cnn", Cnn(Size.NARROW), (1, 8, 8), torchs, torchs, False, False),
    Case("cnn", Cnn(Size.NARROW, norm=Norm.GHOST, ghost_size=GHOSTS), TINY, torchs, torchs, False, False),
    Case("fully_connected", FullyConnected((16, 12), dropout=0.3), (9,), torchs, torchs, False, False),
    Case("fully_connected", FullyConnected((16, 12), Norm.BATCH), (9,), torchs, torchs, False, False),
    Case("fully_connected", FullyConnected((16,), Norm.GHOST, GHOSTS, 0.3), (9,), torchs, torchs, False, False),
    Case("keskar_f1", KeskarF1(ghost_size=GHOSTS), (1, 8, 8), glorot, glorot, True, True),
    Case("keskar_f1", KeskarF1(Norm.GHOST, GHOSTS), (1, 8, 8), glorot, glorot, True, True),
    Case("keskar_c1", KeskarC1(), TINY, glorot, glorot, True, True),
    Case("keskar_c1", KeskarC1(Norm.GHOST, GHOSTS), TINY, glorot, glorot, True, True),
    Case("keskar_c1", KeskarC1(Norm.NONE), TINY, glorot, glorot, True, True),
    Case("resnet8", ResNet8(), TINY, he, torchs, True, False),
    Case("resnet", ResNet(8), TINY, he, torchs, True, False),
    Case("resnet", ResNet(8, Norm.GHOST, GHOSTS, Shortcut.PROJECTION), TINY, he, torchs, True, False),
    Case("resnet", ResNet(14, Norm.NONE), TINY, he, torchs, True, False),
    Case("vgg11", Vgg11(Norm.GHOST, GHOSTS, hidden=(32,)), (3, 32, 32), he, small, True, True),
    Case("transformer", Transformer(16, 2, 2), (30,), gpt2s, gpt2s, True, True, NEXT_TOKEN),
    Case("torchvision", Torchvision("resnet18", Norm.GHOST, GHOSTS), (1, 16, 16), he, torchs, True, False),
]
