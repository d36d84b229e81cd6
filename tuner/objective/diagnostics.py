"""What is measured of the training loss where a trial stands, by name, and which workloads can do that."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

from tuner.objective.contract import MeasuringPlan, Trainer

EIGENVALUES = 5
"""How many of the largest are measured."""


class Diagnostic(StrEnum):
    """Names of metrics. Sharpness is that of Keskar et al. (2017), with `e` = 1e-3 unless the name says 5e-4."""

    LOSS = "diagnosis/loss"
    SHARPNESS = "diagnosis/sharpness"
    SHARPNESS_SMALL = "diagnosis/sharpness_5e-4"
    SUBSPACE_SHARPNESS = "diagnosis/subspace_sharpness"
    SUBSPACE_SHARPNESS_SMALL = "diagnosis/subspace_sharpness_5e-4"
    TRACE = "diagnosis/trace"
    SQUARED_GRADIENT = "diagnosis/squared_gradient"
    NOISE_TRACE = "diagnosis/noise_trace"
    NOISE_SCALE = "diagnosis/noise_scale"
    NOISE_SCALE_LOW = "diagnosis/noise_scale_low"
    NOISE_SCALE_HIGH = "diagnosis/noise_scale_high"
    DISTANCE = "diagnosis/distance"


def eigenvalue(number: int) -> str:
    """The metric of an eigenvalue of the Hessian; 1 is the largest."""
    return f"diagnosis/eigenvalue_{number}"


DEVIATION = "diagnosis/deviation_"


def deviation(size: int) -> str:
    """The metric of the standard deviation of the gradient of a minibatch of this size."""
    return f"{DEVIATION}{size}"


@runtime_checkable
class Diagnosable(Protocol):
    """What an objective implements besides `tuner.objective.Objective` if it can tell more than metrics of a trial.

    Attributes:
        diagnostics: The names of what it can measure; empty if this model has no gradients that can be asked for.
    """

    @property
    def diagnostics(self) -> frozenset[str]: ...

    def diagnosing_trainer(self, batch_size: int, *, lanes: int, device: str, plan: MeasuringPlan) -> Trainer:
        """A trainer that measures `diagnostics`, too: at a few steps, and where a trial ends (`MeasuresEnds`).

        `diagnosis/distance` is measured at every step that is measured. What cannot be computed is left out.
        """
        ...
