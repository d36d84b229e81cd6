"""The distance from the start: how far training has moved the parameters (Hoffer et al. 2017, arXiv 1705.08741)."""

import math
from collections.abc import Iterable, Mapping

from torch import Tensor


def distance(here: Mapping[str, Tensor], start: Mapping[str, Tensor], trained: Iterable[str]) -> float:
    """The Euclidean distance of the trained parameters from where they started.

    Args:
        here: Parameters by name.
        start: Those at the start.
        trained: The names that count; running averages are not trained.
    """
    return math.hypot(*(float((here[name].double() - start[name].double()).norm()) for name in trained))
