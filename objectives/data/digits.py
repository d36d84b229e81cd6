"""Handwritten digits, scanned: 8 x 8 pixels, ten classes (Alpaydin & Kaynak 1998), as shipped with scikit-learn."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from objectives.data import Split, Splits

__all__ = ["Digits"]


@dataclass(frozen=True, slots=True)
class Digits:
    """1,097 training, 400 validation and 300 test images, standardised by mean and deviation of the training pixels."""

    def load(self) -> Splits:
        return _load()


@cache
def _load() -> Splits:
    """The split is stratified and the same everywhere; the 700 images held out are divided in turn."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels / 16
    train, held_out, train_labels, held_out_labels = train_test_split(
        pixels, labels, test_size=700, random_state=0, stratify=labels
    )
    validation, test, validation_labels, test_labels = train_test_split(
        held_out, held_out_labels, test_size=300, random_state=0, stratify=held_out_labels
    )
    mean, deviation = train.mean(), train.std()

    return Splits(
        train=_split((train - mean) / deviation, train_labels),
        validation=_split((validation - mean) / deviation, validation_labels),
        test=_split((test - mean) / deviation, test_labels),
        classes=10,
        shape=(1, 8, 8),
    )


def _split(images: NDArray[np.float64], labels: NDArray[np.int64]) -> Split:
    return Split(torch.as_tensor(images, dtype=torch.float32), torch.as_tensor(labels, dtype=torch.int64))
