"""Every block, in numpy and in ONNX Runtime, is as near to its reference as its docstring says."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from tests.converter.blocks.cases import Case, every_case, measure

CASES = tuple(every_case())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_block_is_as_near_to_its_reference_as_its_docstring_says(case: Case) -> None:
    found = measure(case)
    assert found.in_numpy <= case.bound
    assert found.in_graph <= case.bound


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_block_clones_pickles_and_names_what_it_gives(case: Case) -> None:
    inputs = case.inputs(4)
    block = clone(case.block).fit(inputs)
    again = pickle.loads(pickle.dumps(block))
    found = block.transform(inputs)
    assert np.array_equal(again.transform(inputs), found, equal_nan=True)
    assert len(block.get_feature_names_out()) == found.shape[-1]
    assert len(set(block.get_feature_names_out())) == found.shape[-1]
