"""Gradient accumulation: a minibatch is computed in microbatches, so that any batch size fits into memory."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from objectives.implementing import implements
from objectives.models import Factors, Layout, NamedWeights, Network, layout_of
from objectives.models.factors import Factored
from objectives.models.regularisation import Regularisation, Regularises, add_gradient, write_gradient
from objectives.training.devices.memory import is_full
from tuner.errors import ConfigError, Problem

log = logging.getLogger(__name__)


Add = Callable[[Network, slice, float], Tensor]
"""Adds a share of the gradient over a range of examples; their loss, `[lane]`."""


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
        check_together(self._network.together, batch_size=batch_size, microbatch=self._microbatch)
        self._rest = self._for_the_rest()
        self._fitting: set[str] = set()
        """The kinds of steps that have succeeded with microbatches of this size, or of a larger one."""

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

    @property
    def layout(self) -> Layout:
        """See `objectives.models.HasLayout`."""
        return layout_of(self._network)

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

    @property
    def regularisers(self) -> frozenset[str]:
        """See `objectives.models.regularisation.Regularises`."""
        return self._network.regularisers if isinstance(self._network, Regularises) else frozenset()

    def add_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        def add(network: Network, part: slice, share: float) -> Tensor:
            changes = regularisation and regularisation.part(part)
            return add_gradient(network, parameters, inputs[:, part], labels[:, part], sums, share, changes)

        return self._fitted("gradient", add, (parameters, sums), share)

    def write_gradient(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        """See `objectives.models.regularisation.WritesGradient`. The first microbatch writes, and the others add."""

        def add(network: Network, part: slice, share: float) -> Tensor:
            changes = regularisation and regularisation.part(part)
            given = network, parameters, inputs[:, part], labels[:, part], sums, share, changes
            return add_gradient(*given) if part.start else write_gradient(*given)

        return self._fitted("gradient", add, (parameters, sums), share)

    def add_factors(
        self,
        parameters: Tensor,
        inputs: Tensor,
        labels: Tensor,
        sums: Tensor,
        factors: Sequence[Factors],
        *,
        seeds: Tensor,
        share: float = 1.0,
        regularisation: Regularisation | None = None,
    ) -> Tensor:
        """See `objectives.models.factors.Factored`. Factors are means over examples, as gradients are."""

        def add(network: Network, part: slice, share: float) -> Tensor:
            if not implements(network, Factored):
                raise NotImplementedError
            return network.add_factors(
                parameters,
                inputs[:, part],
                labels[:, part],
                sums,
                factors,
                seeds=seeds[:, part],
                share=share,
                regularisation=regularisation and regularisation.part(part),
            )

        changed = (parameters, sums, *(each for pair in factors for each in pair))
        return self._fitted("factors", add, changed, share)

    def _fitted(self, kind: str, add: Add, changed: Sequence[Tensor], share: float) -> Tensor:
        """A step in microbatches that fit into memory.

        Args:
            kind: Steps of different kinds need more memory or less.
            add: Adds the gradient.
            changed: What a step may have changed when it fails. The parameters are the first.
            share: The factor of the gradient.
        """
        while kind not in self._fitting:
            before = [each.clone() for each in changed]
            try:
                losses = self._added(add, changed[0], share)
            except RuntimeError as error:
                if not is_full(error) or self._microbatch == self._least:
                    raise
            else:
                self._fitting.add(kind)
                return losses
            for each, old in zip(changed, before, strict=True):
                each.copy_(old)
            self._halve()
        return self._added(add, changed[0], share)

    def _added(self, add: Add, parameters: Tensor, share: float) -> Tensor:
        """The mean over a minibatch as the weighted sum of the means over its microbatches."""
        if self._microbatch == self._batch_size:
            return add(self._network, slice(None), share)
        losses = parameters.new_zeros(len(parameters))
        for part in self._parts():
            network = self._network if part.stop - part.start == self._microbatch else self._rest
            weight = (part.stop - part.start) / self._batch_size
            losses.add_(add(network, part, share * weight), alpha=weight)
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


def check_together(together: int | None, *, batch_size: int, microbatch: int) -> None:
    """Check that no group of examples that are normalised together is split.

    Args:
        together: As `objectives.models.Network` has it.
        batch_size: Examples of a minibatch.
        microbatch: Examples of a microbatch, at most the batch size.

    Raises:
        ConfigError: A group would be split.
    """
    whole = microbatch == batch_size
    if together is None and not whole:
        problem = f"batch norm needs all {batch_size} examples of a minibatch at once, not {microbatch}"
        raise ConfigError([Problem("objective.microbatch", f"{problem}; use ghost batch norm, or none")])
    if together is None or (whole and batch_size <= together):
        return
    for path, size in (("batch_sizes", batch_size), ("objective.microbatch", microbatch)):
        if size % together and not size == batch_size <= together:
            raise ConfigError([Problem(path, f"{size} is not a multiple of the {together} examples of a ghost batch")])
