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
    low, high = np.zeros((tree.node_count, columns)), np.ones((tree.node_count, columns))
    for node in range(tree.node_count):  # parents come before their children
        left, right, column = tree.children_left[node], tree.children_right[node], tree.feature[node]
        if left < 0:
            continue
        low[[left, right]], high[[left, right]] = low[node], high[node]
        high[left, column] = low[right, column] = tree.threshold[node]
    leaves = tree.children_left < 0
    return Boxes(np.asarray(tree.value[leaves, 0, 0]), low[leaves], high[leaves])
