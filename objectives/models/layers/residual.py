"""Parts of the residual networks for CIFAR (He et al. 2016a, arXiv 1512.03385, Section 4.2)."""

from torch import Tensor, nn
from torch.nn import functional

STAGES = (16, 32, 64)
"""Filters of the three stages. The second and the third begin with a stride of 2."""


class Residual(nn.Module):
    """The sum of a branch and a shortcut around it."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, inputs: Tensor) -> Tensor:
        summed: Tensor = self.branch(inputs) + self.shortcut(inputs)
        return summed


class PaddedIdentity(nn.Module):
    """A shortcut without parameters (option A there): every `stride`-th pixel, and channels of zeros behind the others.

    Args:
        more: How many channels are added.
        stride: The distance of the pixels that are kept.
    """

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, images: Tensor) -> Tensor:
        return functional.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))

    def extra_repr(self) -> str:
        return f"more={self.more}, stride={self.stride}"


def convolution(inputs: int, outputs: int, *, stride: int = 1, biases: bool) -> nn.Conv2d:
    """A convolution 3x3 that keeps the size of images, or divides it by the stride and rounds up."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=biases)


def identity(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The shortcut without parameters."""
    return nn.Identity() if inputs == outputs and stride == 1 else PaddedIdentity(outputs - inputs, stride)
