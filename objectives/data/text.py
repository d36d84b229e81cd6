"""A text as bytes: what follows each byte is to be predicted."""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from objectives.data import Split, Splits
from objectives.data.entry.refusals import refused
from tuner.experiment.limits.numbers import Positions, Share

__all__ = ["Text"]

BYTES = 256
"""Classes: every byte, also those that do not occur. So the validation part may hold bytes that are new, and losses on
different texts, and those of other models in bits per byte, can be compared."""


@dataclass(frozen=True, slots=True)
class Text:
    """A file, cut into a part for training, then one for validation, then one for the test, which do not overlap.

    Each part is cut into examples of `context` bytes, which are the inputs. The labels are the bytes one further on. So
    every byte of a part but its first is predicted once; what is left at its end is not used.

    Attributes:
        file: Its path, from the current folder. Any file is a text.
        context: Bytes of an example.
        validation: The share of the bytes that is for the search.
        test: The share that is for the final report.
    """

    file: str
    context: Positions = 64
    validation: Share = 0.1
    test: Share = 0.1

    def __post_init__(self) -> None:
        if self.validation + self.test >= 1:
            shares = f"validation {self.validation:g} and test {self.test:g}"
            raise ValueError(f"the shares {shares} leave nothing to train on; their sum must be below 1")

    def load(self) -> Splits:
        """The examples.

        Raises:
            ConfigError: The file cannot be read, or is too short.
        """
        text = _read(Path(self.file).expanduser())
        held_out = [round(share * len(text)) for share in (self.validation, self.test)]
        ends = accumulate([len(text) - sum(held_out), *held_out], initial=0)
        parts: list[Split] = []
        for part, (start, end) in zip(("train", "validation", "test"), pairwise(ends), strict=True):
            given = text[start:end]
            if len(given) <= self.context:
                message = f"{self.file} has {len(text)} bytes, {len(given)} of them for {part}"
                message += f"; an example needs context + 1 = {self.context + 1}"
                raise refused(f"{message}: give a longer text, a smaller context, or other shares")
            parts.append(_split(given, self.context))
        train, validation, test = parts
        return Splits(train, validation, test, classes=BYTES, shape=(self.context,))


def _split(text: Tensor, context: int) -> Split:
    """The examples of a part. Inputs and labels are views of the same bytes."""
    windows = text.unfold(0, context + 1, context)  # [example, context + 1]; each begins with the last byte before it
    return Split(windows[:, :-1], windows[:, 1:])


def _read(path: Path) -> Tensor:
    """The bytes of a file, `[byte]`, int64. Raises `ConfigError`."""
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a path may hold what no path does
        reason = error.strerror if isinstance(error, OSError) else error
        raise refused(f"{path} cannot be read: {reason}; the path is from the current folder") from error
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8).astype(np.int64))
