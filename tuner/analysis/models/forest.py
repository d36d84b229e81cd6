"""A forest of regression trees (Breiman 2001) as the boxes into which its trees divide the space.

scikit-learn grows the trees. Its import takes a second, and so it is imported when the first forest is grown.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeRegressor  # type: ignore[import-untyped]

Array = NDArray[np.float64]


class Boxes(NamedTuple):
    """The parts of the unit cube that the leaves of a tree stand for. They fill the cube and do not overlap.

    Attributes:
        values: What the tree predicts in each part, [box].
        low, high: Where each part begins and ends, [box, column].
    """

    values: Array
    low: Array
    high: Array


def grow(positions: Array, losses: Array, *, trees: int, seed: int) -> list[Boxes]:
    """The trees of a forest: each grown on a bootstrap sample of its own, with all columns tried at every split.

    Args:
        positions: Where the trials lie, each from 0 to 1, [trial, column].
        losses: What to predict, [trial].
        trees: How many trees.
        seed: Of the bootstrap samples, and of choices between splits that are as good.
    """
    from sklearn.ensemble import RandomForestRegressor  # type: ignore[import-untyped]

    forest = RandomForestRegressor(n_estimators=trees, random_state=seed).fit(positions, losses)
    return [_boxes(each, positions.shape[1]) for each in forest.estimators_]


def _boxes(grown: "DecisionTreeRegressor", columns: int) -> Boxes:
    """The boxes of a tree's leaves."""
    tree = grown.tree_
    low, high = ([[end] * columns] * tree.node_count for end in (0.0, 1.0))
    splits = (tree.children_left, tree.children_right, tree.feature, tree.threshold)
    nodes = zip(*(each.tolist() for each in splits), strict=True)
    for node, (left, right, column, threshold) in enumerate(nodes):  # parents come before their children
        if left < 0:
            continue
        low[left], high[right] = low[node], high[node]
        low[right], high[left] = low[node].copy(), high[node].copy()
        low[right][column] = high[left][column] = threshold
    leaves = tree.children_left < 0
    return Boxes(np.asarray(tree.value[leaves, 0, 0]), np.array(low)[leaves], np.array(high)[leaves])
