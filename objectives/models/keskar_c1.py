"""Network C1 of Keskar et al. 2017 (arXiv 1609.04836, Appendix B): a shallow network like AlexNet, for CIFAR-10."""

from dataclasses import dataclass

from torch import nn

from objectives.models.layers.dense import Dense
from objectives.models.layers.dropout import Dropout, Rate, check_rate
from objectives.models.layers.images import size_of_images
from objectives.models.layers.initialisation import glorot
from objectives.models.layers.norms import GhostSize, Norm, norm_of_features, norm_of_images

__all__ = ["KeskarC1"]

FILTERS, DENSE = 64, (384, 192)


@dataclass(frozen=True, slots=True)
class KeskarC1:
    """Two convolutions 5x5 with 64 filters, each pooled by 3x3 with a stride of 2; dense layers of 384 and 192 units.

    Every layer but the last has batch norm and ReLU, the dense ones dropout, too. That is `shallownet` in the code that
    the authors released (`large-batch-training`, `network_zoo.py`), whose figure of C1 has these layers. Parameters
    are drawn as there, by the default of Keras 1 (Glorot and Bengio 2010). That version of batch norm also normalised
    by the minibatch when tested; here running averages are used. Not verified: that the paper's runs were of this code.

    Attributes:
        norm: The layer after each convolution and each dense layer.
        ghost_size: Examples that ghost batch norm normalises together; 128 in Hoffer et al. 2017.
        dropout: The chance that a unit of a dense layer is dropped in training.
    """

    norm: Norm = Norm.BATCH
    ghost_size: GhostSize = 128
    dropout: Rate = 0.5

    def __post_init__(self) -> None:
        check_rate(self.dropout)

    def module(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The network for images of `shape`, channels first.

        Raises:
            ValueError: The examples are no images, or too small.
        """
        channels, height, width = size_of_images(shape, least=4, model="keskar_c1")
        flat = FILTERS * -(-height // 4) * -(-width // 4)
        layers = [
            *self._convolution(channels),
            *self._convolution(FILTERS),
            nn.Flatten(),
            *self._dense(flat, DENSE[0]),
            *self._dense(*DENSE),
            nn.Linear(DENSE[1], classes),
        ]
        return glorot(nn.Sequential(*layers))

    def _convolution(self, channels: int) -> list[nn.Module]:
        """A convolution and what follows it. Pooling halves height and width, rounded up."""
        norm = norm_of_images(self.norm, FILTERS, self.ghost_size)
        return [nn.Conv2d(channels, FILTERS, 5, padding=2), *norm, nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]

    def _dense(self, inputs: int, units: int) -> list[nn.Module]:
        norm = norm_of_features(self.norm, units, self.ghost_size)
        return [Dense(inputs, units), *norm, nn.ReLU(), Dropout(self.dropout)]
