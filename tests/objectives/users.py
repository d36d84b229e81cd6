"""Data, models, losses and metrics as users write them: right ones, and each wrong in its own way."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset, IterableDataset

from objectives.data import Split, Splits

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(120, 4))
CLASSES = np.arange(120) % 3
WORDS = np.arange(240).reshape(60, 4) % 7
NUMBERS = INPUTS @ [1.0, -2.0, 0.5, 0.0]


def changed(array: np.ndarray, value: float) -> np.ndarray:
    """A copy whose number 17 is another."""
    copy = array.astype(np.float64)
    copy[17] = value
    return copy


class Pairs(Dataset[object]):
    """Examples one at a time."""

    def __init__(self, example: Callable[[int], object]) -> None:
        self._example = example

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> object:
        return self._example(index)


class Endless(IterableDataset[object]):
    def __iter__(self) -> Iterator[object]:
        yield from ()


def failing(index: int) -> object:
    raise OSError(f"image {index} is not there")


def split(inputs: object, labels: object) -> Split:
    return Split(torch.as_tensor(inputs), torch.as_tensor(labels))


def splits(
    labels: object = CLASSES, *, classes: int = 3, shape: tuple[int, ...] = (4,), inputs: object = INPUTS
) -> Splits:
    part = split(inputs, labels)
    return Splits(part, part, part, classes=classes, shape=shape)


DATA: dict[str, Callable[[], object]] = {
    "classes": lambda: (INPUTS, CLASSES),
    "numbers": lambda: (INPUTS, NUMBERS),
    "shares": lambda: (INPUTS, NUMBERS > 0),
    "words": lambda: (WORDS, WORDS[:, 0] % 3),
    "few words": lambda: (WORDS % 3, WORDS[:, 0] % 3),
    "tokens": lambda: (WORDS, (WORDS + 1) % 7),
    "tokens as numbers": lambda: (WORDS.astype(float), (WORDS + 1) % 7),
    "tokens of another length": lambda: {"train": (WORDS, WORDS), "test": (WORDS, WORDS[:, :3])},
    "tokens and a half": lambda: (WORDS, WORDS + 0.5),
    "token out of range": lambda: splits(WORDS, inputs=WORDS, classes=6),
    "more words than tokens": lambda: (WORDS, WORDS % 3),
    "no tokens": lambda: (WORDS, WORDS[:, :0]),
    "raises": lambda: 1 // 0,
    "nothing": lambda: None,
    "three arrays": lambda: (INPUTS, CLASSES, CLASSES),
    "lists": lambda: (INPUTS.tolist(), CLASSES),
    "texts": lambda: (INPUTS.astype(str), CLASSES),
    "complex": lambda: (torch.complex(torch.ones(9), torch.ones(9)), CLASSES[:9]),
    "fewer labels": lambda: (INPUTS, CLASSES[:99]),
    "no examples": lambda: (INPUTS[:0], CLASSES[:0]),
    "a single number": lambda: (np.float64(3), CLASSES),
    "nan": lambda: (changed(INPUTS, math.nan), CLASSES),
    "too large": lambda: (changed(INPUTS, 1e300), CLASSES),
    "long numbers": lambda: (np.full((120, 4), 2**40), CLASSES),
    "label out of range": lambda: splits(changed(CLASSES, 7).astype(int)),
    "negative label": lambda: (INPUTS, changed(CLASSES, -1).astype(int)),
    "label and a half": lambda: (INPUTS, changed(CLASSES, 1.5)),
    "one-hot": lambda: (INPUTS, np.eye(3)[CLASSES]),
    "one class": lambda: (INPUTS, 0 * CLASSES),
    "a rare class": lambda: (INPUTS, changed(CLASSES, 3).astype(int)),
    "no train": lambda: {"validation": (INPUTS, CLASSES)},
    "a part misspelt": lambda: {"train": (INPUTS, CLASSES), "validaton": (INPUTS, CLASSES)},
    "an empty part": lambda: {"train": (INPUTS, CLASSES), "test": (INPUTS[:0], CLASSES[:0])},
    "another shape": lambda: {"train": (INPUTS, CLASSES), "test": (INPUTS[:, :3], CLASSES)},
    "a wrong shape": lambda: splits(shape=(1, 8, 8)),
    "other numbers": lambda: splits(NUMBERS, classes=2),
    "nan label": lambda: (INPUTS, changed(NUMBERS, math.nan)),
    "labels of three dimensions": lambda: (INPUTS, np.zeros((120, 2, 2))),
    "no share": lambda: (INPUTS, NUMBERS),
    "an example raises": lambda: Pairs(failing),
    "examples are mappings": lambda: Pairs(lambda _: {"input": 0, "label": 0}),
    "examples differ": lambda: Pairs(lambda index: (torch.zeros(3 + index // 9), 0)),
    "endless": Endless,
}


@dataclass(frozen=True)
class Data:
    """Data that are wrong in a way, or right."""

    case: str = "classes"

    def load(self) -> Any:
        return DATA[self.case]()


class Tuple(nn.Module):
    """Returns two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(inputs), inputs


class Raising(Tuple):
    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError("not yet")


def linear(shape: tuple[int, ...], outputs: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), outputs))


def infinite(shape: tuple[int, ...], outputs: int) -> nn.Module:
    module = nn.Linear(shape[0], outputs)
    nn.init.constant_(module.weight, math.inf)
    return module


MODELS: dict[str, Callable[[tuple[int, ...], int], object]] = {
    "linear": linear,
    "embedding": lambda _, outputs: nn.Sequential(nn.Embedding(7, 5), nn.Flatten(), nn.Linear(20, outputs)),
    "raises": lambda shape, outputs: linear(shape[5], outputs),  # type: ignore[arg-type]
    "no module": lambda shape, outputs: torch.zeros(shape[0], outputs),
    "more outputs": lambda shape, outputs: linear(shape, outputs + 2),
    "flat outputs": lambda shape, _: nn.Sequential(linear(shape, 1), nn.Flatten(0)),
    "other inputs": lambda _, outputs: nn.Linear(9, outputs),
    "two outputs": lambda *_: Tuple(),
    "forward raises": lambda *_: Raising(),
    "not finite": infinite,
    "no parameters": lambda shape, outputs: nn.AdaptiveAvgPool1d(outputs),
}


@dataclass(frozen=True)
class Model:
    """A model that is wrong in a way, or right."""

    case: str = "linear"

    def module(self, shape: tuple[int, ...], classes: int) -> Any:
        return MODELS[self.case](shape, classes)


def absolute(outputs: Tensor, targets: Tensor) -> Tensor:
    """A loss."""
    return (outputs - targets).abs().mean()


def smoothed(outputs: Tensor, targets: Tensor) -> Tensor:
    """A loss for classes."""
    return functional.cross_entropy(outputs, targets, label_smoothing=0.1)


def smoothed_tokens(outputs: Tensor, targets: Tensor) -> Tensor:
    """A loss for tokens."""
    return functional.cross_entropy(outputs.transpose(1, 2), targets, label_smoothing=0.1)


def of_each(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, targets, reduction="none")


def a_number(outputs: Tensor, targets: Tensor) -> float:
    return smoothed(outputs, targets).item()


def detached(outputs: Tensor, targets: Tensor) -> Tensor:
    return smoothed(outputs.detach(), targets)


def raising(outputs: Tensor, targets: Tensor) -> Tensor:
    raise LookupError("no such class")


def worst(outputs: Tensor, targets: Tensor) -> float:
    """A metric: the largest distance of an output from its target."""
    return float((outputs - targets).abs().max())


def recalls(outputs: Tensor, targets: Tensor) -> list[float]:
    """No metric: a number for each class."""
    return [1.0, 0.5, 0.25]


def loss(outputs: Tensor, targets: Tensor) -> float:
    return 0.0


NOT_CALLABLE = 3
