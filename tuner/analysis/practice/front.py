"""Choices between which no other is better: those that cannot be had faster without costing more (Pareto)."""

from collections.abc import Sequence


def front(costs: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """The choices that no other beats: none is at least as good in both costs and better in one.

    Args:
        costs: Of each choice two costs, lower is better.

    >>> front([(8.0, 1.0), (4.0, 2.0), (5.0, 3.0), (1.0, 4.0), (1.0, 4.0)])
    (0, 1, 3, 4)
    """
    return tuple(
        index
        for index, (one, other) in enumerate(costs)
        if not any(a <= one and b <= other and (a < one or b < other) for a, b in costs)
    )
