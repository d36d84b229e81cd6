"""Which examples a trial trains on: shuffled epochs without replacement, drawn on the CPU from the trial's seed."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from objectives.training.devices.memory import sent
from objectives.training.draws import StepSeeds
from objectives.training.inputs.examples import Examples
from objectives.training.inputs.images import random_numbers

ROWS_AHEAD = 1024
"""Rows drawn ahead for each lane: about an epoch of a small data set."""
STEPS_AHEAD = 16
"""Steps drawn ahead, at least."""
ROWS_AT_ONCE = 4096
"""Examples gathered at once, unless a single step needs more: these examples should stay in the processor's cache."""


def _no_rows() -> Tensor:
    return torch.empty(0, dtype=torch.int64)


@dataclass(slots=True)
class Order:
    """The endless sequence of examples of one trial: one permutation of the training set after the other.

    Attributes:
        generator: Draws the permutations, on the CPU whatever the device, so that every device gets the same.
        examples: Size of the training set.
        pending: Rows drawn and not yet taken, `[row]`.
    """

    generator: torch.Generator
    examples: int
    pending: Tensor = field(default_factory=_no_rows)

    def take(self, rows: int) -> Tensor:
        """The next rows, `[row]`; a new permutation continues where one ends."""
        missing = rows - len(self.pending)
        epochs = [torch.randperm(self.examples, generator=self.generator) for _ in range(-(-missing // self.examples))]
        taken, self.pending = torch.cat([self.pending, *epochs]).tensor_split([rows])
        return taken


class Minibatches:
    """The minibatches of all lanes. Row numbers are drawn some steps ahead and kept where the examples are.

    A lane without a trial gets the rows left of its last trial, and then the first example. How examples are changed at
    random depends on a trial's seed, the steps it has done and the place in the minibatch alone.

    Args:
        examples: The training set.
    """

    def __init__(self, examples: Examples, *, batch_size: int, lanes: int) -> None:
        self._examples = examples
        self._steps = max(STEPS_AHEAD, ROWS_AHEAD // batch_size // STEPS_AHEAD * STEPS_AHEAD)
        self._rows = torch.zeros(self._steps, lanes, batch_size, dtype=torch.int64, device=examples.home)
        self._used = 0
        self._orders: dict[int, Order] = {}
        self._seeds = StepSeeds(lanes)
        self._steps_at_once = min(self._steps, max(1, examples.at_once(ROWS_AT_ONCE) // (lanes * batch_size)))

    @property
    def ready(self) -> int:
        """The number of steps that can be taken at once, at least one."""
        if self._used == self._steps:
            self._used = 0
            next_rows = torch.zeros(self._rows.shape, dtype=torch.int64)
            for lane, order in self._orders.items():
                next_rows[:, lane] = order.take(next_rows[:, lane].numel()).view(len(next_rows), -1)
            self._rows.copy_(sent(next_rows, self._rows.device))
        return min(self._steps - self._used, self._steps_at_once)

    def open(self, lane: int, order: Order, *, seed: int = 0, step: int = 0) -> None:
        """Give a lane the minibatches of an order, for a trial with this seed that has done `step` steps."""
        self._orders[lane] = order
        self._seeds.write(lane, seed=seed, step=step)
        empty = self._rows[self._used :, lane]
        empty.copy_(sent(order.take(empty.numel()).view(empty.shape), empty.device))

    def close(self, lane: int) -> None:
        """Forget a lane's order."""
        del self._orders[lane]

    def rest(self, lane: int) -> Order:
        """A lane's order from the first row not taken yet. Shares its generator."""
        order = self._orders[lane]
        drawn = self._rows[self._used :, lane].flatten().cpu()
        return Order(order.generator, order.examples, torch.cat([drawn, order.pending]))

    def take(self, steps: int) -> tuple[Tensor, Tensor]:
        """The next steps' inputs `[step, lane, example, feature]` and labels `[step, lane, example]`.

        Labels that are several are `[step, lane, example, ...]`. The inputs are a buffer that the next call
        overwrites. Takes at most `ready` steps.
        """
        start, self._used = self._used, self._used + steps
        rows = self._rows[start : self._used]
        inputs, labels = self._examples.gather(rows.flatten(), self._numbers(steps))
        return inputs.view(*rows.shape, -1), labels.view(*rows.shape, *labels.shape[1:])

    def _numbers(self, steps: int) -> Tensor | None:
        """Random numbers for the examples of the next steps, if they are changed."""
        if not self._examples.is_augmented:
            return None
        seeds = sent(self._seeds.take(steps), self._examples.device)
        return random_numbers(seeds, self._rows.shape[2]).flatten(0, 2)
