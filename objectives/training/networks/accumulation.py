"""Gradient accumulation: a minibatch is computed in microbatches, so that any batch size fits into memory."""

import logging
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from objectives.models import NamedWeights, Network
from objectives.training.devices.memory import is_full
from tuner.errors import ConfigError, Problem

log = logging.getLogger(__name__)


class Accumulation:
    """Implements `objectives.models.Network` by networks for fewer examples.

    When the device is full, the step is repeated with microbatches of half the size. All later steps use that size.

    Args:
        make: A network for minibatches of this many examples.
        batch_size: Examples of a minibatch.
        microbatch: Examples of a microbatch, at most; None is the whole minibatch.

    Raises:
        ConfigError: Minibatches or microbatches would split a group of examples that are normalised together.
    """

    def __init__(self, make: Callable[[int], Network], *, batch_size: int, microbatch: int | None = None) -> None:
        self._make, self._batch_size = make, batch_size
        self._microbatch = min(microbatch or batch_size, batch_size)
        self._network = make(self._microbatch)
        self._least = min(self._network.together or batch_size, batch_size)
        _check(self._network.together, batch_size=batch_size, microbatch=self._microbatch)
        self._rest = self._for_the_rest()
        self._fits = False
        """Whether a step with microbatches of this size has succeeded."""

    @property
    def lanes(self) -> int:
        return self._network.lanes

    @property
    def together(self) -> int | None:
        return self._network.together

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

    def named_weights(self, row: Tensor) -> Mapping[str, Tensor]:
        """See `NamedWeights`. Raises `NotImplementedError` if the network's parameters have no names."""
        if not isinstance(self._network, NamedWeights):
            raise NotImplementedError
        return self._network.named_weights(row)

    def seed(self, noise: int) -> None:
        self._network.seed(noise)

    def add_gradient(
        self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float = 1.0
    ) -> Tensor:
        while not self._fits:
            # A step that fails may have changed both.
            before = parameters.clone(), sums.clone()
            try:
                losses = self._add(parameters, inputs, labels, sums, share)
            except RuntimeError as error:
                if not is_full(error) or self._microbatch == self._least:
                    raise
            else:
                self._fits = True
                return losses
            parameters.copy_(before[0])
            sums.copy_(before[1])
            self._halve()
        return self._add(parameters, inputs, labels, sums, share)

    def _add(self, parameters: Tensor, inputs: Tensor, labels: Tensor, sums: Tensor, share: float) -> Tensor:
        """The mean over a minibatch as the weighted sum of the means over its microbatches."""
        if self._microbatch == self._batch_size:
            return self._network.add_gradient(parameters, inputs, labels, sums, share)
        losses = parameters.new_zeros(len(parameters))
        for part in self._parts():
            network = self._network if part.stop - part.start == self._microbatch else self._rest
            weight = (part.stop - part.start) / self._batch_size
            found = network.add_gradient(parameters, inputs[:, part], labels[:, part], sums, share * weight)
            losses.add_(found, alpha=weight)
        return losses

    def _parts(self) -> Iterator[slice]:
        """The range of each microbatch. The last range may be shorter."""
        for start in range(0, self._batch_size, self._microbatch):
            yield slice(start, min(start + self._microbatch, self._batch_size))

    def _halve(self) -> None:
        half = (self._microbatch + 1) // 2
        self._microbatch = -(-half // self._least) * self._least
        log.warning("memory is full: batch size %d goes on in parts of %d", self._batch_size, self._microbatch)
        self._network = self._make(self._microbatch)
        self._rest = self._for_the_rest()

    def _for_the_rest(self) -> Network:
        """The network for the last microbatch."""
        rest = self._batch_size % self._microbatch
        return self._make(rest) if rest else self._network


def _check(together: int | None, *, batch_size: int, microbatch: int) -> None:
    """Raises `ConfigError` if a group of examples that are normalised together would be split."""
    whole = microbatch == batch_size
    if together is None and not whole:
        problem = f"batch norm needs all {batch_size} examples of a minibatch at once, not {microbatch}"
        raise ConfigError([Problem("objective.microbatch", f"{problem}; use ghost batch norm, or none")])
    if together is None or (whole and batch_size <= together):
        return
    for path, size in (("batch_sizes", batch_size), ("objective.microbatch", microbatch)):
        if size % together and not size == batch_size <= together:
            raise ConfigError([Problem(path, f"{size} is not a multiple of the {together} examples of a ghost batch")])
