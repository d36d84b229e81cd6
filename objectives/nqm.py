"""The noisy quadratic model as a workload: training takes no time, and its optima are known (`tuner.analysis.nqm`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from objectives.training.quadratic import ExpectedWalk, QuadraticTrainer, SampledWalk
from tuner.analysis.nqm import Box, Method, Never, NoisyQuadratic, Rule, optimal, power_law
from tuner.analysis.nqm.model import BINS
from tuner.experiment.limits.numbers import ENDLESS, Directions, Exponent, Scale
from tuner.objective import Prediction, Trainer

__all__ = ["QuadraticWorkload"]

TRAIN_LOSS, VALIDATION_LOSS = "train/loss", "validation/loss"
"""The loss before and after a step."""


class Spectrum(StrEnum):
    """The eigenvalues: rounded down to the authors' 100 geometric bins, or exact."""

    BINNED = "binned"
    EXACT = "exact"


class Noise(StrEnum):
    """The measured loss: its expectation over gradient noise, or a sample with noise from the trial's seed."""

    EXPECTED = "expected"
    SAMPLED = "sampled"


@dataclass(frozen=True, slots=True)
class QuadraticWorkload:
    """Implements `tuner.objective.Objective`, `Predictor` and `KnowsExactness`.

    A quadratic loss whose gradients carry noise of covariance `H / B`.

    Training computes the loss at the next measurement in closed form, so millions of steps cost no more than hundreds.
    Measurements are on the same grid as those of any other workload. So the measured steps to target exceed the exact
    steps by up to 3 %, and a dip of the loss between two measurements is not seen.

    `train/loss` is the loss before the last step; a mean over the steps has no closed form. `validation/loss` is the
    loss after the last step. There are no examples and no epochs: the batch size only
    scales the noise.

    Attributes:
        method: `sgd`, `heavy_ball` (needs `momentum`) or `average` (needs `averaging`).
        power: Gradients are preconditioned by `h ** -power`.
        spectrum: `binned` or `exact`.
        dimension: Directions.
        exponent: Eigenvalue `i` is `i ** -exponent`.
        noise: `expected` or `sampled`.
        noise_scale: Noise covariance over Hessian.
        start: Initial second moment of every direction.

    Raises:
        ValueError: A value is out of range.
    """

    method: Method = Method.SGD
    power: Exponent = 0.0
    spectrum: Spectrum = Spectrum.BINNED
    dimension: Directions = 10_000
    exponent: Exponent = 1.0
    noise: Noise = Noise.EXPECTED
    noise_scale: Scale = 1.0
    start: Scale = 1.0

    def __post_init__(self) -> None:
        _ = self.rule, self.model

    @property
    def rule(self) -> Rule:
        """How parameters are updated."""
        return Rule(self.method, self.power)

    @property
    def model(self) -> NoisyQuadratic:
        """The loss and its noise."""
        bins = BINS if self.spectrum == Spectrum.BINNED else None
        return power_law(
            self.dimension, exponent=self.exponent, bins=bins, noise_scale=self.noise_scale, start=self.start
        )

    @property
    def train_examples(self) -> int:
        return ENDLESS

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset({TRAIN_LOSS, VALIDATION_LOSS})

    @property
    def is_exact(self) -> bool:
        """Whether the loss is the same for every seed, as its expectation is."""
        return self.noise == Noise.EXPECTED

    @property
    def hyperparameters(self) -> frozenset[str]:
        coefficient = self.method.coefficient
        return frozenset({"learning_rate"} if coefficient is None else {"learning_rate", coefficient})

    def trainer(self, batch_size: int, *, lanes: int, device: str) -> Trainer:  # noqa: ARG002 - nothing to put on it
        """A trainer of `lanes` simultaneous trials, always on the CPU."""
        walk = ExpectedWalk if self.noise == Noise.EXPECTED else SampledWalk
        return QuadraticTrainer(walk(self.model, self.rule, batch_size), lanes=lanes)

    def predict(
        self, batch_size: int, *, metric: str, below: float, bounds: Mapping[str, tuple[float, float]]
    ) -> Prediction:
        """The exact optimum of the expected loss, also for a workload with sampled noise."""
        name = self.method.coefficient
        box = Box(bounds["learning_rate"]) if name is None else Box(bounds["learning_rate"], bounds[name])
        best = optimal(self.model, self.rule, batch_size=batch_size, target=below, box=box)
        if isinstance(best.steps, Never):
            return Prediction(None, {}, best.steps.sentence)
        return Prediction(best.steps + (metric == TRAIN_LOSS), best.parameters)
