"""Splits of many intervals become chains of thresholds: no subtree copied, every number decided."""

import numpy as np
import pytest

from converter.lowering.boosters.splits import Intervals, Tree, below, forest_of, intervals
from converter.lowering.trees import LEAF, leaves


def stump(split: Intervals, *, missing_left: bool) -> Tree:
    """One split: node 1 is its left leaf, node 2 its right."""
    return Tree(
        feature=np.array([0, 0, 0]),
        threshold=np.zeros(3),
        left=np.array([1, LEAF, LEAF]),
        right=np.array([2, LEAF, LEAF]),
        missing_left=np.array([missing_left, False, False]),
        values=np.array([[0.0], [1.0], [2.0]]),
        intervals={0: split},
    )


def sides(tree: Tree, values: list[float]) -> list[str]:
    forest = forest_of([tree], n_features=1, outputs=1)
    ends = forest.node[leaves(forest, np.array(values)[:, None])][:, 0]
    return [{1: "left", 2: "right"}[end] for end in ends]


@pytest.mark.parametrize("missing_left", [True, False])
@pytest.mark.parametrize("wanted", ["LRLRL", "RLRLR", "LRL", "RL", "LR"])
def test_each_interval_and_the_missing_number_go_their_way(wanted: str, missing_left: bool) -> None:
    bounds = np.arange(len(wanted) - 1.0)
    split = Intervals(bounds, np.array([side == "L" for side in wanted]))
    found = sides(stump(split, missing_left=missing_left), [*bounds, np.inf, -np.inf, np.nan])
    names = ["left" if side == "L" else "right" for side in wanted]
    assert found == [*names, names[0], "left" if missing_left else "right"]


@pytest.mark.parametrize("missing_left", [True, False])
@pytest.mark.parametrize("side", [True, False])
def test_a_split_that_sends_all_numbers_one_way(side: bool, missing_left: bool) -> None:
    split = Intervals(np.empty(0), np.array([side]))
    found = sides(stump(split, missing_left=missing_left), [-np.inf, 0, np.inf, np.nan])
    assert found == ["left" if side else "right"] * 3 + ["left" if missing_left else "right"]


def test_a_chain_is_as_long_as_its_bounds_and_copies_nothing_below_it() -> None:
    split = Intervals(np.arange(10.0), np.arange(11) % 2 == 0)
    forest = forest_of([stump(split, missing_left=True)] * 2, n_features=1, outputs=1)
    assert np.bincount(forest.tree).tolist() == [12, 12]
    assert np.count_nonzero(~forest.inner) == 4
    assert forest.values[~forest.inner][:, 0].tolist() == [1, 2, 1, 2]


def test_bounds_at_which_nothing_changes_are_dropped() -> None:
    found = intervals(np.array([3.0, 1.0, 2.0, 2.0]), lambda x: x <= 2)
    assert found.bounds.tolist() == [2]
    assert found.goes_left.tolist() == [True, False]


def test_below_is_the_float32_number_before() -> None:
    values = np.array([0, 1, -1, 1e-45, np.finfo(np.float32).max], np.float32)
    found = below(values)
    assert np.array_equal(found, found.astype(np.float32)), "float32 numbers in float64"
    for value, before in zip(values, found.astype(np.float32), strict=True):
        assert before < value
        assert np.nextafter(before, np.float32(np.inf)) == value


def test_nothing_learnt_is_one_leaf_that_adds_0() -> None:
    forest = forest_of([], n_features=3, outputs=2)
    assert forest.n_trees == 1
    assert forest.values.tolist() == [[0, 0]]
