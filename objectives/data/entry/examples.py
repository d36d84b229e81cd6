"""Labelled examples in any form as two arrays: torch's data sets are read once, from the first example to the last."""

from collections.abc import Sized
from itertools import starmap

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import TensorDataset

from objectives.data import Split
from objectives.data.entry.numbers import tensor_of
from objectives.data.entry.refusals import refused
from tuner.tracebacks import users_code


def pair_of(examples: object, part: str) -> tuple[object, object]:
    """The inputs and the labels of some examples, not checked yet.

    Args:
        examples: Arrays, a split, or a data set of torch.
        part: What messages call them: `train`.

    Raises:
        ConfigError: They are neither, or the data set raised an error.
    """
    if isinstance(examples, Split):
        return examples.inputs, examples.labels
    if isinstance(examples, TensorDataset):
        return _two(examples.tensors, f"{part} is a TensorDataset")
    if isinstance(examples, TorchDataset):
        return _read(examples, part)
    return _two(examples, f"{part} is a {type(examples).__name__}")


def _two(given: object, what: str) -> tuple[object, object]:
    if not isinstance(given, tuple | list):
        raise refused(f"{what}; give (inputs, labels), a torch Dataset, or a mapping of train, validation and test")
    if len(given) != 2:
        raise refused(f"{what} of {len(given)}; give two: inputs and labels")
    return given[0], given[1]


def _read(dataset: TorchDataset[tuple[object, object]], part: str) -> tuple[Tensor, Tensor]:
    """All examples of a data set, stacked."""
    name = type(dataset).__name__
    if not isinstance(dataset, Sized):
        raise refused(f"{part} is of type {name}, which has no length; give a data set with __len__ and __getitem__")
    with users_code(f"{part}: {name}.__getitem__"):
        pairs = [dataset[index] for index in range(len(dataset))]
    if not pairs:
        return torch.zeros(0, 1), torch.zeros(0)
    both = starmap(_two, ((each, f"{part}: an example of {name} is a {type(each).__name__}") for each in pairs))
    inputs, labels = zip(*both, strict=True)
    return _stacked(inputs, f"{part} inputs of {name}"), _stacked(labels, f"{part} labels of {name}")


def _stacked(given: tuple[object, ...], what: str) -> Tensor:
    tensors = [tensor_of(each, what) for each in given]
    for index, each in enumerate(tensors):
        if each.shape != tensors[0].shape:
            first, other = list(tensors[0].shape), list(each.shape)
            raise refused(f"{what} have the shape {first} in example 0 and {other} in example {index}; make them equal")
    return torch.stack(tensors)
