"""numpy's order of additions, which in float32 decides about the last digits."""

import numpy as np
import pytest

from converter.lowering.summation import pairwise_sum


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 16, 23, 127, 128, 129, 136, 256, 300, 1000])
def test_the_last_bit_is_numpys(size: int) -> None:
    random = np.random.default_rng(size)
    rows = (random.normal(size=(200, size)) * random.choice([1, 1e3, 1e-3], (200, size))).astype(
        np.float32
    )
    np.testing.assert_array_equal(pairwise_sum(rows), rows.sum(axis=1))
