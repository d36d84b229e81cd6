"""Checked splits of whatever a data set loads."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from torch import Tensor

from objectives.data import Dataset, Split, Splits, Unsplit
from objectives.data.entry.examples import pair_of
from objectives.data.entry.images import bytes_of, check_images
from objectives.data.entry.numbers import inputs_of, labels_of, tensor_of
from objectives.data.entry.parting import parted
from objectives.data.entry.refusals import placed, refused
from objectives.data.entry.subset import with_fewer
from objectives.losses import Targets
from tuner.experiment.settings import nearest
from tuner.tracebacks import users_code

PARTS = ("train", "validation", "test")
KEPT = 4
"""Data sets that a process keeps."""


@dataclass(frozen=True, slots=True)
class _Examples:
    """Examples of one part: inputs `[example, ...]` and labels."""

    inputs: Tensor
    labels: Tensor

    def at(self, rows: Tensor) -> "_Examples":
        return _Examples(self.inputs[rows], self.labels[rows])


def splits_of(data: Dataset, targets: Targets, *, whole_numbers: bool, train_examples: int | None = None) -> Splits:
    """What a data set loads, checked and split. It is kept for the next call, if the settings can be hashed.

    Args:
        data: The data set's settings.
        targets: What the labels have to be.
        whole_numbers: Whether the model takes int64 inputs; otherwise they become float32.
        train_examples: How many examples are trained on; by default all.

    Raises:
        ConfigError: `load` raised an error, or returned what cannot be trained on, or too few examples.
    """
    try:
        hash(data)
    except TypeError:
        return _checked(data, targets, whole_numbers, train_examples)
    assert isinstance(data, Hashable), "it has just been hashed"
    return _kept(data, targets, whole_numbers, train_examples)


def _checked(data: Dataset, targets: Targets, whole_numbers: bool, train_examples: int | None) -> Splits:
    splits = _all(data, targets, whole_numbers)
    return splits if train_examples is None else with_fewer(splits, train_examples)


def _all(data: Dataset, targets: Targets, whole_numbers: bool) -> Splits:
    """Everything that a data set loads, checked and split."""
    owner = type(data).__name__
    with placed("data", owner):
        with users_code(f"{owner}.load()"):
            loaded: object = data.load()
        said = loaded if isinstance(loaded, Splits) else None
        if said is not None:
            found = {part: getattr(said, part) for part in PARTS}
        else:
            found = dict(_named(loaded.examples if isinstance(loaded, Unsplit) else loaded))
        pixels = None if said is None else said.pixels
        read = partial(inputs_of, whole_numbers=whole_numbers) if pixels is None else partial(bytes_of, pixels=pixels)
        pairs = {part: pair_of(each, part) for part, each in found.items()}
        kind = _kind(pairs["train"][1], targets)
        parts = {part: _examples(*pair, part, kind, read) for part, pair in pairs.items()}
        how = loaded if isinstance(loaded, Unsplit) else Unsplit({})
        return _joined(_completed(parts, how), kind, said)


_kept = lru_cache(KEPT)(_checked)


def _named(loaded: object) -> Mapping[str, object]:
    """The parts by name; all examples are `train`, if they are not split."""
    if loaded is None:
        raise refused("load() returned nothing; return (inputs, labels), for example")
    if not isinstance(loaded, Mapping):
        return {"train": loaded}
    for name in loaded:
        if name not in PARTS:
            raise refused(f"{name!r} is not a part of the data; {nearest(str(name), PARTS)}")
    if "train" not in loaded:
        raise refused(f"there is no train, only {', '.join(loaded) or 'an empty mapping'}; give train at least")
    return loaded


def _kind(labels: object, targets: Targets) -> Targets:
    """What the labels are to be, if it is left to the data."""
    if targets is not Targets.ANY:
        return targets
    found = tensor_of(labels, "train labels")
    if found.is_floating_point():
        return Targets.NUMBERS
    return Targets.TOKENS if found.ndim == 2 and found.shape[1] > 1 else Targets.CLASSES


def _examples(
    inputs: object, labels: object, part: str, targets: Targets, read: Callable[[object, str], Tensor]
) -> _Examples:
    """Both arrays of a part, checked and converted."""
    found = read(inputs, f"{part} inputs")
    labelled = labels_of(labels, f"{part} labels", targets)
    if len(found) != len(labelled):
        raise refused(f"{part} has {len(found)} inputs and {len(labelled)} labels; every input needs one label")
    if not len(found):
        raise refused(f"{part} is empty; give it examples" + (", or leave it out" if part != "train" else ""))
    return _Examples(found, labelled)


def _completed(parts: dict[str, _Examples], how: Unsplit) -> dict[str, _Examples]:
    """All three parts; those that are missing are taken from the training examples."""
    shares = {"test": how.test, "validation": how.validation}
    missing = {part: share for part, share in shares.items() if part not in parts}
    if not missing:
        return parts
    train = parts["train"]
    return parts | {part: train.at(rows) for part, rows in parted(train.labels, missing, seed=how.seed).items()}


def _joined(parts: Mapping[str, _Examples], kind: Targets, said: Splits | None) -> Splits:
    """The three parts, which have to fit to each other and to what is said of them."""
    train = parts["train"]
    for part, each in parts.items():
        for name, own, first in (("inputs", each.inputs, train.inputs), ("labels", each.labels, train.labels)):
            if own.shape[1:] != first.shape[1:] or own.dtype != first.dtype:
                message = f"{part} {name} are {_form(own)}, and those of train {_form(first)}; make them equal"
                raise refused(message)
    one = tuple(train.inputs.shape[1:])
    train_split, validation, test = (Split(parts[each].inputs.flatten(1), parts[each].labels) for each in PARTS)
    if said is None:
        return Splits(train_split, validation, test, classes=_outputs(parts, kind, None), shape=one)
    shape = tuple(said.shape)
    if said.pixels is None and math.prod(shape) != math.prod(one):
        raise refused(f"shape is {list(shape)}, and the inputs are {_form(train.inputs)}; say shape = {one}")
    check_images(said)
    classes = _outputs(parts, kind, said.classes)
    return replace(said, train=train_split, validation=validation, test=test, classes=classes, shape=shape)


def _form(examples: Tensor) -> str:
    """The shape of one example and the type of its numbers: `[1, 28, 28] of float32`."""
    return f"{list(examples.shape[1:])} of {str(examples.dtype).removeprefix('torch.')}"


def _outputs(parts: Mapping[str, _Examples], kind: Targets, said: int | None) -> int:
    """How many outputs the labels ask for: the number of classes, or of numbers."""
    if kind not in (Targets.CLASSES, Targets.TOKENS):
        numbers = parts["train"].labels.shape[1]
        if said not in (None, numbers):
            raise refused(f"classes is {said}, and every label has {numbers} numbers; say classes = {numbers}")
        return numbers
    most = {part: int(each.labels.max()) for part, each in parts.items()}
    for part, label in most.items():
        if said is not None and label >= said:
            example = int(parts[part].labels.argmax()) // parts[part].labels[0].numel()
            raise refused(
                f"{part} labels hold {label} in example {example}; classes is {said}, so they are 0 to {said - 1}"
            )
    classes = said or max(most.values()) + 1
    if classes < 2:
        raise refused("all labels are 0; a classification needs two classes at least")
    return classes
