"""Fashion-MNIST (Xiao et al. 2017): images of clothes in the format of MNIST."""

from dataclasses import dataclass

from objectives.data import Augment, Splits
from objectives.data.images.idx import published

__all__ = ["FashionMnist"]


@dataclass(frozen=True, slots=True)
class FashionMnist:
    """Images of 28 x 28 pixels, ten kinds of clothes: 55,000 for training, 5,000 for validation, 10,000 for testing.

    Attributes:
        augment: How training images are changed at random.
    """

    augment: Augment = Augment.NONE

    def load(self) -> Splits:
        """The data.

        Raises:
            ConfigError: A file is missing and cannot be downloaded, or is not what its name says.
        """
        return published("FashionMNIST", self.augment)
