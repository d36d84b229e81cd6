"""Where the gradient of a tensor of parameters goes: added to what is there, or over it."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(slots=True)
class Target:
    """The sum of the parts of a gradient.

    Attributes:
        sums: The tensor, in the shape of the parameters.
        is_fresh: Whether what is there counts as zero: the first part is then written over it, which saves zeroing it.
    """

    sums: Tensor
    is_fresh: bool = False

    def add(self, gradient: Tensor) -> None:
        """Add a part."""
        if self.is_fresh:
            self.sums.copy_(gradient)
        else:
            self.sums.add_(gradient)
        self.is_fresh = False

    def add_product(self, above: Tensor, below: Tensor) -> None:
        """Add a product of matrices."""
        self.sums.addmm_(above, below, beta=0 if self.is_fresh else 1)
        self.is_fresh = False

    def end(self) -> None:
        """Note that there are no more parts: of none, the sum is zero."""
        if self.is_fresh:
            self.sums.zero_()
