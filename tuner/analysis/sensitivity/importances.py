"""How much of the variation of a study's losses each hyperparameter explains: functional ANOVA (Hutter et al. 2014).

The shares cover the whole space and all finished search trials, those that diverged or were cut included. They say what
keeps training from working at all, more than what refines a good optimum. A forest that is fitted to 50 trials changes
with its seed, so only the first digit of a share is reliable.

Optuna's `FanovaImportanceEvaluator` is not used, because it weighs the space by value: nine tenths of a range from 1e-3
to 10 are then 1 to 10. Here the space is weighed as it is searched, by each parameter's own scale: every decade of a
logarithmic range counts alike. On linear ranges both agree, but for the forest's seed. PED-ANOVA, Optuna's default,
compares the best tenth of the trials with the rest. Of 50 trials that is five, and the result depends on which five.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tuner.analysis.models.forest import Boxes, grow
from tuner.experiment.space import Choice, Range
from tuner.records import Role, StudyRecord
from tuner.trial import Value

Array = NDArray[np.float64]

LEAST_TRIALS = 10
"""Fewer say nothing."""
TREES = 64


def importances(study: StudyRecord) -> Mapping[str, float]:
    """The share of the explained variation that is due to each searched parameter, by name; they add up to one.

    Empty if there is one parameter, fewer than `LEAST_TRIALS` results, or no difference between them.
    """
    searched = {name: each for name, each in study.space.parameters.items() if isinstance(each, Range | Choice)}
    ended = [(each.plan.hyperparameters, each.end.loss) for each in study.finished(Role.SEARCH) if each.end is not None]
    losses = np.array([loss for _, loss in ended])
    if len(searched) < 2 or len(ended) < LEAST_TRIALS or not np.ptp(losses):
        return {}
    positions = [[x for name, each in searched.items() for x in _position(each, point[name])] for point, _ in ended]
    trees = grow(np.array(positions), losses, trees=TREES, seed=0)
    columns = [len(each.options) if isinstance(each, Choice) else 1 for each in searched.values()]
    shares = _shares(trees, columns)
    return dict(zip(searched, (shares / shares.sum()).tolist(), strict=True))


def _position(parameter: Range | Choice, value: Value) -> list[float]:
    """A value in its columns, each from 0 to 1: one for each option of a choice, else one."""
    if isinstance(parameter, Choice):
        return [float(each == value) for each in parameter.options]
    return [parameter.position(float(value))]


def _shares(trees: Sequence[Boxes], columns: Sequence[int]) -> Array:
    """Each parameter's share of a tree's variance, on average over the trees that have any; [parameter].

    Args:
        trees: The forest's.
        columns: How many each parameter has.
    """
    first = np.cumsum([0, *columns])
    owned = [range(begin, end) for begin, end in pairwise(first)]
    found = []
    for tree in trees:
        widths = tree.high - tree.low
        variance = _variance(tree.values, widths.prod(axis=1))
        if variance > 0:
            found.append([_marginal_variance(tree, each) / variance for each in owned])
    return np.asarray(np.mean(found, axis=0))


def _marginal_variance(tree: Boxes, columns: Sequence[int]) -> float:
    """The variance of a tree's mean over all other columns, as a function of these."""
    others = np.delete(tree.high - tree.low, columns, axis=1).prod(axis=1)  # [leaf]
    holds = np.ones((1, len(tree.values)), dtype=bool)  # [cell, leaf]
    sizes = np.ones(1)  # [cell]
    for column in columns:
        edges = np.unique([tree.low[:, column], tree.high[:, column]])
        middles = ((edges[:-1] + edges[1:]) / 2)[:, None]
        inside = (tree.low[:, column] <= middles) & (middles < tree.high[:, column])
        holds = (holds[:, None] & inside).reshape(-1, len(tree.values))
        sizes = np.outer(sizes, np.diff(edges)).ravel()
    return _variance(holds @ (others * tree.values) / (holds @ others), sizes)


def _variance(values: Array, weights: Array) -> float:
    shares = weights / weights.sum()
    return float(shares @ (values - shares @ values) ** 2)
