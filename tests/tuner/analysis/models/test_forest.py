"""The leaves of a forest's trees as boxes: they fill the space, and predict what the forest predicts."""

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor  # type: ignore[import-untyped]

from tuner.analysis.models.forest import Array, Boxes, grow
from tuner.experiment.sequences import halton

POSITIONS: Array = halton(0, 80, 3, seed=0)


def predicted(trees: Sequence[Boxes], points: Array) -> Array:
    """What trees predict on average, [point]."""
    found = []
    for tree in trees:
        inside = ((tree.low < points[:, None]) & (points[:, None] <= tree.high)).all(axis=2)  # [point, leaf]
        assert (inside.sum(axis=1) == 1).all()
        found.append(inside @ tree.values)
    return np.asarray(np.mean(found, axis=0))


def test_the_leaves_of_a_tree_fill_the_space_and_do_not_overlap() -> None:
    trees = grow(POSITIONS, POSITIONS.sum(axis=1), trees=20, seed=0)

    assert len(trees) == 20
    assert [np.prod(each.high - each.low, axis=1).sum() for each in trees] == pytest.approx([1.0] * 20)
    predicted(trees, np.random.default_rng(0).random((100, 3)))  # checks that each point lies in one leaf


def test_a_step_is_one_split_where_it_is() -> None:
    for tree in grow(POSITIONS, np.where(POSITIONS[:, 1] < 0.6, 3.0, 8.0), trees=20, seed=0):
        assert sorted(tree.values) == [3.0, 8.0]
        (step,) = tree.high[tree.values == 3.0, 1]
        assert step == pytest.approx(0.6, abs=0.08)
        assert step == tree.low[tree.values == 8.0, 1]


def test_boxes_predict_what_the_forest_predicts() -> None:
    losses = np.sin(3 * POSITIONS[:, 0]) + (4 * POSITIONS[:, 1] - 2) ** 2 + POSITIONS[:, 2]
    points = np.random.default_rng(0).random((200, 3))
    theirs = RandomForestRegressor(n_estimators=50, random_state=0).fit(POSITIONS, losses).predict(points)

    assert predicted(grow(POSITIONS, losses, trees=50, seed=0), points) == pytest.approx(theirs)
