"""Groups of lanes: what one call of the network trains."""

from dataclasses import dataclass

from torch import Tensor

from objectives.models import Network
from objectives.optimizers import Optimizer, State

LEARNING_RATE = "learning_rate"


@dataclass(frozen=True, slots=True)
class Minibatch:
    """One step's problem: a minibatch for each lane."""

    network: Network
    inputs: Tensor
    labels: Tensor

    def add_gradient(self, parameters: Tensor, sums: Tensor) -> Tensor:
        return self.network.add_gradient(parameters, self.inputs, self.labels, sums)


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring lanes that the network trains in one call. Tensors are views of all lanes' tensors.

    Attributes:
        network: The network that trains these lanes.
        optimizer: What moves their parameters.
        lanes: Their range.
        hyperparameters: The optimizer's hyperparameters without the learning rate, `[lane, 1]`.
    """

    network: Network
    optimizer: Optimizer
    lanes: slice
    parameters: Tensor
    state: State
    loss_sums: Tensor
    hyperparameters: dict[str, Tensor]

    @property
    def touched(self) -> tuple[Tensor, ...]:
        """All tensors that a step changes."""
        return self.parameters, *self.state, self.loss_sums

    def step(self, rates: Tensor, inputs: Tensor, labels: Tensor) -> None:
        """Train the lanes on a minibatch each.

        Args:
            rates: Learning rates, `[lane, 1]`.
            inputs: `[lane, example, feature]`.
            labels: `[lane, example]`.
        """
        problem = Minibatch(self.network, inputs, labels)
        hyperparameters = self.hyperparameters | {LEARNING_RATE: rates}
        self.loss_sums.add_(self.optimizer.step(problem, self.parameters, self.state, hyperparameters))
