"""Arrays of any shape and type of number as the tensors that are trained on. What would lose something is refused."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from objectives.data.entry.refusals import refused
from objectives.losses import Targets

EXACT = 2**24
"""Up to here, float32 holds every whole number."""
LONG = (torch.int32, torch.int64)


def tensor_of(given: object, what: str) -> Tensor:
    """An array of numpy or torch as a tensor on the CPU.

    Args:
        given: The array.
        what: What messages call it: `train inputs`.

    Raises:
        ConfigError: It is no array of numbers.
    """
    if isinstance(given, Tensor):
        if given.is_complex() or given.layout is not torch.strided:
            raise refused(f"{what} are {given.dtype} in layout {given.layout}; give a dense tensor of real numbers")
        return given.detach().cpu()
    if isinstance(given, np.ndarray | np.generic):
        return _of_numpy(np.asarray(given), what)
    if isinstance(given, bool | int | float):
        return torch.tensor(given, dtype=torch.float64 if isinstance(given, float) else torch.int64)
    raise refused(f"{what} are a {type(given).__name__}; give a numpy array or a torch tensor")


def _of_numpy(array: NDArray[np.generic], what: str) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise refused(f"{what} are of type {array.dtype}; give numbers")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        if array.dtype.itemsize == 8 and array.size and int(array.max()) >= 2**63:
            raise refused(f"{what} are up to {array.max()}; give numbers below 2^63")
        array = array.astype(np.float32 if array.dtype.itemsize == 2 else np.int64)
    if array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(plain if plain.flags.writeable else plain.copy()).reshape(array.shape)


def inputs_of(given: object, what: str, *, whole_numbers: bool) -> Tensor:
    """Inputs `[example, ...]`: float32; or int64, if they are int32 or int64 and the model takes whole numbers.

    Raises:
        ConfigError: They are no array, not finite, or lose something as float32.
    """
    found = tensor_of(given, what)
    if found.ndim == 0:
        raise refused(f"{what} are a single number; give an array [example, ...]")
    found = found.unsqueeze(1) if found.ndim == 1 else found
    return found.long() if whole_numbers and found.dtype in LONG else as_float32(found, what)


def as_float32(found: Tensor, what: str) -> Tensor:
    """The same numbers. Raises `ConfigError` if some are not finite, or whole numbers are lost."""
    if found.dtype in LONG and found.numel() and (most := int(found.abs().max())) > EXACT:
        raise refused(f"{what} are whole numbers up to {most}, which float32 rounds; scale them first")
    floats = found.float()
    if not (finite := floats.isfinite()).all():
        places = (~finite).nonzero().tolist()
        said = f"{what} hold {found[tuple(places[0])].item():g} in example {places[0][0]} ({len(places)} such in all)"
        raise refused(f"{said}; all must be finite in float32")
    return floats


def labels_of(given: object, what: str, targets: Targets) -> Tensor:
    """Labels as a loss takes them: int64 `[example]` or `[example, position]`, or float32 `[example, output]`.

    Raises:
        ConfigError: They are no array, of a wrong shape, or values that the loss does not take.
    """
    found = tensor_of(given, what)
    if found.ndim == 2 and found.shape[1] == 1 and targets is Targets.CLASSES:
        found = found.squeeze(1)
    if targets is Targets.CLASSES:
        if found.ndim != 1:
            message = f"{what} have the shape {list(found.shape)}; give the class of each example, [example]"
            raise refused(f'{message}; of one-hot labels, labels.argmax(1). For texts, say loss = "next_token"')
        return _classes(found, what)
    if targets is Targets.TOKENS:
        if found.ndim != 2 or not found.shape[1]:
            message = f"{what} have the shape {list(found.shape)}; give the class at each position, [example, position]"
            raise refused(f'{message}. For one class for each example, say loss = "cross_entropy"')
        return _classes(found, what)
    if found.ndim not in (1, 2):
        raise refused(f"{what} have the shape {list(found.shape)}; give [example], or [example, output]")
    numbers = as_float32(found, what)
    if targets is Targets.SHARES and len(numbers) and (numbers.min() < 0 or numbers.max() > 1):
        worst = (numbers.min() if numbers.min() < 0 else numbers.max()).item()
        raise refused(f"{what} hold {worst:g}; binary cross entropy needs labels from 0 to 1")
    return numbers.unsqueeze(1) if numbers.ndim == 1 else numbers


def _classes(found: Tensor, what: str) -> Tensor:
    """The same labels, as whole numbers. Raises `ConfigError` if they are none."""
    whole = found.long()  # a comparison in fewer bits would wrap around
    wrong = (whole < 0) | (whole > EXACT)
    if found.is_floating_point():
        wrong |= (found != found.round()) | ~found.isfinite()
    if wrong.any():
        place = tuple(wrong.nonzero()[0].tolist())
        raise refused(f"{what} hold {found[place].item():g} in example {place[0]}; classes are 0, 1, 2, ...")
    return whole
