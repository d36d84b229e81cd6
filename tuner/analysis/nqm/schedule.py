"""Learning-rate schedules, as values: the rate of a step is a function of the steps taken before it."""

from dataclasses import dataclass

import numpy as np

from tuner.analysis.nqm.model import Floats


@dataclass(frozen=True, slots=True)
class PiecewiseConstant:
    """Pieces of constant learning rate. The last piece has no end.

    Attributes:
        learning_rates: The learning rate of each piece.
        lengths: Steps of each piece but the last.

    Raises:
        ValueError: There is no piece, a rate is not positive, or the lengths do not fit.
    """

    learning_rates: tuple[float, ...]
    lengths: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.learning_rates) - 1:
            pieces, lengths = len(self.learning_rates), len(self.lengths)
            raise ValueError(
                f"{pieces} learning_rates and {lengths} lengths: give a length for each piece but the last"
            )
        for rate in self.learning_rates:
            if not (np.isfinite(rate) and rate > 0):
                raise ValueError(f"learning_rates holds {rate:g}; every rate must be a positive number")
        for length in self.lengths:
            if length < 1:
                raise ValueError(f"lengths holds {length}; every piece must last at least 1 step")


@dataclass(frozen=True, slots=True)
class LinearDecay:
    """A learning rate that falls linearly to `end_factor` times its start over `decay_steps` steps, then is constant.

    Raises:
        ValueError: A value is out of range.

    >>> LinearDecay(1.0, end_factor=0.1, decay_steps=3).rates()
    array([1. , 0.7, 0.4])
    """

    learning_rate: float
    end_factor: float
    decay_steps: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate = {self.learning_rate:g} must be a positive number")
        if not 0 < self.end_factor <= 1:
            raise ValueError(
                f"end_factor = {self.end_factor:g} must be above 0 and at most 1, which is a constant rate"
            )
        if self.decay_steps < 1:
            raise ValueError(f"decay_steps = {self.decay_steps} must be at least 1")

    def rates(self) -> Floats:
        """The rate of each step until it stays at `end_factor * learning_rate`, `[step]`."""
        done = np.arange(self.decay_steps) / self.decay_steps
        return np.asarray(self.learning_rate * (1 - (1 - self.end_factor) * done))


Schedule = PiecewiseConstant | LinearDecay
