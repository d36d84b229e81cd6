"""Minibatches in parts, whose gradients are added up: so any batch size can be trained."""

import logging
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from objectives.models import Network
from objectives.training.memory import is_full

log = logging.getLogger(__name__)


class Accumulation:
    """Implements `objectives.models.Network` by others that take fewer examples.

    When the device is full, a step is done again in parts of half the size, and so are all that follow.

    Args:
        make: A network for minibatches of this many examples.
        batch_size: Examples of a minibatch.
        microbatch: Examples of a part, at most.
    """

    def __init__(self, make: Callable[[int], Network], *, batch_size: int, microbatch: int) -> None:
        self._make, self._batch_size, self._microbatch = make, batch_size, min(microbatch, batch_size)
        self._network = make(self._microbatch)
        self._rest = self._for_the_rest()
        self._sums: tuple[Tensor, Tensor] | None = None

    @property
    def lanes(self) -> int:
        return self._network.lanes

    @property
    def autograd(self) -> bool:
        return self._network.autograd

    @property
    def draws(self) -> bool:
        return self._network.draws

    @property
    def parameters(self) -> int:
        return self._network.parameters

    def initialise(self, generator: torch.Generator) -> Tensor:
        return self._network.initialise(generator)

    def logits(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        return self._network.logits(parameters, inputs)

    def seed(self, noise: int) -> None:
        self._network.seed(noise)

    def loss_and_gradient(self, parameters: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        while True:
            try:
                if self._microbatch == self._batch_size:
                    return self._network.loss_and_gradient(parameters, inputs, labels)
                return self._accumulate(parameters, inputs, labels)
            except RuntimeError as error:
                if not is_full(error) or self._microbatch == 1:
                    raise
            self._halve()

    def _accumulate(self, parameters: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The mean over a minibatch as the weighted sum of the means over its parts."""
        losses, gradient = self._cleared(parameters)
        for part in self._parts():
            network = self._network if part.stop - part.start == self._microbatch else self._rest
            found = network.loss_and_gradient(parameters, inputs[:, part], labels[:, part])
            share = (part.stop - part.start) / self._batch_size
            losses.add_(found[0], alpha=share)
            gradient.add_(found[1], alpha=share)
        return losses, gradient

    def _parts(self) -> Iterator[slice]:
        """Ranges of examples: equal ones, and what is left over."""
        for start in range(0, self._batch_size, self._microbatch):
            yield slice(start, min(start + self._microbatch, self._batch_size))

    def _cleared(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Zeros to add losses and gradients to."""
        if self._sums is None:
            self._sums = parameters.new_empty(len(parameters)), torch.empty_like(parameters)
        for each in self._sums:
            each.zero_()
        return self._sums

    def _halve(self) -> None:
        self._microbatch = (self._microbatch + 1) // 2
        log.warning("memory is full: batch size %d goes on in parts of %d", self._batch_size, self._microbatch)
        self._network = self._make(self._microbatch)
        self._rest = self._for_the_rest()

    def _for_the_rest(self) -> Network:
        """The network for the last part."""
        rest = self._batch_size % self._microbatch
        return self._make(rest) if rest else self._network
