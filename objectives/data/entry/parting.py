"""Splits examples at random into parts, by scikit-learn: the same each time, and each class with its share."""

import numpy as np
import torch
from torch import Tensor

from objectives.data.entry.refusals import refused


def parted(labels: Tensor, shares: dict[str, float], *, seed: int) -> dict[str, Tensor]:
    """The numbers of the examples of each part, in rising order, and of `train`, which gets the rest.

    Args:
        labels: `[example]`, or `[example, ...]`; classes keep their shares if there is one for each example.
        shares: Of each part to be made, of all examples.
        seed: Of the random choice.

    Raises:
        ConfigError: There are too few examples, or too few of a class.
    """
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]  # takes a second

    if not all(0 < each < 1 for each in shares.values()) or sum(shares.values()) >= 1:
        given = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise refused(f"the shares {given} leave nothing to train on; each must be above 0, and their sum below 1")
    left = np.arange(len(labels))
    parts: dict[str, Tensor] = {}
    for name, share in shares.items():
        strata = None if labels.is_floating_point() or labels.ndim > 1 else labels[left].numpy()
        many = max(1, round(share * len(labels)))
        try:
            left, taken = train_test_split(left, test_size=many, random_state=seed, stratify=strata)
        except ValueError as error:
            reason = str(error).partition(". ")[0].rstrip(".")
            message = f"{len(labels)} examples cannot be split into train, {' and '.join(shares)}: {reason}"
            raise refused(f"{message}; give more examples, or a split of your own") from error
        parts[name] = torch.from_numpy(np.sort(taken))
    return parts | {"train": torch.from_numpy(np.sort(left))}
