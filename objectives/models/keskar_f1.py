"""Network F1 of Keskar et al. 2017 (arXiv 1609.04836, Appendix B): five batch-normalised layers of 512 units."""

from dataclasses import dataclass

from torch import nn

from objectives.models.fully_connected import FullyConnected
from objectives.models.layers.initialisation import glorot
from objectives.models.layers.norms import GhostSize, Norm

__all__ = ["KeskarF1"]

HIDDEN = (512,) * 5


@dataclass(frozen=True, slots=True)
class KeskarF1:
    """784-512-512-512-512-512-10 on MNIST, with batch norm and ReLU. Hoffer et al. 2017 train it with ghost batch norm.

    Parameters are drawn as the authors' library of that time, Keras 1, draws them by default (Glorot and Bengio 2010):
    the paper does not say how, and F1 is not in the code that they released. That version of batch norm also
    normalised by the minibatch when tested; here running averages are used.

    Attributes:
        norm: The layer after each hidden layer.
        ghost_size: Examples that ghost batch norm normalises together; 128 in Hoffer et al.
    """

    norm: Norm = Norm.BATCH
    ghost_size: GhostSize = 128

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for examples of any shape."""
        return glorot(FullyConnected(HIDDEN, self.norm, self.ghost_size).module(shape, classes))
