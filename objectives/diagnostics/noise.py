"""The noise of minibatch gradients: its size at several batch sizes, and the gradient noise scale.

McCandlish et al. 2018, arXiv 1812.06162, appendix A.1. With `S` the covariance of the gradients of single examples and
`G` their mean, a minibatch of `m` examples that are drawn independently has a gradient `g` with

    E |g|^2 = |G|^2 + tr S / m

so two sizes give `|G|^2` and `tr S`, and the simple noise scale is `tr S / |G|^2`. Both are averaged over draws before
they are divided. The interval of the ratio is Fieller's (1954): it has no upper end if `|G|^2` might be zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Norms:
    """Squared norms of the gradients of minibatches.

    Attributes:
        sizes: Of the minibatches; each divides the next.
        squares: `[draw, size]`: the mean over all minibatches of this size in a draw, which is one of the largest size.
    """

    sizes: Sequence[int]
    squares: Tensor


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """The gradient noise scale.

    Attributes:
        squared_gradient: `|G|^2`. An estimate without bias, so it may be below zero.
        trace: `tr S`.
        value: `tr S / |G|^2`; infinite if the estimate of `|G|^2` is not positive.
        low: The lower end of its 95 % interval.
        high: The upper end; infinite if there is none.
    """

    squared_gradient: float
    trace: float
    value: float
    low: float
    high: float


def norms_of(parts: Tensor, sizes: Sequence[int]) -> Tensor:
    """The mean squared norm of the gradients of minibatches of each size, `[size]`, within one draw.

    Args:
        parts: The gradients of minibatches of the smallest size, `[minibatch, parameter]`.
        sizes: Of minibatches, ascending; the largest is the whole draw.
    """
    found = []
    for before, size in zip((sizes[0], *sizes), sizes, strict=False):
        parts = parts.view(-1, size // before, parts.shape[1]).mean(1)
        found.append(parts.square().sum(1).mean(dtype=torch.float64))
    return torch.stack(found)


def unbiased(small: float, big: float, squared_small: float, squared_big: float) -> tuple[float, float]:
    """`|G|^2` and `tr S` from the squared norms of gradients at two batch sizes.

    >>> [round(each, 2) for each in unbiased(32, 512, 4.0, 1.3)]
    [1.12, 92.16]
    """
    gradient = (big * squared_big - small * squared_small) / (big - small)
    return gradient, (squared_small - squared_big) / (1 / small - 1 / big)


def noise_scale(norms: Norms) -> NoiseScale:
    """The noise scale from the smallest and the largest size.

    Raises:
        ValueError: There are fewer than two draws.
    """
    small, big = norms.sizes[0], norms.sizes[-1]
    each = [unbiased(small, big, *ends) for ends in norms.squares[:, [0, -1]].tolist()]
    gradients, traces = torch.tensor(each, dtype=torch.float64).unbind(1)
    gradient, trace = float(gradients.mean()), float(traces.mean())
    low, high = _ratio(traces, gradients)
    return NoiseScale(gradient, trace, trace / gradient if gradient > 0 else math.inf, max(0.0, low), high)


def deviations(norms: Norms) -> Tensor:
    """The standard deviation of the gradient of a minibatch of each size but the largest, `[size]`.

    It is `sqrt(tr S / m)`, with `tr S` from this size and the largest, which share their examples.
    """
    means, big = norms.squares.mean(0).tolist(), norms.sizes[-1]
    found = []
    for size, square in zip(norms.sizes[:-1], means, strict=False):
        _, trace = unbiased(size, big, square, means[-1])
        found.append(math.sqrt(max(0.0, trace) / size))
    return torch.tensor(found, dtype=torch.float64)


def _ratio(above: Tensor, below: Tensor) -> tuple[float, float]:
    """Fieller's interval of the ratio of two means, of paired numbers `[draw]`; its upper end may be infinite.

    It holds the ratios `r` at which the mean of `above - r below` is within Student's bound of zero.
    """
    from scipy.stats import t

    many = len(above)
    if many < 2:
        raise ValueError(f"an interval needs at least two draws, not {many}")
    bound = float(t.ppf((1 + CONFIDENCE) / 2, many - 1)) ** 2 / many
    (above_variance, covariance), (_, below_variance) = torch.cov(torch.stack([above, below])).tolist()
    top, bottom = float(above.mean()), float(below.mean())
    square, half = bottom**2 - bound * below_variance, top * bottom - bound * covariance
    rest = top**2 - bound * above_variance
    inside = half**2 - square * rest
    if square > 0 and bottom > 0:
        root = math.sqrt(max(0.0, inside))
        return (half - root) / square, (half + root) / square
    # The mean below may be zero. What is left is what lies beyond the greater root, or everything.
    return max(0.0, (half - math.sqrt(inside)) / square) if inside > 0 > square else 0.0, math.inf
