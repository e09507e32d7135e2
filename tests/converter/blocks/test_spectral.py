"""Spectrum and BandPower: what they promise beyond agreement with scipy (test_cases.py)."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline

from converter.blocks import BandPower, BlockError, Butterworth, Spectrum, WindowFeatures
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx

BANDS = ((1.0, 4.0), (4.0, 8.0))


def sine(amplitude: float, cycles: int, length: int) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * cycles * np.arange(length) / length).reshape(1, length, 1)


@pytest.mark.parametrize("window", ["boxcar", "hann", ("kaiser", 8.6)])
@pytest.mark.parametrize("length", [50, 500])
def test_a_sine_on_a_bin_has_its_amplitude_there_whatever_the_window(length: int, window: str) -> None:
    found = Spectrum("magnitude", window, bins=(6, 6)).fit_transform(sine(3.0, 6, length) + 9.81)
    assert found == pytest.approx(3.0, rel=2e-4)  # of kaiser leaks 1e-4
    power = Spectrum("power", window, bins=(6, 6)).fit_transform(sine(3.0, 6, length))
    assert power == pytest.approx(4.5, rel=4e-4)


@pytest.mark.parametrize("length", [32, 33, 250, 1024, 4096])
def test_a_magnitude_is_within_the_stated_bound_on_any_offset(length: int) -> None:
    windows = noise(length, 2)(4) + np.float32(100)
    block = Spectrum().fit(windows)
    wide = windows.astype(np.float64)
    wide -= wide.mean(axis=1, keepdims=True)
    truth = np.swapaxes(np.abs(np.fft.rfft(wide, axis=1))[:, 1:] * 2 / length, 1, 2)
    truth[..., -1] /= 2 if length % 2 == 0 else 1
    for found in (block.transform(windows), in_onnx(block, windows)):
        assert np.abs(found - truth.reshape(4, -1)).max() < 5e-7 * np.abs(windows).max()


def test_the_power_of_a_sine_is_in_its_band() -> None:
    windows = sine(2.0, 10, 512)  # 5 Hz at 256 Hz
    found = BandPower(256.0, BANDS, nperseg=512, window="boxcar").fit_transform(windows)
    assert found[0] == pytest.approx([0, 2.0], abs=1e-5)
    shares = BandPower(256.0, (*BANDS, (0.0, 128.0)), relative=True).fit_transform(windows)
    assert shares[0, 1] > 0.8
    assert shares[0, 2] == pytest.approx(1.0, rel=1e-5)


def test_a_window_without_any_power_has_no_shares() -> None:
    block = BandPower(50.0, BANDS, relative=True).fit(noise(64, 2)(3))
    windows = np.full((1, 64, 2), 9.81, np.float32)
    assert not block.transform(windows).any()
    assert not in_onnx(block, windows).any()


def test_names_say_axis_bin_and_band() -> None:
    windows = noise(16, 2)(2)
    assert Spectrum(bins=(2, 3)).fit(windows).get_feature_names_out(["x", "y"]).tolist() == [
        "x_bin2", "x_bin3", "y_bin2", "y_bin3",
    ]  # fmt: skip
    block = BandPower(16.0, ((0.5, 4.0), (4.0, 8.0))).fit(windows)
    assert block.get_feature_names_out().tolist() == [
        "axis0_0.5-4hz", "axis0_4-8hz", "axis1_0.5-4hz", "axis1_4-8hz",
    ]  # fmt: skip
    assert block.describe()["nperseg"] == 16
    assert Spectrum().fit(windows).describe()["bins"] == [1, 8]


def test_blocks_follow_and_stand_beside_one_another() -> None:
    windows, labels = noise(128, 3)(20), np.arange(20) % 2
    beside = FeatureUnion([
        ("statistics", WindowFeatures(spectrum_bins=0)),
        ("bands", BandPower(50.0, BANDS)),
        ("spectrum", Spectrum("power", "hann", bins=(1, 10))),
    ])  # fmt: skip
    model = make_pipeline(Butterworth(50.0, 20.0), beside, LogisticRegression()).fit(windows, labels)
    assert model[:-1].transform(windows).shape == (20, 3 * (5 + 2 + 10))
    names = model[:-1].get_feature_names_out()
    assert names[-1] == "spectrum__axis2_bin10"


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"kind": "loud"}, "Spectrum: kind: expected one of magnitude, power, found 'loud'"),
        ({"window": "square"}, "get_window takes.*found 'square'"),
        ({"window": 7}, "window: expected what scipy"),
        ({"n_fft": 31}, "n_fft: expected a whole number from 32"),
        ({"n_fft": 2**20}, "n_fft"),
        ({"bins": 3}, r"bins: expected None or \(first, last\)"),
        ({"bins": (1, 17)}, "bins: last: expected a whole number from 1 to 16"),
        ({"bins": (5, 4)}, "bins: last: expected a whole number from 5 to 16"),
        ({"bins": (-1, 4)}, "bins: first"),
    ],
)
def test_a_wrong_parameter_of_a_spectrum_is_one_clear_error(
    parameters: dict[str, object], what: str
) -> None:
    with pytest.raises(BlockError, match=what):
        Spectrum(**parameters).fit(noise(32, 1)(2))


@pytest.mark.parametrize("rate", [0, -1.0, math.nan, math.inf, "100", True, None, 1e12])
def test_a_rate_that_is_no_positive_number_is_refused(rate: object) -> None:
    with pytest.raises(BlockError, match="rate_hz: expected the sampling rate, a positive number"):
        BandPower(rate, BANDS).fit(noise(64, 1)(2))


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"bands": ()}, "bands: expected"),
        ({"bands": "delta"}, "bands: expected"),
        ({"bands": ((1.0,),)}, r"expected \(low, high\)"),
        ({"bands": ((-1.0, 3.0),)}, "from 0 to 25 Hz, half of rate_hz; found -1.0"),
        ({"bands": ((1.0, 26.0),)}, "from 0 to 25 Hz, half of rate_hz; found 26.0"),
        ({"bands": ((4.0, 4.0),)}, "low < high"),
        ({"bands": ((math.nan, 4.0),)}, "found nan"),
        ({"bands": ((1.0, 1.2),)}, "there is no bin; they are 0.78125 Hz apart"),
        ({"bands": (BANDS[0], BANDS[0])}, "each band once"),
        ({"nperseg": 65}, "nperseg: expected a whole number from 2 to 64, the window's 64 samples"),
        ({"nperseg": 16, "noverlap": 16}, "noverlap: expected a whole number from 0 to 15"),
        ({"relative": 1}, "relative: expected True or False"),
    ],
)
def test_a_wrong_parameter_of_band_power_is_one_clear_error(
    parameters: dict[str, object], what: str
) -> None:
    with pytest.raises(BlockError, match=what):
        BandPower(**{"rate_hz": 50.0, "bands": BANDS, **parameters}).fit(noise(64, 1)(2))


def test_windows_too_short_or_too_long_are_refused() -> None:
    with pytest.raises(BlockError, match="Spectrum: expected windows of 2 to 65536 samples, found 1"):
        Spectrum().fit(np.zeros((1, 1, 1)))
    with pytest.raises(BlockError, match="found 70000"):
        BandPower(100.0, BANDS).fit(np.zeros((1, 70_000, 1)))
