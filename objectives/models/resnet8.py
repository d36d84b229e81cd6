"""ResNet-8 of Shallue et al. 2019 (arXiv 1811.03600): a residual network for CIFAR-10 without normalisation."""

from dataclasses import dataclass

from torch import nn

from objectives.models.layers.images import GlobalAverage, size_of_images
from objectives.models.layers.initialisation import he_convolutions
from objectives.models.layers.residual import STAGES, Residual, convolution, identity

__all__ = ["ResNet8"]


@dataclass(frozen=True, slots=True)
class ResNet8:
    """Seven convolutions, of 16, 32 and 64 filters, and an output layer: the network of He et al. 2016a for CIFAR.

    Each of its three stages has one block, with the ReLU before each convolution (He et al. 2016b, arXiv 1603.05027).
    Shortcuts have no parameters, and convolutions are drawn as in He et al. 2016a. Not verified: that Shallue et al.
    left both as they were there, and that convolutions have biases, as they need without normalisation.
    """

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for images of `shape`, channels first. Raises `ValueError` if the examples are no such images."""
        channels, _, _ = size_of_images(shape, least=4, model="resnet8")
        layers: list[nn.Module] = [convolution(channels, STAGES[0], biases=True)]
        below = STAGES[0]
        for filters in STAGES:
            layers.append(_block(below, filters, stride=1 if filters == below else 2))
            below = filters
        return he_convolutions(nn.Sequential(*layers, nn.ReLU(), GlobalAverage(), nn.Linear(below, classes)))


def _block(inputs: int, outputs: int, *, stride: int) -> nn.Module:
    branch = nn.Sequential(
        nn.ReLU(),
        convolution(inputs, outputs, stride=stride, biases=True),
        nn.ReLU(),
        convolution(outputs, outputs, biases=True),
    )
    return Residual(branch, identity(inputs, outputs, stride))
