"""Budgets: how long a trial may train, in gradient steps, in training examples or in epochs.

What is kept the same over batch sizes decides what a study of them finds (Shallue et al. 2019, section 4.7; Hoffer et
al. 2017, arXiv 1705.08741, who call more epochs for larger batches regime adaptation).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from tuner.errors import ConfigError, Problem
from tuner.experiment.limits.numbers import MOST_STEPS

KINDS = ("within_steps", "within_examples", "within_epochs")


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a trial may train: one of the first three.

    Attributes:
        steps: Gradient steps, the same at all batch sizes or given for each.
        examples: Training examples.
        epochs: Passes over the training set.
        train_examples: Its size; None if it is not known.

    Raises:
        ConfigError: There is none.
        ValueError: There are several, or the size of the training set is given for another than one in epochs.

    >>> [Budget(epochs=2.0, train_examples=1000).at(each) for each in (1, 128, 4096)]
    [2000, 16, 1]
    """

    steps: int | Mapping[int, int] | None = None
    examples: int | None = None
    epochs: float | None = None
    train_examples: int | None = None

    def __post_init__(self) -> None:
        budgets = (self.steps, self.examples, self.epochs)
        given = [kind for kind, each in zip(KINDS, budgets, strict=True) if each is not None]
        if not given:
            others = " or ".join(KINDS[1:])
            raise ConfigError([Problem(KINDS[0], f"is missing; a goal needs it, or {others} instead")])
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; give one of them")
        if self.epochs is None and self.train_examples is not None:
            raise ValueError(f"train_examples does not go with {given[0]}; leave it out")

    @property
    def is_known(self) -> bool:
        """Whether it can be said in steps: one in epochs needs the size of the training set."""
        return self.epochs is None or self.train_examples is not None

    def at(self, batch_size: int) -> int:
        """The budget in gradient steps: as many as it takes to see all of its examples.

        Raises:
            KeyError: No budget is given for this batch size.
            ValueError: The size of the training set is not known.
        """
        if self.steps is not None:
            return self.steps[batch_size] if isinstance(self.steps, Mapping) else self.steps
        if self.examples is not None:
            return -(-self.examples // batch_size)
        if self.epochs is None or self.train_examples is None:
            raise ValueError("within_epochs needs the size of the training set, which is found when a file is checked")
        epochs = Fraction(str(self.epochs))  # as the file has it: 1.1 in binary is a little more
        return math.ceil(epochs * self.train_examples / batch_size)

    def problem(self, batch_size: int) -> str:
        """What is wrong with it at a batch size; empty if nothing is, or if it is not known."""
        if not self.is_known or (steps := self.at(batch_size)) <= MOST_STEPS:
            return ""
        return f"{self.phrase} are {steps:,} steps at batch size {batch_size}; at most {MOST_STEPS:,}"

    @property
    def phrase(self) -> str:
        """The budget, for a person: `4,000 steps`, `600 to 4,000 steps`, `5,500,000 examples` or `100 epochs`."""
        if self.examples is not None:
            return f"{self.examples:,} examples"
        if self.epochs is not None:
            return "1 epoch" if self.epochs == 1 else f"{self.epochs:,g} epochs"
        if isinstance(self.steps, Mapping):
            return f"{min(self.steps.values()):,} to {max(self.steps.values()):,} steps"
        return f"{self.steps:,} steps"
