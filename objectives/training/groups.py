"""Groups of lanes: what one call of the network trains."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.implementing import implements
from objectives.models import Factors, Layout, Network
from objectives.models.factors import Factored, no_factors
from objectives.models.regularisation import Regularisation, add_gradient, write_gradient
from objectives.optimizers import Optimizer, State
from objectives.training.draws import step_seeds
from objectives.training.networks.regularisers import max_norm, regularisation


class Scratch:
    """Tensors `[lane, parameter]` for gradients, made when they are first needed: some optimizers need none.

    Numbers that are no trained parameters have no gradient. They are zero as long as optimizers leave them so.

    Args:
        parameters: Tensors of the same shape and type.
    """

    def __init__(self, parameters: Tensor) -> None:
        self._like = parameters
        self._made: Tensor | None = None
        self._views: dict[tuple[int, int], Tensor] = {}

    def of(self, lanes: slice) -> Tensor:
        """The tensor of some lanes, with what was left there: the same for the same lanes."""
        bounds = lanes.start, lanes.stop
        if self._made is None:
            self._made = torch.zeros_like(self._like)
        if bounds not in self._views:
            self._views[bounds] = self._made[lanes]
        return self._views[bounds]

    def clear(self, lane: int) -> None:
        """Forget what a trial left: it may have diverged to what is no number."""
        if self._made is not None:
            self._made[lane] = 0.0


@dataclass(frozen=True, slots=True)
class Minibatch:
    """One step's problem: a minibatch for each lane of a group.

    Implements `objectives.optimizers.Problem`, and `FactoredProblem` if its network finds factors.
    """

    group: "Group"
    inputs: Tensor
    labels: Tensor
    regularisation: Regularisation | None = None
    max_norm: Tensor | None = None
    """The most of the norm of each lane's gradient, `[lane, 1]`."""
    seeds: Tensor | None = None

    @property
    def layout(self) -> Layout:
        return self.group.layout

    def add_gradient(self, parameters: Tensor, sums: Tensor) -> Tensor:
        if self.max_norm is None:
            network, changes = self.group.network, self.regularisation
            return add_gradient(network, parameters, self.inputs, self.labels, sums, regularisation=changes)
        losses, gradient = self.gradient(parameters)
        sums.add_(gradient)
        return losses

    def gradient(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        sums = self.group.scratch.of(self.group.lanes)
        network, changes = self.group.network, self.regularisation
        losses = write_gradient(network, parameters, self.inputs, self.labels, sums, regularisation=changes)
        self._clip(sums)
        return losses, sums

    def _clip(self, gradients: Tensor) -> None:
        if self.max_norm is not None:  # as torch.nn.utils.clip_grad_norm_ does
            norms = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
            gradients.mul_((self.max_norm / (norms + 1e-6)).clamp_(max=1))

    def gradient_and_factors(self, parameters: Tensor) -> tuple[Tensor, Tensor, Sequence[Factors]]:
        network = self.group.network
        if self.seeds is None or not implements(network, Factored):
            raise NotImplementedError
        sums = self.group.scratch.of(self.group.lanes).zero_()
        factors = no_factors(self.layout, parameters)
        examples = torch.arange(self.inputs.shape[1])
        seeds = step_seeds(self.seeds.unsqueeze(1), examples).to(self.inputs.device)
        losses = network.add_factors(
            parameters, self.inputs, self.labels, sums, factors, seeds=seeds, regularisation=self.regularisation
        )
        self._clip(sums)
        return losses, sums, factors


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring lanes that the network trains in one call. Tensors are views of all lanes' tensors.

    Attributes:
        network: The network that trains these lanes.
        layout: Of its parameters.
        optimizer: What moves their parameters.
        lanes: Their range.
        names: What the numbers of a step are, in order.
        scratch: Tensors for the gradients of all lanes.
    """

    network: Network
    layout: Layout
    optimizer: Optimizer
    lanes: slice
    parameters: Tensor
    state: State
    loss_sums: Tensor
    names: Sequence[str]
    scratch: Scratch

    @property
    def touched(self) -> tuple[Tensor, ...]:
        """All tensors that a step changes."""
        return self.parameters, *self.state, self.loss_sums

    def step(
        self,
        numbers: Tensor,
        inputs: Tensor,
        labels: Tensor,
        weights: Tensor | None = None,
        *,
        seeds: Tensor | None = None,
    ) -> None:
        """Train the lanes on a minibatch each.

        Args:
            numbers: What the optimizer and the regularisation need, `[lane, number]`.
            inputs: `[lane, example, feature]`.
            labels: `[lane, example]` or `[lane, example, ...]`.
            weights: Factors of each example's gradient, `[lane, example]`.
            seeds: Of the random numbers of this step, `[lane]`, on the host; factors need them.
        """
        named = dict(zip(self.names, torch.split(numbers, 1, dim=1), strict=True))
        problem = Minibatch(self, inputs, labels, regularisation(named, weights), max_norm(named), seeds)
        self.loss_sums.add_(self.optimizer.step(problem, self.parameters, self.state, named))
