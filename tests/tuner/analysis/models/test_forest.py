"""Trees grown all at once: their leaves fill the space, and a forest predicts what scikit-learn's does."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor  # type: ignore[import-untyped]

from tuner.analysis.models.forest import Array, Boxes, grow
from tuner.experiment.sequences import halton

POSITIONS: Array = halton(0, 80, 3, seed=0)


def predicted(leaves: Boxes, points: Array) -> Array:
    """What trees predict on average, [point]."""
    trees = np.unique(leaves.tree).size
    inside = ((leaves.low <= points[:, None]) & (points[:, None] < leaves.high)).all(axis=2)  # [point, leaf]
    assert (inside.sum(axis=1) == trees).all()
    return np.asarray(inside @ leaves.values / trees)


def test_the_leaves_of_a_tree_fill_the_space_and_do_not_overlap() -> None:
    leaves = grow(POSITIONS, POSITIONS.sum(axis=1), trees=20, seed=0)

    volumes = np.bincount(leaves.tree, weights=np.prod(leaves.high - leaves.low, axis=1))
    assert volumes == pytest.approx(np.ones(20))
    predicted(leaves, POSITIONS)  # counts them


def test_a_step_is_one_split_where_it_is() -> None:
    leaves = grow(POSITIONS, np.where(POSITIONS[:, 1] < 0.6, 3.0, 8.0), trees=20, seed=0)

    assert (np.bincount(leaves.tree) == 2).all()
    assert sorted(set(leaves.values)) == [3.0, 8.0]
    steps = leaves.high[leaves.values == 3.0, 1]
    assert steps == pytest.approx(0.6, abs=0.08)
    assert steps == pytest.approx(leaves.low[leaves.values == 8.0, 1])


def test_a_forest_predicts_what_that_of_scikit_learn_does() -> None:
    losses = np.sin(3 * POSITIONS[:, 0]) + (4 * POSITIONS[:, 1] - 2) ** 2 + POSITIONS[:, 2]
    points = np.random.default_rng(0).random((200, 3))
    theirs = RandomForestRegressor(n_estimators=400, random_state=0).fit(POSITIONS, losses).predict(points)

    mine = predicted(grow(POSITIONS, losses, trees=400, seed=0), points)

    assert np.sqrt(np.mean((mine - theirs) ** 2)) < 0.04 * theirs.std()


def test_trials_at_one_place_share_a_leaf_with_their_mean() -> None:
    positions, losses = np.repeat(POSITIONS[:2], 30, axis=0), np.repeat([1.0, 5.0, 7.0], 20)

    leaves = grow(positions, losses, trees=50, seed=0)

    assert (np.bincount(leaves.tree) == 2).all()
    assert predicted(leaves, POSITIONS[:2]) == pytest.approx([7 / 3, 19 / 3], abs=0.2)


def test_columns_that_are_as_good_are_chosen_as_often() -> None:
    twice = np.column_stack([POSITIONS[:, 0]] * 2)

    leaves = grow(twice, POSITIONS[:, 0], trees=100, seed=0)

    splits = (leaves.low > 0).sum(axis=0) + (leaves.high < 1).sum(axis=0)
    assert splits[0] / splits.sum() == pytest.approx(0.5, abs=0.05)


def test_the_same_seed_grows_the_same_forest() -> None:
    first, same, other = (grow(POSITIONS, POSITIONS[:, 2], trees=5, seed=seed) for seed in (1, 1, 2))

    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    assert len(first.values) != len(other.values) or (first.low != other.low).any()
