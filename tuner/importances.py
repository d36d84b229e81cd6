"""How much of the variation of a study's losses each hyperparameter explains: functional ANOVA (Hutter et al. 2014).

Over the whole space and all finished search trials, those that diverged or fell short included. So it says what keeps
training from working at all, more than what refines a good optimum. A forest fitted to 50 trials changes with its own
seed: take the first digit. The numbers are those of Optuna's `FanovaImportanceEvaluator`, in a tenth of the time: a
tree's marginals are sums over its leaves, all cells at once. PED-ANOVA, Optuna's default, compares the best tenth with
the rest; of 50 trials that is five, and it follows which five.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.ensemble import RandomForestRegressor  # type: ignore[import-untyped]
from sklearn.tree._tree import Tree  # type: ignore[import-untyped]

from tuner.distributions import distributions_of, encode
from tuner.records import Role, StudyRecord
from tuner.trial import Value

Array = NDArray[np.float64]

LEAST_TRIALS = 10
"""Fewer say nothing."""
TREES = 64


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of a tree, boxes that fill the space.

    Attributes:
        values: What the tree predicts in each, [leaf].
        low, high: Where each begins and ends, [leaf, column].
    """

    values: Array
    low: Array
    high: Array


def importances(study: StudyRecord) -> Mapping[str, float]:
    """The share of the explained variation that is due to each searched parameter, by name; they add up to one.

    Empty if there is one parameter, fewer than `LEAST_TRIALS` results, or no difference between them.
    """
    distributions = distributions_of(study.space)
    ended = [(each.plan.hyperparameters, each.end.loss) for each in study.finished(Role.SEARCH) if each.end is not None]
    if len(distributions) < 2 or len(ended) < LEAST_TRIALS or len({loss for _, loss in ended}) < 2:
        return {}
    columns = {name: _bounds(distributions[name]) for name in sorted(distributions)}
    points = [encode(study.space, point) for point, _ in ended]
    positions = np.array(
        [[x for name in columns for x in _position(distributions[name], each[name])] for each in points]
    )
    forest = RandomForestRegressor(n_estimators=TREES, max_depth=64, random_state=0)
    forest.fit(np.array(positions), np.array([loss for _, loss in ended]))
    bounds = np.concatenate(list(columns.values()))  # [column, (low, high)]
    shares = _shares([_leaves(each.tree_, bounds) for each in forest.estimators_], list(map(len, columns.values())))
    found = dict(zip(columns, shares / shares.sum(), strict=True))
    names = dict(zip(distributions, study.space.searched(), strict=True))
    return {names[each]: float(found[each]) for each in distributions}


def _bounds(distribution: BaseDistribution) -> Array:
    """Where a parameter's columns begin and end, [column, 2]: one for each option of a choice, else one."""
    if isinstance(distribution, CategoricalDistribution):
        return np.array([[0.0, 1.0]] * len(distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return np.array([[distribution.low, distribution.high]], dtype=np.float64)


def _position(distribution: BaseDistribution, value: Value) -> list[float]:
    """A value in its columns."""
    if isinstance(distribution, CategoricalDistribution):
        return [float(each == value) for each in distribution.choices]
    return [float(value)]


def _leaves(tree: Tree, bounds: Array) -> Leaves:
    """A fitted tree as boxes."""
    low = np.tile(bounds[:, 0], (tree.node_count, 1))  # [node, column]
    high = np.tile(bounds[:, 1], (tree.node_count, 1))
    feature, threshold = tree.feature.tolist(), tree.threshold.tolist()
    for node, (left, right) in enumerate(zip(tree.children_left.tolist(), tree.children_right.tolist(), strict=True)):
        if left >= 0:  # children come after their parents
            low[[left, right]], high[[left, right]] = low[node], high[node]
            high[left, feature[node]] = low[right, feature[node]] = threshold[node]
    ends = tree.children_left < 0
    return Leaves(tree.value[ends, 0, 0], low[ends], high[ends])


def _shares(trees: Sequence[Leaves], columns: Sequence[int]) -> Array:
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


def _marginal_variance(tree: Leaves, columns: Sequence[int]) -> float:
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
    mean = np.average(values, weights=weights)
    return float(np.average((values - mean) ** 2, weights=weights))
