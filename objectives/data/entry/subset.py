"""Fewer training examples: the first of a random order that is always the same, so that fewer are among more."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.data.cache.sharing import shared
from objectives.data.entry.refusals import placed, refused

ORDER = 0
"""The seed of the order."""


def with_fewer(splits: Splits, train_examples: int) -> Splits:
    """The splits with so many training examples; validation and test stay as they are.

    Args:
        splits: All examples.
        train_examples: How many are trained on.

    Raises:
        ConfigError: There are fewer.
    """
    train = splits.train
    if train_examples > len(train):
        with placed("train_examples", "train_examples"):
            raise refused(f"train_examples is {train_examples}, and there are {len(train)} to train on; take fewer")
    if train_examples == len(train):
        return splits
    if splits.pixels is not None and splits.pixels.is_shuffled:
        fewer = Split(train.inputs[:train_examples], train.labels[:train_examples])  # no copy: they may be many
    else:
        order = np.random.RandomState(ORDER).permutation(len(train))  # this generator never changes
        rows = torch.from_numpy(np.sort(order[:train_examples]))
        fewer = Split(_shared(train.inputs[rows]), train.labels[rows])
    return replace(splits, train=fewer)


def _shared(inputs: Tensor) -> Tensor:
    """The same numbers, in memory that all workers share if they are many."""
    return shared(inputs.numpy()) if inputs.dtype in (torch.float32, torch.uint8) else inputs
