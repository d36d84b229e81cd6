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

    `classes` are whole numbers from 0, `[example]`, and `tokens` such numbers `[example, position]`. The others are
    float32, `[example, output]`: `numbers` of any size, or `shares` from 0 to 1. `any` leaves it to the data: whole
    numbers are classes, or tokens if an example has several; all others are numbers.
    """

    CLASSES = "classes"
    TOKENS = "tokens"
    NUMBERS = "numbers"
    SHARES = "shares"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The distribution of labels, given outputs, whose negative log-probability is a loss.

    Its gradients by the outputs have the Hessian `H` of the loss as their second moment, from which Fisher matrices are
    made (Martens and Grosse 2015, section 2.2).

    Attributes:
        joint: Whether an example's outputs give one label, as those of classes do. If not, each gives one by itself.
        drawn: From the outputs of labels `[label, output]` and uniform numbers `[label]` to the gradients for labels
            that are drawn by these numbers, `[label, output]`. The second dimension has length 1 if not joint.
        roots: From `[label, output]` to `[root, label, output]`: the sum of their outer products is `H`.
    """

    joint: bool
    drawn: Callable[[Tensor, Tensor], Tensor]
    roots: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Loss:
    """What training minimises.

    Attributes:
        name: As an experiment's file has it.
        function: From outputs `[example, output]`, or `[example, position, class]` for tokens, and targets to the mean
            over the examples, a scalar that can be differentiated.
        targets: What the targets have to be.
        metrics: The names of the metrics that are measured unless others are asked for.
        smooths: Whether it is the mean of softmax cross entropies, whose targets can be smoothed.
        likelihood: The distribution of labels that makes it a negative log-probability, if that is known.
    """

    name: str
    function: Callable[[Tensor, Tensor], Tensor]
    targets: Targets
    metrics: tuple[str, ...]
    smooths: bool = False
    likelihood: Likelihood | None = None

    def gradient(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Each lane's loss, `[lane]`, and its gradient by the outputs, in their shape.

        Every lane is differentiated by itself, so that none depends on its neighbours. Works in inference mode too.

        Args:
            outputs: `[lane, example, ...]`.
            targets: `[lane, example]` or `[lane, example, ...]`.
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
