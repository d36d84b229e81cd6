"""Every optimizer, the trials that it is tested with, and what they must equal."""

from collections.abc import Mapping
from dataclasses import dataclass

from objectives.optimizers import Optimizer, defaults_of
from objectives.optimizers.adam import Adam
from objectives.optimizers.adamw import AdamW
from objectives.optimizers.ema import Ema
from objectives.optimizers.heavy_ball import HeavyBall
from objectives.optimizers.lamb import Lamb
from objectives.optimizers.lars import Lars
from objectives.optimizers.lion import Lion
from objectives.optimizers.nesterov import Nesterov
from objectives.optimizers.parts.decay import Decay
from objectives.optimizers.sgd import Sgd
from tests.objectives.optimizers import references
from tests.objectives.optimizers.references import Make
from tuner.trial import Value

TRIALS = 3
VALUES = {
    "momentum": (0.0, 0.8, 0.95),
    "beta1": (0.9, 0.0, 0.5),
    "beta2": (0.999, 0.99, 0.9),
    "epsilon": (1e-8, 1e-6, 1e-3),
    "trust_coefficient": (1e-3, 0.02, 0.01),
    "averaging": (0.9, 0.0, 0.99),
    "weight_decay": (0.1, 0.0, 1e-2),
    "end_factor": (0.1, 1.0, 0.0),
    "decay_steps": (200.0, 50.0, 80.0),
}
"""Of each trial."""


@dataclass(frozen=True)
class Case:
    """An optimizer.

    Attributes:
        reference: What it must equal.
        learning_rates: Of each trial.
        decays: Whether the trials name the weight decay.
    """

    optimizer: Optimizer
    reference: Make
    learning_rates: tuple[float, ...]
    decays: bool = True

    def point(self, trial: int) -> dict[str, Value]:
        """The hyperparameters of a trial, those of the schedule among them."""
        names = {*self.optimizer.hyperparameters, "end_factor", "decay_steps"} - {"learning_rate"}
        if not self.decays:
            names.discard("weight_decay")
        return {"learning_rate": self.learning_rates[trial], **{name: VALUES[name][trial] for name in sorted(names)}}

    def required(self, trial: int) -> dict[str, Value]:
        """The hyperparameters of a trial without those that have defaults."""
        defaults = defaults_of(self.optimizer)
        return {name: value for name, value in self.point(trial).items() if name not in defaults}


PLAIN = (0.1, 0.05, 0.03)
ADAPTIVE = (1e-3, 3e-3, 1e-2)
SIGNS = (1e-3, 3e-4, 1e-4)

CASES: Mapping[str, Case] = {
    "sgd": Case(Sgd(), references.sgd, PLAIN, decays=False),
    "sgd, coupled": Case(Sgd(), references.sgd, PLAIN),
    "sgd, decoupled": Case(Sgd(Decay.DECOUPLED), references.decoupled(references.sgd), PLAIN),
    "heavy_ball": Case(HeavyBall(), references.sgd, PLAIN, decays=False),
    "heavy_ball, coupled": Case(HeavyBall(), references.sgd, PLAIN),
    "heavy_ball, decoupled": Case(HeavyBall(Decay.DECOUPLED), references.decoupled(references.sgd), PLAIN),
    "nesterov": Case(Nesterov(), references.nesterov, PLAIN, decays=False),
    "nesterov, coupled": Case(Nesterov(), references.nesterov, PLAIN),
    "nesterov, decoupled": Case(Nesterov(Decay.DECOUPLED), references.decoupled(references.nesterov), PLAIN),
    "adam": Case(Adam(), references.adam, ADAPTIVE, decays=False),
    "adam, coupled": Case(Adam(), references.adam, ADAPTIVE),
    "adam, decoupled": Case(Adam(Decay.DECOUPLED), references.adamw, ADAPTIVE),
    "adamw": Case(AdamW(), references.adamw, ADAPTIVE),
    "lars": Case(Lars(), references.lars, (1.0, 0.5, 0.3)),
    "lars, no decay": Case(Lars(), references.lars, (1.0, 0.5, 0.3), decays=False),
    "lamb": Case(Lamb(), references.lamb, ADAPTIVE),
    "lamb, no decay": Case(Lamb(), references.lamb, ADAPTIVE, decays=False),
    "lion": Case(Lion(), references.lion, SIGNS),
    "lion, no decay": Case(Lion(), references.lion, SIGNS, decays=False),
    "ema": Case(Ema(HeavyBall()), references.averaged(references.sgd), PLAIN),
    "ema of adamw": Case(Ema(AdamW()), references.averaged(references.adamw), ADAPTIVE),
}
