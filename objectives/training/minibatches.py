"""Which examples a trial trains on: shuffled epochs without replacement, drawn on the CPU from the trial's seed."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from objectives.training.devices.memory import sent

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
    """The minibatches of all lanes. Row numbers are drawn some steps ahead and kept on the device.

    A lane without a trial gets the rows left of its last trial, and then the first example.

    Args:
        inputs: The training set, `[example, feature]`, on the device.
        labels: `[example]`.
    """

    def __init__(self, inputs: Tensor, labels: Tensor, *, batch_size: int, lanes: int) -> None:
        self._inputs, self._labels = inputs, labels
        self._steps = max(STEPS_AHEAD, ROWS_AHEAD // batch_size // STEPS_AHEAD * STEPS_AHEAD)
        self._rows = torch.zeros(self._steps, lanes, batch_size, dtype=torch.int64, device=inputs.device)
        self._used = 0
        self._orders: dict[int, Order] = {}
        self._steps_at_once = min(self._steps, max(1, ROWS_AT_ONCE // (lanes * batch_size)))
        # A buffer, since fresh memory of this size costs ten times the copying.
        self._gathered = inputs.new_empty(self._steps_at_once * lanes * batch_size, inputs.shape[1])

    @property
    def ready(self) -> int:
        """The number of steps that can be taken at once, at least one."""
        if self._used == self._steps:
            self._used = 0
            drawn = torch.zeros(self._rows.shape, dtype=torch.int64)
            for lane, order in self._orders.items():
                drawn[:, lane] = order.take(drawn[:, lane].numel()).view(len(drawn), -1)
            self._rows.copy_(sent(drawn, self._rows.device))
        return min(self._steps - self._used, self._steps_at_once)

    def open(self, lane: int, order: Order) -> None:
        """Give a lane the minibatches of an order."""
        self._orders[lane] = order
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

        Labels that are numbers are `[step, lane, example, output]`. The inputs are a buffer that the next call
        overwrites. Takes at most `ready` steps.
        """
        start, self._used = self._used, self._used + steps
        rows = self._rows[start : self._used]
        flat = rows.flatten()
        inputs = torch.index_select(self._inputs, 0, flat, out=self._gathered[: len(flat)])
        labels = self._labels.index_select(0, flat)
        return inputs.view(*rows.shape, -1), labels.view(*rows.shape, *labels.shape[1:])
