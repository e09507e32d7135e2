import numpy as np
import pytest
from PIL import Image

from converter.blocks.resampling import KERNELS, Product, WholeProduct, weights
from tests.converter.blocks.image_cases import FILTERS

SIZES = [(10, 3), (3, 10), (100, 99), (64, 16), (1, 7), (7, 1)]


@pytest.mark.parametrize("method", KERNELS)
@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_weights_are_pillows(method: str, size: int, wanted: int) -> None:
    found = weights(size, wanted, method)
    units = Image.fromarray(np.eye(size, dtype=np.float32)).resize((wanted, size), FILTERS[method])
    assert np.abs(found - np.asarray(units).T).max() < 1e-7
    assert np.allclose(found.sum(axis=1), 1)


def test_a_large_matrix_is_multiplied_in_bands() -> None:
    matrix = weights(300, 100, "bilinear")
    product = Product.of(matrix)
    assert len(product.blocks) == 4
    assert sum(block.size for _, _, block in product.blocks) < matrix.size / 2
    planes = np.random.default_rng(0).normal(size=(2, 3, 300, 20)).astype(np.float32)
    assert np.allclose(product.down(planes), matrix @ planes, atol=1e-5)
    turned = planes.swapaxes(2, 3)
    assert np.allclose(product.across(turned), (matrix @ planes).swapaxes(2, 3), atol=1e-5)


@pytest.mark.parametrize("method", KERNELS)
@pytest.mark.parametrize(("size", "wanted"), [*SIZES, (3000, 20)])
def test_both_parts_are_pillows_whole_weights_and_their_sums_are_exact(
    method: str, size: int, wanted: int
) -> None:
    product = WholeProduct.of(weights(size, wanted, method))
    assert product is not None
    units = np.eye(size)[None, None]
    high, low = (part.down(units)[0, 0] for part in (product.high, product.low))
    whole = high * 2**product.shift + low
    assert np.array_equal(whole, np.round(whole))
    assert np.abs(whole / 2**22 - weights(size, wanted, method)).max() <= 0.5 / 2**22
    for part in (high, low):
        assert np.abs(part).sum(axis=1).max() * 255 < 2**24


def test_only_weights_below_zero_overshoot() -> None:
    for method, overshoots in (
        ("box", False),
        ("bilinear", False),
        ("bicubic", True),
        ("lanczos", True),
    ):
        product = WholeProduct.of(weights(30, 7, method))
        assert product is not None
        assert product.overshoots is overshoots


def test_too_many_pixels_in_one_are_none() -> None:
    assert WholeProduct.of(weights(100_000, 2, "lanczos")) is None
