"""A forest of regression trees (Breiman 2001), all of them grown at once, a level at a time.

Every tree sees its own bootstrap of the trials, every split looks at all columns, and a tree ends where nothing is left
to be told apart: scikit-learn's `RandomForestRegressor` as it comes, whose import takes longer than ten forests here.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

AS_GOOD = 1 - 1e-9
"""A split whose gain is at least this share of the best one's is as good: a choice between them is random."""
IMPOSSIBLE = -1.0
"""The gain of a split that would not tell anything apart; others gain 0 or more."""


class Boxes(NamedTuple):
    """Parts of the unit cubes that trees divide, a cube each.

    Attributes:
        tree: Whose each is, [box].
        values: What the tree predicts in each, [box].
        low, high: Where each begins and ends, [box, column].
    """

    tree: Indices
    values: Array
    low: Array
    high: Array

    def where(self, chosen: NDArray[np.bool_]) -> "Boxes":
        """Those that are chosen, [box]."""
        return Boxes(self.tree[chosen], self.values[chosen], self.low[chosen], self.high[chosen])


class _Rows(NamedTuple):
    """The trials that all trees drew: by node, and in a node by position in each column.

    Attributes:
        node: Where they are, [row]: every column has as many of a node, and at the same rows.
        trial, weight: Which each is, and how often its tree drew it, [column, row].
    """

    node: Indices
    trial: Indices
    weight: NDArray[np.int64]

    @property
    def starts(self) -> Indices:
        """The first row of each node, [node]."""
        return np.flatnonzero(np.diff(self.node, prepend=-1))


class _Splits(NamedTuple):
    """How nodes are divided.

    Attributes:
        exists: Whether one is at all, [node].
        column: In which column each of those that are, [split].
        end: The place up to which the left part of it goes, [split].
        threshold: Where the right part of the box begins, half the way to the next place, [split].
    """

    exists: NDArray[np.bool_]
    column: Indices
    end: Array
    threshold: Array


def grow(positions: Array, losses: Array, *, trees: int, seed: int) -> Boxes:
    """The leaves of a forest, which fill the unit cube of each tree.

    Args:
        positions: Where each trial lies, from 0 to 1, [trial, column].
        losses: What it came to, [trial].
        trees: How many.
        seed: Of the bootstraps, and of the choice between splits that are as good.
    """
    levels = list(_levels(positions, losses, trees=trees, generator=np.random.default_rng(seed)))
    return Boxes(
        tree=np.concatenate([each.tree for each in levels]),
        values=np.concatenate([each.values for each in levels]),
        low=np.concatenate([each.low for each in levels]),
        high=np.concatenate([each.high for each in levels]),
    )


def _levels(positions: Array, losses: Array, *, trees: int, generator: np.random.Generator) -> Iterator[Boxes]:
    """The leaves of each level, roots first."""
    rows = _bootstraps(positions, trees, generator)
    cubes = trees, positions.shape[1]
    tree, low, high = np.arange(trees), np.zeros(cubes), np.ones(cubes)
    while len(tree):
        nodes = Boxes(tree, _means(rows, losses), low, high)
        splits = _best_splits(rows, positions, losses, generator)
        yield nodes.where(~splits.exists)
        tree, low, high = _halves(nodes.where(splits.exists), splits)
        rows = _handed_down(rows, splits, positions)


def _bootstraps(positions: Array, trees: int, generator: np.random.Generator) -> _Rows:
    """As many trials drawn for each tree as there are, with replacement; its root is the node of its number."""
    trials, columns = positions.shape
    counts = generator.multinomial(trials, np.full(trials, 1 / trials), size=trees)  # [tree, trial]
    tree = np.arange(trees).repeat(trials)
    trial = np.tile(positions.argsort(axis=0, kind="stable").T, trees)  # [column, row], as below
    weight = counts[tree, trial]
    is_drawn = weight > 0
    return _Rows(tree[is_drawn[0]], trial[is_drawn].reshape(columns, -1), weight[is_drawn].reshape(columns, -1))


def _means(rows: _Rows, losses: Array) -> Array:
    """What nodes predict: the mean loss in each, [node]."""
    weight, loss = rows.weight[0], losses[rows.trial[0]]
    return np.asarray(np.add.reduceat(weight * loss, rows.starts) / np.add.reduceat(weight, rows.starts))


def _best_splits(rows: _Rows, positions: Array, losses: Array, generator: np.random.Generator) -> _Splits:
    """The splits of nodes that lessen the variance within most; none where all losses, or all places, are the same."""
    node, loss = rows.node, losses[rows.trial[0]]
    places = np.take_along_axis(positions.T, rows.trial, axis=1)  # [column, row]
    gains = _gains(rows, places, losses)
    best = np.maximum.reduceat(gains, rows.starts, axis=1)  # [column, node]
    column = (generator.random(best.shape) * (best >= AS_GOOD * best.max(axis=0))).argmax(axis=0)  # [node]
    gain = best[column, np.arange(len(column))]  # [node]
    is_mixed = np.minimum.reduceat(loss, rows.starts) < np.maximum.reduceat(loss, rows.starts)
    exists = is_mixed & (gain > IMPOSSIBLE)
    is_best = exists[node] & (gains[column[node], np.arange(len(node))] == gain[node])
    _, first = np.unique(node[is_best], return_index=True)
    row, column = np.flatnonzero(is_best)[first], column[exists]  # [split]
    end, after = places[column, row], places[column, row + 1]
    return _Splits(exists, column, end, (end + after) / 2)


def _gains(rows: _Rows, places: Array, losses: Array) -> Array:
    """What a node gains by a split after each row, [column, row]; `IMPOSSIBLE` where the next row is at the same place.

    That is the sum of squares within it that goes, but for an amount that is the same for all its splits.
    """
    left_weights, right_weights = _sums(rows, rows.weight)
    left, right = _sums(rows, rows.weight * losses[rows.trial])
    is_apart = np.zeros(places.shape, dtype=bool)
    is_apart[:, :-1] = (np.diff(places) > 0) & (np.diff(rows.node) == 0)
    return np.where(is_apart, left**2 / left_weights + right**2 / np.maximum(right_weights, 1), IMPOSSIBLE)


def _sums(rows: _Rows, values: Array | NDArray[np.int64]) -> tuple[Array, Array]:
    """Sums of values [column, row] over each row's node: up to the row, and after it; [column, row] both."""
    starts = rows.starts
    ends = np.append(starts[1:], len(rows.node)) - 1
    sums = values.cumsum(axis=1, dtype=np.float64)
    before = sums[:, starts] - values[:, starts]  # [column, node]
    return sums - before[:, rows.node], sums[:, ends][:, rows.node] - sums


def _halves(nodes: Boxes, splits: _Splits) -> tuple[Indices, Array, Array]:
    """Trees and limits of what these nodes are divided into, the left part of each first."""
    low, high = nodes.low.repeat(2, axis=0), nodes.high.repeat(2, axis=0)
    left = 2 * np.arange(len(splits.column))
    high[left, splits.column] = low[left + 1, splits.column] = splits.threshold
    return nodes.tree.repeat(2), low, high


def _handed_down(rows: _Rows, splits: _Splits, positions: Array) -> _Rows:
    """The rows of nodes that are divided, in their parts, numbered as `_halves` does."""
    is_kept = splits.exists[rows.node]
    trial, weight = rows.trial[:, is_kept], rows.weight[:, is_kept]
    split = (splits.exists.cumsum() - 1)[rows.node[is_kept]]
    is_right = positions[trial, splits.column[split]] > splits.end[split]
    part = 2 * split + is_right  # [column, row]
    order = part.argsort(axis=1, kind="stable")
    return _Rows(np.sort(part[0]), np.take_along_axis(trial, order, axis=1), np.take_along_axis(weight, order, axis=1))
