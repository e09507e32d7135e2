import numpy as np
import pytest
from scipy import stats

from converter.blocks import BlockError, Percentiles, Statistics
from converter.blocks.statistics import STATISTICS
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx

WINDOWS = noise(40, 2)(5)


def test_statistics_come_one_by_one_with_all_axes_side_by_side() -> None:
    block = Statistics(("mean", "max")).fit(WINDOWS)
    found = block.transform(WINDOWS)
    assert np.allclose(found, np.concatenate([WINDOWS.mean(1), WINDOWS.max(1)], axis=1))
    assert block.get_feature_names_out(["x", "y"]).tolist() == ["x_mean", "y_mean", "x_max", "y_max"]
    assert block.describe() == {"statistics": ["mean", "max"]}


def test_all_statistics_together_are_those_one_by_one() -> None:
    together = Statistics(STATISTICS).fit(WINDOWS)
    alone = [Statistics((name,)).fit(WINDOWS).transform(WINDOWS) for name in STATISTICS]
    assert np.array_equal(together.transform(WINDOWS), np.concatenate(alone, axis=1))
    assert np.allclose(in_onnx(together, WINDOWS), together.transform(WINDOWS), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("level", [0.0, 9.81, -1e6])
def test_a_window_that_does_not_move_has_no_shape_and_no_spread(level: float) -> None:
    still = np.full((2, 50, 3), level, np.float32)
    block = Statistics(("std", "var", "mean_absolute_deviation", "skewness", "kurtosis")).fit(still)
    assert not block.transform(still).any()
    assert not in_onnx(block, still).any()


def test_a_small_movement_on_a_large_offset_keeps_its_digits() -> None:
    wave = np.sin(np.linspace(0, 20 * np.pi, 500)) ** 3 * 0.01
    windows = (wave + np.linspace(0, 0.01, 500) ** 2 + 100).astype(np.float32).reshape(1, 500, 1)
    wide = windows.astype(np.float64)
    block = Statistics(("std", "skewness", "kurtosis")).fit(windows)
    truth = [wide.std(), stats.skew(wide.ravel()), stats.kurtosis(wide.ravel())]
    for found in (block.transform(windows), in_onnx(block, windows)):
        assert found[0] == pytest.approx(truth, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("length", [1, 2, 7, 100])
@pytest.mark.parametrize("percentiles", [(0,), (100,), (50,), (0, 100), (10, 50, 90), (99.5, 97)])
def test_percentiles_are_numpys_from_whichever_end_is_sorted(
    length: int, percentiles: tuple[float, ...]
) -> None:
    windows = noise(length, 2)(4)
    expected = np.percentile(windows.astype(np.float64), percentiles, axis=1)
    block = Percentiles(percentiles).fit(windows)
    for found in (block.transform(windows), in_onnx(block, windows)):
        assert np.allclose(found, np.concatenate(list(expected), axis=1), rtol=1e-6, atol=1e-6)


def test_equal_samples_are_counted_each() -> None:
    windows = np.array([1, 2, 2, 2, 7], np.float32).reshape(1, 5, 1)
    assert Percentiles((25, 50, 75, 90)).fit_transform(windows).tolist() == [[2, 2, 2, 5]]


def test_percentiles_are_named_after_themselves() -> None:
    block = Percentiles((2.5, 50)).fit(WINDOWS)
    assert block.get_feature_names_out().tolist() == [
        "axis0_p2.5", "axis1_p2.5", "axis0_p50", "axis1_p50",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (Statistics(("mean", "mode")), "expected each of mean, std, .* at most once"),
        (Statistics(("mean", "mean")), "at most once"),
        (Statistics("mean"), "found 'mean'"),
        (Statistics(()), "one at least"),
        (Percentiles((50, 101)), "numbers from 0 to 100, each once; found \\(50, 101\\)"),
        (Percentiles((-0.1,)), "0 to 100"),
        (Percentiles((50, 50)), "each once"),
        (Percentiles(()), "each once"),
        (Percentiles(50), "found 50"),
        (Percentiles(("half",)), "found \\('half',\\)"),
        (Percentiles((float("nan"),)), "found \\(nan,\\)"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(block: Statistics | Percentiles, what: str) -> None:
    with pytest.raises(BlockError, match=what):
        block.fit(WINDOWS)


def test_windows_too_short_or_too_long_are_refused() -> None:
    with pytest.raises(BlockError, match="Statistics: expected windows of 2 to 65536 samples, found 1"):
        Statistics().fit(WINDOWS[:, :1])
    with pytest.raises(BlockError, match="found 65537"):
        Percentiles().fit(np.zeros((1, 65_537, 1)))
