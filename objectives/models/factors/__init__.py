"""What a network implements so that K-FAC can train it."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from objectives.models import Factors, Layout
from objectives.models.regularisation import Regularisation


@runtime_checkable
class Factored(Protocol):
    """What a network implements besides `Network` if it finds the factors of its layers."""

    def add_factors(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        factors: Sequence[Factors],
        *,
        seeds: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        """As `Network.add_gradient`. Besides, adds `share` times the factors of each of the layout's layers.

        Args:
            parameters: `[lane, parameter]`.
            inputs: `[lane, example, feature]`.
            labels: `[lane, example]`, or as `add_gradient` takes them.
            sums: The tensor that the gradient is added to, `[lane, parameter]`.
            factors: Those that are added to.
            seeds: Of the labels that are drawn, `[lane, example]`, int64.
            share: The factor of the gradient and of the factors.
            regularisation: What changes the gradient. Of the factors, it changes those of the dropout alone.

        Returns:
            Losses `[lane]`, in a buffer that the next call overwrites.
        """
        ...


def no_factors(layout: Layout, parameters: Tensor) -> list[Factors]:
    """Zeros for the factors of each of a layout's layers, for parameters `[lane, parameter]`."""
    lanes, new = len(parameters), parameters.new_zeros
    return [
        (new(lanes, below, below), new(lanes, above, above)) for below, above in (each.sides for each in layout.layers)
    ]
