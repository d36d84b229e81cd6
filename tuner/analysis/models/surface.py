"""A convex response surface of a study: log2 steps as a function of where a point lies in the box, and its doubts.

Near an optimum, log2 steps grow as the square of the distance; far from it often only linearly (`1 / learning rate`),
so that a quadratic alone would be bent by what happens far away. Hence

    log2 steps = best + bent(q),    bent(q) = 2 b (sqrt(1 + q / b) - 1),    q a convex quadratic of the position,

which is linear in the distance where `q` is much above `b`. How far losses may lie off the surface grows with how far
they are above the best: the surface need only be right nearby. (That also makes little of losses that were cut: to
take them as lower bounds changed no verdict.)

Doubt is expressed by draws (Bardsley et al. 2014, "randomize-then-optimize"): each is fitted to losses and priors
disturbed by as much as they are uncertain. Bend, noise and growth of each draw are drawn by their evidence.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.models.convex import features, lowest_in, minimise, values

Array = NDArray[np.float64]

BENDS = (0.3, 1.0, 4.0, 1e6)
"""The bends `b` that are considered, in log2 steps; the last is none."""
NOISES = (0.05, 0.15, 0.3)
"""Standard deviations of log2 steps between seeds that are considered; 0.15 is 11 %."""
GROWTHS = (0.12, 0.4)
"""How much further a loss may lie off for each log2 step above the best."""
OFFSET, SLOPE, CURVATURE = 10.0, 6.0, 16.0
"""Prior widths, in log2 steps: a range may be worth a factor of 64 in steps from end to end, before curvature."""
BEST = 3
"""How many of the lowest losses say what `best` is."""
HOPEFUL = 0.25
"""The share of the draws that hope most for a part of the space."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A fitted surface.

    Attributes:
        best: Losses are measured from here, log2 steps.
        weights: Of the features of `q`; the first is the likeliest, the others are draws, [1 + draw, feature].
        bend: The likeliest.
    """

    best: float
    weights: Array
    bend: float

    def at(self, positions: Array) -> Array:
        """Likeliest log2 steps at positions [point, parameter]; [point]."""
        return self.best + _bent(features(positions) @ self.weights[0], np.array(self.bend))

    def gains(self, reach: Array, *, start: Array) -> Array:
        """log2 steps that widening each side would save, by each draw, [draw, parameter, side].

        Args:
            reach: How far each side is widened, in shares of the range, [parameter].
            start: Some good position, [parameter].
        """
        count = len(reach)
        lowest, highest = np.zeros((1 + 2 * count, count)), np.ones((1 + 2 * count, count))
        for each in range(count):
            lowest[1 + 2 * each, each] -= reach[each]
            highest[2 + 2 * each, each] += reach[each]
        draws = self.weights[1:]
        least = values(draws, lowest_in(draws, lowest, highest, start=start))  # [draw, box], the first box as it is
        return np.maximum(least[:, :1] - least[:, 1:], 0.0).reshape(-1, count, 2)

    def hopes(self, lowest: Array, highest: Array, *, start: Array, count: int) -> Array:
        """Where draws that hope most for a part of the space would look there, [position, parameter].

        Args:
            lowest: One corner of the part, [parameter].
            highest: The opposite one.
            start: Some good position, [parameter].
            count: How many positions, from the most hopeful draw to the last of the hopeful.
        """
        draws = self.weights[1:]
        parts = np.array([np.zeros(len(start)), lowest]), np.array([np.ones(len(start)), highest])
        places = lowest_in(draws, *parts, start=start)  # [draw, box or part, parameter]
        least = values(draws, places)
        order = np.argsort(least[:, 1] - least[:, 0], kind="stable")
        chosen = order[np.linspace(0, max(HOPEFUL * len(order), count) - 1, count).astype(int)]
        return np.asarray(places[chosen, 1])


def fit(positions: Array, losses: Array, *, draws: int = 160) -> Surface:
    """The surface through some trials.

    Args:
        positions: Where the trials lie in the box, 0 to 1, [trial, parameter].
        losses: Their log2 steps, [trial].
        draws: How many draws to make.
    """
    best = float(np.mean(np.sort(losses)[:BEST]))
    models = _Models.of(positions, losses - best)
    weights = models.solve(models.targets, np.zeros_like(models.widths))
    evidence = models.evidence(weights)
    generator = np.random.default_rng(0)
    share = np.exp(evidence - evidence.max())
    chosen = np.searchsorted(np.cumsum(share / share.sum()), (np.arange(draws) + 0.5) / draws)
    drawn = models.some(np.minimum(chosen, len(share) - 1))
    disturbed = drawn.targets + np.sqrt(drawn.variances) * generator.standard_normal(drawn.targets.shape)
    priors = drawn.widths * generator.standard_normal(drawn.widths.shape)
    likeliest = int(np.argmax(evidence))
    drawings = drawn.solve(disturbed, priors)
    return Surface(best, np.vstack([weights[likeliest], drawings]), float(models.bends[likeliest]))


@dataclass(frozen=True, slots=True)
class _Models:
    """Models of the same trials that differ in bend, noise and growth.

    Attributes:
        features: [trial, feature].
        heights: Losses above the best, [trial].
        bends: [model].
        targets, variances: Of `q`, [model, trial].
        widths: Of the prior, [model, feature].
    """

    parameters: int
    features: Array
    heights: Array
    bends: Array
    targets: Array
    variances: Array
    widths: Array

    @classmethod
    def of(cls, positions: Array, heights: Array) -> "_Models":
        """Every model, its variances by the heights of a first fit."""
        parameters = positions.shape[1]
        bends, noises, growths = np.array(list(itertools.product(BENDS, NOISES, GROWTHS))).T[:, :, None]
        products = parameters * (parameters + 1) // 2
        prior = np.array([OFFSET] + [SLOPE] * parameters + [CURVATURE] * products)
        widths = prior * np.where(np.arange(len(prior)) > 0, 1 + np.where(bends < BENDS[-1], 0.7 / bends, 0.0), 1.0)
        models = cls(
            parameters, features(positions), heights, bends[:, 0], _unbent(heights, bends), np.empty(0), widths
        )
        by_losses = models.with_deviations(np.maximum(heights, 0.0), noises=noises, growths=growths)
        expected = by_losses.solve(models.targets, np.zeros_like(widths)) @ models.features.T
        # Heights of the losses themselves would make a lucky loss count for more.
        return models.with_deviations(_bent(np.maximum(expected, 0.0), bends), noises=noises, growths=growths)

    def with_deviations(self, heights: Array, *, noises: Array, growths: Array) -> "_Models":
        """The models with variances that grow with heights [trial] or [model, trial]; both columns are [model, 1]."""
        bends = self.bends[:, None]
        variances = (noises**2 + (growths * heights) ** 2) * (1 + heights / (2 * bends)) ** 2
        return replace(self, variances=variances)

    def some(self, chosen: NDArray[np.intp]) -> "_Models":
        """Some of the models, each as often as it is chosen."""
        return replace(
            self,
            bends=self.bends[chosen],
            targets=self.targets[chosen],
            variances=self.variances[chosen],
            widths=self.widths[chosen],
        )

    def precision(self) -> Array:
        """[model, feature, feature]."""
        weighted = self.features.T / self.variances[:, None, :]
        return weighted @ self.features + np.eye(self.widths.shape[1]) * self.widths[:, None, :] ** -2.0

    def solve(self, targets: Array, priors: Array) -> Array:
        """The weights that fit targets [model, trial] under priors with these means, [model, feature]."""
        linear = (targets / self.variances) @ self.features + priors / self.widths**2
        return minimise(self.precision(), linear, parameters=self.parameters)

    def evidence(self, weights: Array) -> Array:
        """Log probability of the losses under each model, but for a constant (Laplace), [model]."""
        residuals = self.targets - weights @ self.features.T
        scaled = self.precision() * self.widths[:, :, None] * self.widths[:, None, :]
        stretched = np.log1p(np.maximum(self.heights, 0.0) / (2 * self.bends[:, None]))
        fitted = np.log(self.variances) + residuals**2 / self.variances - 2 * stretched
        prior = np.sum((weights / self.widths) ** 2, axis=1)
        return np.asarray(-0.5 * (fitted.sum(axis=1) + prior + np.linalg.slogdet(scaled)[1]))


def _bent(straight: Array, bend: Array) -> Array:
    """log2 steps above the best, of `q`; below the best they are the same."""
    return np.where(straight > 0, 2 * bend * (np.sqrt(1 + np.maximum(straight, 0.0) / bend) - 1), straight)


def _unbent(heights: Array, bend: Array) -> Array:
    """`q` of log2 steps above the best: the inverse of `_bent`."""
    return heights + np.maximum(heights, 0.0) ** 2 / (4 * bend)
