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


class Boxes(NamedTuple):
    """Parts of the spaces that trees divide.

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
    """What is to be told apart: the draws of all trees, by node and in it by position, in each column.

    Attributes:
        draw: Each names a tree and a trial, [column, row].
        node: Where they are, [row]: every column has as many of a node, and at the same rows.
        trial, weight: Of each draw: the trial, and how often the tree drew it, [column, row].
    """

    draw: Indices
    node: Indices
    trial: Indices
    weight: NDArray[np.int64]


class _Splits(NamedTuple):
    """How nodes are divided, [node]: whether at all, in which column, and up to which place the left part goes."""

    exists: NDArray[np.bool_]
    column: Indices
    end: Array
    threshold: Array


def grow(positions: Array, losses: Array, *, bounds: Array, trees: int, seed: int) -> Boxes:
    """The leaves of a forest, which fill the space of each tree.

    Args:
        positions: Where each trial lies, [trial, column].
        losses: What it came to, [trial].
        bounds: Where each column begins and ends, [column, 2].
        trees: How many.
        seed: Of the bootstraps, and of the choice between splits that are as good.
    """
    return Boxes(
        *map(np.concatenate, zip(*_levels(positions, losses, bounds=bounds, trees=trees, seed=seed), strict=True))
    )


def _levels(positions: Array, losses: Array, *, bounds: Array, trees: int, seed: int) -> Iterator[Boxes]:
    """The leaves of each level, roots first."""
    generator = np.random.default_rng(seed)
    trials = len(positions)
    counts = generator.multinomial(trials, np.full(trials, 1 / trials), size=trees)  # [tree, trial]
    order = positions.argsort(axis=0, kind="stable").T[:, None] + trials * np.arange(trees)[:, None]
    draws = order.reshape(len(bounds), -1)  # [column, draw]
    draws = draws[counts.ravel()[draws] > 0].reshape(len(bounds), -1)
    tree, low, high = np.arange(trees), np.tile(bounds[:, 0], (trees, 1)), np.tile(bounds[:, 1], (trees, 1))
    node = draws[0] // trials
    while len(tree):
        rows = _Rows(draws, node, draws % trials, counts.ravel()[draws])
        starts = np.flatnonzero(np.diff(node, prepend=-1))
        loss, weight = losses[rows.trial[0]], rows.weight[0]
        boxes = Boxes(tree, np.add.reduceat(weight * loss, starts) / np.add.reduceat(weight, starts), low, high)
        splits = _best_splits(rows, starts, columns=positions.T, losses=losses, generator=generator)
        yield boxes.where(~splits.exists)
        tree, low, high = _halves(boxes.where(splits.exists), splits)
        draws, node = _handed_down(rows, splits, positions)


def _best_splits(
    rows: _Rows, starts: Indices, *, columns: Array, losses: Array, generator: np.random.Generator
) -> _Splits:
    """The splits of nodes that lessen the variance within most.

    Args:
        rows: What is in the nodes.
        starts: The first row of each node, [node].
        columns: Positions, [column, trial].
        losses: Of trials, [trial].
        generator: Decides between columns that are as good.
    """
    node, every = rows.node, np.arange(len(starts))
    places = np.take_along_axis(columns, rows.trial, axis=1)  # [column, row]
    weights, sums = _within(rows.weight, starts, node), _within(rows.weight * losses[rows.trial], starts, node)
    ends = np.append(starts[1:], len(node)) - 1
    right_weights, right_sums = weights[:, ends][:, node] - weights, sums[:, ends][:, node] - sums
    is_apart = np.zeros(places.shape, dtype=bool)
    is_apart[:, :-1] = (np.diff(places) > 0) & (np.diff(node) == 0)
    gains = np.where(is_apart, sums**2 / weights + right_sums**2 / np.maximum(right_weights, 1), -1.0)
    best = np.maximum.reduceat(gains, starts, axis=1)  # [column, node]
    column = (generator.random(best.shape) * (best >= AS_GOOD * best.max(axis=0))).argmax(axis=0)
    loss = losses[rows.trial[0]]
    is_mixed = np.minimum.reduceat(loss, starts) < np.maximum.reduceat(loss, starts)
    exists = is_mixed & (best[column, every] >= 0)
    is_best = exists[node] & (gains[column[node], np.arange(len(node))] == best[column, every][node])
    candidates = np.flatnonzero(is_best)
    _, first = np.unique(node[candidates], return_index=True)
    row, chosen = candidates[first], column[exists]
    end = np.zeros(len(starts))
    threshold = np.zeros(len(starts))
    end[exists] = places[chosen, row]
    threshold[exists] = (places[chosen, row] + places[chosen, row + 1]) / 2
    return _Splits(exists, column, end, threshold)


def _within(values: Array | NDArray[np.int64], starts: Indices, node: Indices) -> Array:
    """Sums up to each row of its node, [column, row]."""
    sums = values.cumsum(axis=1)
    before = sums[:, starts] - values[:, starts]
    return np.asarray(sums - before[:, node], dtype=np.float64)


def _halves(boxes: Boxes, splits: _Splits) -> tuple[Indices, Array, Array]:
    """Trees and limits of the nodes that boxes are divided into, the left one of each first."""
    low, high = (np.repeat(each, 2, axis=0) for each in (boxes.low, boxes.high))
    column, threshold = splits.column[splits.exists], splits.threshold[splits.exists]
    left = 2 * np.arange(len(column))
    high[left, column] = low[left + 1, column] = threshold
    return np.repeat(boxes.tree, 2), low, high


def _handed_down(rows: _Rows, splits: _Splits, positions: Array) -> tuple[Indices, Indices]:
    """The draws in nodes that are divided, and which of the new nodes each row is in; in order as before."""
    is_kept = splits.exists[rows.node]
    draw, trial, node = rows.draw[:, is_kept], rows.trial[:, is_kept], rows.node[is_kept]
    is_right = positions[trial, splits.column[node]] > splits.end[node]
    new = 2 * (splits.exists.cumsum() - 1)[node] + is_right  # [column, row]
    order = new.argsort(axis=1, kind="stable")
    return np.take_along_axis(draw, order, axis=1), np.sort(new[0])
