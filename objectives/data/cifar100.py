"""CIFAR-100 (Krizhevsky 2009): small photographs."""

from dataclasses import dataclass

from objectives.data import Augment, Splits
from objectives.data.images.cifar import published

__all__ = ["Cifar100"]


@dataclass(frozen=True, slots=True)
class Cifar100:
    """Photographs of 32 x 32 pixels, a hundred classes: 45,000 for training, 5,000 for validation, 10,000 for the test.

    Validation images are drawn from those to train on; the choice is the same everywhere. Each colour is standardised
    by its mean and deviation over the training images.

    Attributes:
        augment: How training images are changed at random.
    """

    augment: Augment = Augment.NONE

    def load(self) -> Splits:
        """The data.

        Raises:
            ConfigError: A file is missing and cannot be downloaded, or is damaged.
        """
        return published("CIFAR100", self.augment)
