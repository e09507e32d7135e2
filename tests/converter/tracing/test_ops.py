"""What numpy lacks and models need works on tensors as on arrays."""

import numpy as np
import pytest

from converter.tracing import ops
from tests.converter.tracing.traced import check

LINES = np.random.default_rng(0).normal(size=(3, 2, 17)).astype(np.float32)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 0), (0, 5), (16, 1)])
def test_padding_is_numpys(before: int, after: int, mode: str) -> None:
    check(lambda x: ops.pad(x, before, after, mode) * np.float32(1), LINES)
    widths = [(0, 0), (0, 0), (before, after)]
    assert np.array_equal(ops.pad(LINES, before, after, mode), np.pad(LINES, widths, mode=mode))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("taps", [1, 2, 5, 17])
def test_kernels_slide_over_every_line(taps: int, stride: int) -> None:
    kernels = np.random.default_rng(1).normal(size=(2, taps))
    check(lambda x: ops.correlate(x, kernels, stride), LINES, rtol=1e-5, atol=1e-6)
    found = ops.correlate(LINES, kernels, stride)
    assert found.dtype == np.float32
    for line, kernel in np.ndindex(2, 2):
        whole = [np.correlate(x[line], kernels[kernel], "valid")[::stride] for x in LINES]
        np.testing.assert_allclose(found[:, line, kernel], whole, rtol=1e-4, atol=1e-5)
