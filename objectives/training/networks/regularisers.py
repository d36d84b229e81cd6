"""The regularisers that the trials in the lanes name, and their values."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import torch
from torch import Tensor

from objectives.bounds.domains import AMOUNT, POSITIVE, Domain
from objectives.data import Splits
from objectives.losses import Loss
from objectives.models import Architecture, Model, Network
from objectives.models.regularisation import (
    DROPOUT,
    GRADIENT_NOISE,
    LABEL_SMOOTHING,
    MAX_GRADIENT_NORM,
    REGULARISERS,
    Regularisation,
    Regularises,
    Smoothing,
)
from objectives.training.devices.memory import sent
from objectives.training.draws import Purpose, normals
from objectives.training.networks.network import Computation, networks_for
from objectives.training.networks.remembered import Remembered
from tuner.errors import ConfigError, Problem
from tuner.objective import Bounds

NONE = {LABEL_SMOOTHING: 0.0, GRADIENT_NOISE: 0.0, DROPOUT: 0.0, MAX_GRADIENT_NORM: torch.inf}
"""The values of a lane without a trial."""

APPLIED = "applied "
"""What the names of numbers begin with in a step: an optimizer may have hyperparameters of the same names."""

DOMAINS = {
    LABEL_SMOOTHING: Domain(0.0, 1.0, below=True),
    GRADIENT_NOISE: AMOUNT,
    DROPOUT: Domain(0.0, 1.0, below=True),
    MAX_GRADIENT_NORM: POSITIVE,
}

_APPLICABLE = Remembered[frozenset[str]]()
"""What can be applied to the networks of models, by everything that it depends on."""


class Regularisers:
    """Values of the active regularisers, one for each lane. Those that the first trial names are active.

    Args:
        others: Hyperparameters of the optimizer and the schedule. What they call the same is theirs alone.
        smoothing: What label smoothing means.
        classes: How many there are.
    """

    def __init__(
        self,
        lanes: int,
        *,
        device: torch.device,
        others: Set[str] = frozenset(),
        smoothing: Smoothing = Smoothing.PAPER,
        classes: int = 2,
    ) -> None:
        self._known = REGULARISERS - others
        self._smoothing, self._classes = smoothing, classes
        self._none = torch.zeros(lanes, device=device, dtype=torch.float64)
        self._values: dict[str, Tensor] = {}

    @property
    def active(self) -> frozenset[str]:
        """Their names."""
        return frozenset(self._values)

    def choose(self, hyperparameters: Set[str], network: Network, *, is_first: bool) -> bool:
        """Activate those that a trial names. Returns whether others were active before.

        Args:
            hyperparameters: Names of all that the trial has.
            network: What trains it.
            is_first: Whether no other trial is in the lanes.

        Raises:
            ConfigError: The network cannot apply one of them.
            ValueError: The trials in the lanes name others.
        """
        named = self._known & hyperparameters
        if named == self.active:
            return False
        if not is_first:
            raise ValueError(f"a trial names {_listed(named)}, beside trials that name {_listed(self.active)}")
        if problems := refusals(named, applicable(network)):
            raise ConfigError([each.under("space") for each in problems])
        self._values = {name: torch.full_like(self._none, NONE[name]) for name in sorted(named)}
        return True

    @property
    def none(self) -> dict[str, float]:
        """The values of the active ones in a lane without a trial."""
        return {name: NONE[name] for name in self._values}

    def write(self, lane: int, hyperparameters: Mapping[str, float]) -> None:
        """Set the values of a lane."""
        for name, values in self._values.items():
            values[lane] = hyperparameters[name]

    def numbers(self) -> Mapping[str, Tensor]:
        """What the steps of a group are given, `[lane]`."""
        numbers = {name: each for name, each in self._values.items() if name != GRADIENT_NOISE}
        if LABEL_SMOOTHING in numbers:
            numbers[LABEL_SMOOTHING] = self._smoothing.spread(numbers[LABEL_SMOOTHING], self._classes)
        return {APPLIED + name: each for name, each in numbers.items()}

    def weights(self, seeds: Tensor, examples: int) -> Tensor:
        """Factors of each example's gradient, `[step, lane, example]`, normally distributed about 1.

        Multiplicative gradient noise (Hoffer et al. 2017, section 4).

        Args:
            seeds: Of the steps, `[step, lane]`.
            examples: Of a minibatch.
        """
        drawn = normals(sent(seeds, self._none.device), examples, Purpose.GRADIENT_NOISE)
        return 1 + self._values[GRADIENT_NOISE].unsqueeze(1) * drawn


def regularisation(numbers: Mapping[str, Tensor], weights: Tensor | None) -> Regularisation | None:
    """What changes the gradient of a step, if anything does.

    Args:
        numbers: Of the step, `[lane, 1]`.
        weights: A factor of each example's gradient, `[lane, example]`.
    """
    spread, dropout = (numbers.get(APPLIED + name) for name in (LABEL_SMOOTHING, DROPOUT))
    if spread is None and weights is None and dropout is None:
        return None
    return Regularisation(spread, weights, dropout)


def max_norm(numbers: Mapping[str, Tensor]) -> Tensor | None:
    """The most of the norm of each lane's gradient in a step, `[lane, 1]`, if there is one."""
    return numbers.get(APPLIED + MAX_GRADIENT_NORM)


def applicable(network: Network) -> frozenset[str]:
    """The regularisers that can be applied to the gradients of a network."""
    own = network.regularisers if isinstance(network, Regularises) else frozenset()
    return own | {MAX_GRADIENT_NORM}


def applicable_to(model: Model | Architecture, splits: Splits, loss: Loss) -> frozenset[str]:
    """Those of the network of a model, which is made once."""

    def find() -> frozenset[str]:
        with torch.random.fork_rng(devices=[]):
            on = torch.device("cpu")
            return applicable(
                networks_for(model, splits, Computation(), lanes=1, batch_size=2, device=on, loss=loss).now
            )

    return _APPLICABLE.of((repr(model), splits.shape, splits.classes, loss.name), find)


def refusals(named: Set[str], applicable: Set[str]) -> list[Problem]:
    """A problem for each regulariser that is named and cannot be applied. Its path is the hyperparameter."""
    reasons = {
        DROPOUT: "the model has no layer objectives.models.layers.dropout.Dropout, nor nn.Dropout",
        LABEL_SMOOTHING: "is for models that minimise cross entropy, whose targets are classes",
        GRADIENT_NOISE: "the model computes its own gradients, and does not implement Regularises",
    }
    if GRADIENT_NOISE not in applicable:
        reasons = dict.fromkeys(reasons, reasons[GRADIENT_NOISE])
    return [Problem(name, f"{reasons[name]}; leave it out") for name in sorted(named - applicable)]


@dataclass(frozen=True, slots=True)
class Regularising:
    """The regularisers that a space names for a model. Implements `HasDomains` and `tuner.objective.ChecksBounds`."""

    named: Set[str]
    model: Model | Architecture
    splits: Splits
    loss: Loss

    @property
    def domains(self) -> Mapping[str, Domain]:
        return {name: DOMAINS[name] for name in sorted(self.named)}

    def check_bounds(self, bounds: Bounds, *, batch_size: int, max_steps: int) -> None:  # noqa: ARG002 - the contract
        """Raises `ConfigError` if one of them cannot be applied."""
        if self.named and (problems := refusals(self.named, applicable_to(self.model, self.splits, self.loss))):
            raise ConfigError(problems)


def _listed(names: Set[str]) -> str:
    return ", ".join(sorted(names)) or "no regularisation"
