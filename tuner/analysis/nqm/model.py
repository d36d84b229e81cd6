"""The noisy quadratic model of training (Zhang et al. 2019, arXiv 1907.04164): its spectrum, noise and start.

The loss is `1/2 sum h_i x_i^2`, and a gradient of batch size `B` adds noise of covariance `diag(c) / B`. Everything is
diagonal, so each eigendirection evolves alone, and the expected loss needs second moments only. Directions that share
eigenvalue, noise and start are one *mode* with a multiplicity: the authors' 10,000 directions are 84 modes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BINS = 100
"""Geometric bins of the authors' quantised spectrum."""


@dataclass(frozen=True, slots=True, eq=False)
class NoisyQuadratic:
    """A quadratic loss with gradient noise. Build one with `noisy_quadratic` or `power_law`.

    Attributes:
        curvature: Eigenvalues of the Hessian, all positive, `[mode]`.
        noise: Variance of one example's gradient along each, `[mode]`.
        start: Initial second moments `E x^2`, `[mode]`.
        count: Directions in each mode, `[mode]`.
    """

    curvature: Floats
    noise: Floats
    start: Floats
    count: Floats

    @property
    def initial_loss(self) -> float:
        """The expected loss before the first step."""
        return float(self.weight @ self.start)

    @property
    def weight(self) -> Floats:
        """What a mode's second moment counts in the loss, `[mode]`."""
        return 0.5 * self.curvature * self.count

    def directions(self) -> "NoisyQuadratic":
        """The same model with every direction a mode of its own, as sampling its noise needs."""
        times = self.count.astype(int)
        curvature, noise, start = (np.repeat(each, times) for each in (self.curvature, self.noise, self.start))
        return NoisyQuadratic(curvature, noise, start, count=np.ones_like(curvature))


def noisy_quadratic(
    eigenvalues: ArrayLike, *, noise: ArrayLike | None = None, start: ArrayLike = 1.0
) -> NoisyQuadratic:
    """A model from a spectrum.

    Directions without curvature are left out: they carry no loss.

    Args:
        eigenvalues: Of the Hessian, in any order, `[direction]`.
        noise: Variance of one example's gradient, a number or `[direction]`; the eigenvalues themselves by default.
        start: Initial second moments, a number or `[direction]`.

    Raises:
        ValueError: A value is negative or not finite, shapes differ, or the initial loss is zero.

    >>> noisy_quadratic([1.0, 0.5, 0.5]).initial_loss
    1.0
    """
    curvature = np.atleast_1d(np.asarray(eigenvalues, dtype=float))
    columns = {"eigenvalues": curvature}
    for name, given in (("noise", curvature if noise is None else noise), ("start", start)):
        values = np.asarray(given, dtype=float)
        if values.shape not in ((), curvature.shape):
            raise ValueError(f"{name} has shape {values.shape}; give one number or {curvature.shape}")
        columns[name] = np.broadcast_to(values, curvature.shape)
    for name, values in columns.items():
        wrong = values[~(np.isfinite(values) & (values >= 0))]
        if wrong.size:
            raise ValueError(f"{name} holds {wrong[0]:g}; every value must be a finite number of at least 0")
    table = np.stack(list(columns.values()))[:, curvature > 0]
    modes, counts = np.unique(table, axis=1, return_counts=True)
    curvature, variance, moments = modes[:, ::-1]
    model = NoisyQuadratic(curvature, variance, moments, count=counts[::-1].astype(float))
    if model.initial_loss <= 0:
        raise ValueError("the initial loss is 0: give a positive eigenvalue whose start is positive")
    return model


def power_law(
    dimension: int = 10_000,
    *,
    exponent: float = 1.0,
    bins: int | None = BINS,
    noise_scale: float = 1.0,
    start: float = 1.0,
) -> NoisyQuadratic:
    """The authors' model: eigenvalues `i ** -exponent` for `i = 1..dimension`, noise covariance equal to the Hessian.

    Args:
        dimension: Directions.
        exponent: How fast the spectrum falls.
        bins: Geometric bins from the largest to the smallest eigenvalue, each eigenvalue rounded down to one, as the
            authors' code does; None keeps the exact spectrum.
        noise_scale: Noise covariance over Hessian.
        start: Initial second moment of every direction.

    Raises:
        ValueError: `dimension` or `bins` is too small, `exponent` is not positive, or a scale is negative.

    >>> round(power_law().initial_loss, 4), round(power_law(bins=None).initial_loss, 4)
    (4.7025, 4.8938)
    """
    if dimension < 1:
        raise ValueError(f"dimension = {dimension} must be at least 1")
    if not (np.isfinite(exponent) and exponent > 0):
        raise ValueError(f"exponent = {exponent:g} must be a positive number")
    if bins is not None and bins < 2:
        raise ValueError(f"bins = {bins} must be at least 2, or None for the exact spectrum")
    eigenvalues = np.arange(1, dimension + 1, dtype=float) ** -exponent
    if bins is not None and dimension > 1:
        edges = np.geomspace(eigenvalues[-1], 1.0, bins)
        # The ends belong to a bin whatever geomspace and the power round them to.
        edges[0], edges[-1] = eigenvalues[-1], 1.0
        eigenvalues = edges[np.searchsorted(edges, eigenvalues, side="right") - 1]
    return noisy_quadratic(eigenvalues, noise=noise_scale * eigenvalues, start=start)


def lower_bound(model: NoisyQuadratic, *, batch_size: int, target: float) -> int:
    """Steps that no learning-rate schedule and no diagonal preconditioner can beat: the least `k` with loss <= target.

    Each direction takes its own best step every time, which makes its precision grow linearly: `1/2 sum h s_k`
    with `1 / s_k = 1 / s_0 + k B h^2 / c`. For the authors' model that is `1/2 sum h / (1 + k B h)`.

    Raises:
        ValueError: The target is not positive or above the initial loss, or the batch size is below 1.
    """
    check_batch_size(batch_size)
    check_target(model, target)
    noiseless = model.noise == 0
    gain = np.divide(batch_size * model.curvature**2 * model.start, model.noise, where=~noiseless,
                     out=np.zeros_like(model.noise))  # fmt: skip

    def risk(steps: int) -> float:
        remaining = np.where(noiseless, float(steps == 0), 1 / (1 + steps * gain))
        return float(model.weight @ (model.start * remaining))

    high = 1
    while risk(high) > target:
        high *= 2
    low = high // 2 if high > 1 else -1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if risk(middle) > target else (low, middle)
    return high


def check_batch_size(batch_size: float) -> None:
    """Raises `ValueError` unless a batch holds at least one example."""
    if not (np.isfinite(batch_size) and batch_size >= 1):
        raise ValueError(f"batch_size = {batch_size:g} must be at least 1")


def check_target(model: NoisyQuadratic, target: float) -> None:
    """Raises `ValueError` unless the target is positive and not above the initial loss."""
    if not (np.isfinite(target) and target > 0):
        raise ValueError(f"target = {target:g} must be a positive loss")
    if target > model.initial_loss:
        raise ValueError(f"target = {target:g} is above the initial loss of {model.initial_loss:g}; choose a lower one")
