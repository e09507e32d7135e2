import numpy as np
import pytest

from converter.blocks import Autocorrelation, Block, BlockError, ZeroCrossings
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx


def one_window(*samples: float) -> np.ndarray:
    return np.array(samples, np.float32).reshape(1, -1, 1)


@pytest.mark.parametrize(
    ("samples", "count"),
    [
        ((1, -1, 1, -1), 3),
        ((1, 0, 1), 0),
        ((-1, 0, -1), 2),
        ((-1, -0.0, 1), 1),
        ((0, 0, 0), 0),
        ((-1, -1, -1), 0),
    ],
)
def test_zero_counts_as_positive(samples: tuple[float, ...], count: int) -> None:
    windows = one_window(*samples)
    block = ZeroCrossings().fit(windows)
    assert block.transform(windows)[0, 0] == in_onnx(block, windows)[0, 0] == count


def test_centred_counts_how_often_the_mean_is_crossed() -> None:
    windows = one_window(9, 11, 9, 11, 11)
    assert ZeroCrossings().fit_transform(windows) == 0
    assert ZeroCrossings(centre=True).fit_transform(windows) == 3


def test_a_constant_crosses_nothing_however_its_mean_rounds() -> None:
    windows = np.full((1, 333, 1), 0.1, np.float32)
    block = ZeroCrossings(centre=True).fit(windows)
    assert block.transform(windows) == in_onnx(block, windows) == 0


def test_a_rate_is_a_count_over_samples() -> None:
    windows = one_window(1, -1, 1, -1)
    block = ZeroCrossings(give="rate").fit(windows)
    assert block.transform(windows) == np.float32(0.75)
    assert block.get_feature_names_out(["z"]).tolist() == ["z_crossing_rate"]


def test_a_wave_resembles_itself_after_a_period_and_is_opposite_after_half_of_one() -> None:
    wave = np.sin(2 * np.pi * np.arange(400) / 20).reshape(1, 400, 1)
    block = Autocorrelation((0, 10, 20)).fit(wave)
    # the biased estimator: fewer products the later
    assert block.transform(wave)[0] == pytest.approx([1, -0.975, 0.95], abs=0.001)
    assert block.get_feature_names_out().tolist() == ["axis0_lag0", "axis0_lag10", "axis0_lag20"]


def test_a_number_of_lags_is_all_up_to_it() -> None:
    windows = noise(30, 2)(3)
    each = Autocorrelation((1, 2, 3)).fit_transform(windows)
    assert np.array_equal(Autocorrelation(3).fit_transform(windows), each)
    assert each.shape == (3, 6)


def test_what_does_not_move_resembles_nothing() -> None:
    windows = np.full((1, 50, 2), 9.81, np.float32)
    block = Autocorrelation((0, 1)).fit(windows)
    assert not block.transform(windows).any()
    assert not in_onnx(block, windows).any()


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (
            Autocorrelation(30),
            "lags: expected whole numbers from 0 to 29, below the window's 30 samples",
        ),
        (Autocorrelation((1, 30)), "found \\(1, 30\\)"),
        (Autocorrelation((-1,)), "found \\(-1,\\)"),
        (Autocorrelation(0), "found 0"),
        (Autocorrelation(()), "found \\(\\)"),
        (Autocorrelation((1, 1)), "each once"),
        (Autocorrelation((1.5,)), "whole numbers"),
        (Autocorrelation(True), "found True"),
        (ZeroCrossings(give="both"), "one of count, rate, found 'both'"),
        (ZeroCrossings(centre="mean"), "True or False, found 'mean'"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(block: Block, what: str) -> None:
    with pytest.raises(BlockError, match=what):
        block.fit(noise(30, 2)(2))


@pytest.mark.parametrize("block", [Autocorrelation((0,)), ZeroCrossings()])
def test_a_single_sample_is_no_window(block: Block) -> None:
    with pytest.raises(BlockError, match="expected windows of 2 to 65536 samples, found 1"):
        block.fit(np.zeros((2, 1, 3)))
