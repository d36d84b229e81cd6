"""Handwritten digits, scanned: 8 x 8 pixels, ten classes (Alpaydin & Kaynak 1998), as shipped with scikit-learn."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

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
    """The split is stratified: scikit-learn's `train_test_split` made it, and a file keeps it the same everywhere.

    The images are read from scikit-learn's folder without importing it, which takes every worker a second.
    """
    package = find_spec("sklearn")
    assert package is not None, "scikit-learn is a dependency"
    assert package.origin is not None, "it is a package with files"
    table = np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    pixels, labels = table[:, :-1] / 16, table[:, -1].astype(np.int64)
    rows = json.loads(Path(__file__).with_name("digits_split.json").read_text(encoding="utf-8"))
    train = pixels[rows["train"]]
    mean, deviation = train.mean(), train.std()

    def split(part: str) -> Split:
        return _split((pixels[rows[part]] - mean) / deviation, labels[rows[part]])

    return Splits(split("train"), split("validation"), split("test"), classes=10, shape=(1, 8, 8))


def _split(images: NDArray[np.float64], labels: NDArray[np.int64]) -> Split:
    return Split(torch.as_tensor(images, dtype=torch.float32), torch.as_tensor(labels, dtype=torch.int64))
