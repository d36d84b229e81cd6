"""Losses: functions of a network's outputs and of the targets, which training minimises."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from tuner.errors import ConfigError, Problem
from tuner.experiment.components import available, find_named
from tuner.experiment.settings import Reader


class Targets(StrEnum):
    """What the labels of a data set are.

    `classes` are whole numbers from 0, `[example]`. The others are float32, `[example, output]`: `numbers` of any size,
    or `shares` from 0 to 1. `any` leaves it to the data: whole numbers are classes, all others numbers.
    """

    CLASSES = "classes"
    NUMBERS = "numbers"
    SHARES = "shares"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Loss:
    """What training minimises.

    Attributes:
        name: As an experiment's file has it.
        function: From outputs `[example, output]` and targets to the mean over the examples, a scalar that can be
            differentiated.
        targets: What the targets have to be.
        metrics: The names of the metrics that are measured unless others are asked for.
    """

    name: str
    function: Callable[[Tensor, Tensor], Tensor]
    targets: Targets
    metrics: tuple[str, ...]

    def gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Each lane's loss, `[lane]`, and its gradient by the outputs, `[lane, example, output]`.

        Every lane is differentiated by itself, so that none depends on its neighbours. Works in inference mode too.

        Args:
            outputs: `[lane, example, output]`.
            targets: `[lane, example]` or `[lane, example, output]`.
        """
        with torch.inference_mode(False), torch.enable_grad():
            leaves = [each.clone(memory_format=torch.contiguous_format).requires_grad_() for each in outputs]
            losses = [self.function(leaf, each.clone()) for leaf, each in zip(leaves, targets, strict=True)]
            gradients = torch.autograd.grad(losses, leaves)
        return torch.stack([each.detach() for each in losses]), torch.stack(gradients)


def named(package: str, given: object) -> object:
    """What a name in an experiment's file stands for: a module's public value, or what an import path leads to.

    Args:
        package: Where a name without a colon is looked up.
        given: The name: `mse`, or `package.module:function`.

    Raises:
        ConfigError: There is no such name, or its module cannot be imported.
    """
    if not isinstance(given, str):
        raise _refused(f"must be a name like {available(package)[0]} or package.module:function, not {given!r}")
    return find_named(package, given, advice=" (or give package.module:function)")


def function_named(given: object, found: object) -> Callable[[Tensor, Tensor], Tensor]:
    """What a name led to, if it can be called. Raises `ConfigError`."""
    if not callable(found) or isinstance(found, type):
        raise _refused(f"{given} does not name a function of outputs and targets")
    return found


def _read(given: object) -> Loss:
    found = named("objectives.losses", given)
    return found if isinstance(found, Loss) else Loss(str(given), function_named(given, found), Targets.ANY, ("loss",))


LOSS_BY_NAME = Reader(_read)
"""Marks a field that holds a loss, which a file names."""


def _refused(message: str) -> ConfigError:
    return ConfigError([Problem("", message)])
