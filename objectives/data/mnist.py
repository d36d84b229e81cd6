"""MNIST (LeCun et al. 1998), and data sets in its format."""

from dataclasses import dataclass
from pathlib import Path

from objectives.data import Augment, Splits
from objectives.data.images.idx import published, splits_in

__all__ = ["Mnist"]


@dataclass(frozen=True, slots=True)
class Mnist:
    """Images of 28 x 28 pixels: 55,000 for training, 5,000 for validation, 10,000 for testing.

    Validation images are drawn from the training file; the choice is the same everywhere. Pixels are standardised by
    the mean and deviation of the training images.

    Attributes:
        folder: Where the four files are. By default `MNIST/raw` in the folder of data sets, or `FashionMNIST/raw`:
            where torchvision puts them.
        fashion: Whether it is Fashion-MNIST (Xiao et al. 2017).
        augment: How training images are changed at random.
    """

    folder: str = ""
    fashion: bool = False
    augment: Augment = Augment.NONE

    def load(self) -> Splits:
        """The data.

        Raises:
            ConfigError: A file is missing and cannot be downloaded, or is not what its name says.
        """
        if self.folder:
            return splits_in(Path(self.folder).expanduser(), self.augment)
        return published("FashionMNIST" if self.fashion else "MNIST", self.augment)
