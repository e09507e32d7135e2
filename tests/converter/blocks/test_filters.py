"""Butterworth: what it promises beyond agreement with scipy on noise (test_cases.py)."""

import math

import numpy as np
import pytest
from scipy import signal

from converter.blocks import BlockError, Butterworth
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx

HARD = [
    ("lowpass", 0.05, 8),
    ("highpass", 0.0005, 2),
    ("bandpass", (0.1, 0.5), 4),
    ("bandpass", (10.0, 12.0), 8),
    ("bandstop", (24.9, 25.1), 4),
    ("bandpass", (0.001, 0.0011), 16),
    ("lowpass", 49.9, 16),
]


def truth_of(windows: np.ndarray, sos: np.ndarray, *, zero_phase: bool) -> np.ndarray:
    x = np.swapaxes(windows.astype(np.float64), 1, 2)
    if zero_phase:
        return np.swapaxes(signal.sosfiltfilt(sos, x), 1, 2)
    state = signal.sosfilt_zi(sos)[:, None, None, :] * x[None, :, :, :1]
    return np.swapaxes(signal.sosfilt(sos, x, zi=state)[0], 1, 2)


@pytest.mark.parametrize("zero_phase", [False, True])
@pytest.mark.parametrize(("btype", "cutoff", "order"), HARD)
@pytest.mark.parametrize("length", [128, 200, 1001, 4096])
def test_hard_filters_stay_within_the_stated_bound(
    length: int, btype: str, cutoff: object, order: int, zero_phase: bool
) -> None:
    windows = noise(length, 2)(2) + np.float32(9.81)
    block = Butterworth(100.0, cutoff, btype, order, zero_phase=zero_phase).fit(windows)
    sos = signal.butter(order, cutoff, btype, fs=100.0, output="sos")
    truth = truth_of(windows, sos, zero_phase=zero_phase)
    bound = (2e-6 if zero_phase else 1e-6) * np.abs(windows).max()
    assert np.abs(block.transform(windows) - truth).max() < bound
    assert np.abs(in_onnx(block, windows) - truth).max() < bound


@pytest.mark.parametrize("length", [100, 300])
@pytest.mark.parametrize(("btype", "cutoff", "kept"), [("lowpass", 5.0, 1), ("highpass", 5.0, 0)])
def test_a_steady_start_makes_no_transient_of_gravity(
    length: int, btype: str, cutoff: float, kept: int
) -> None:
    windows = np.full((2, length, 3), 9.81, np.float32)
    steady = Butterworth(100.0, cutoff, btype).fit_transform(windows)
    assert steady == pytest.approx(kept * windows, abs=1e-4)
    assert np.abs(Butterworth(100.0, cutoff, btype, initial="zero").fit_transform(windows)).max() > 5


def test_the_cut_off_halves_the_power_and_nothing_is_delayed_there_and_back() -> None:
    time = np.arange(2000) / 100
    windows = np.sin(2 * np.pi * 5 * time).reshape(1, -1, 1)
    once = Butterworth(100.0, 5.0).fit_transform(windows)[0, 500:1500, 0]
    assert np.square(once).mean() == pytest.approx(0.25, rel=1e-3)
    slow = np.sin(2 * np.pi * 0.5 * time).reshape(1, -1, 1)
    both = Butterworth(100.0, 5.0, zero_phase=True).fit_transform(slow)
    assert both[0, 500:1500] == pytest.approx(slow[0, 500:1500], abs=1e-3)


def test_it_keeps_the_shape_and_the_names() -> None:
    block = Butterworth(100.0, 5.0).fit(noise(50, 3)(2))
    assert block.transform(noise(50, 3)(4)).shape == (4, 50, 3)
    assert block.get_feature_names_out(["x", "y", "z"]).tolist() == ["x", "y", "z"]
    assert block.describe()["cutoff_hz"] == 5.0
    assert block.transform(np.empty((0, 50, 3))).shape == (0, 50, 3)


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        (
            {"cutoff_hz": 50.0},
            "cutoff_hz: expected from 0.0001 to below 50 Hz, half of rate_hz; found 50",
        ),
        ({"cutoff_hz": 80}, "found 80. Choose another frequency, or sample faster"),
        ({"cutoff_hz": 0.0}, "found 0"),
        ({"cutoff_hz": -3.0}, "cutoff_hz: expected a number from 0 up Hz"),
        ({"cutoff_hz": math.nan}, "found nan"),
        ({"cutoff_hz": "low"}, "found 'low'"),
        ({"cutoff_hz": (1.0, 2.0)}, "expected one number of Hz for lowpass"),
        ({"btype": "bandpass"}, r"expected \(low, high\) in Hz for bandpass, found 5.0"),
        ({"btype": "bandpass", "cutoff_hz": (2.0, 1.0)}, "low < high"),
        ({"btype": "bandpass", "cutoff_hz": (1.0, 60.0)}, "below 50 Hz"),
        ({"btype": "notch"}, "btype: expected one of lowpass, highpass, bandpass, bandstop"),
        ({"order": 0}, "order: expected a whole number from 1 to 16; found 0"),
        ({"order": 17}, "found 17"),
        ({"order": 2.0}, "found 2.0"),
        ({"initial": "warm"}, "initial: expected one of steady, zero"),
        ({"zero_phase": "both"}, "zero_phase: expected True or False"),
        ({"rate_hz": 0}, "rate_hz: expected the sampling rate, a positive number"),
        ({"rate_hz": -100.0}, "found -100.0"),
        ({"rate_hz": math.nan}, "found nan"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(parameters: dict[str, object], what: str) -> None:
    with pytest.raises(BlockError, match=what):
        Butterworth(**{"rate_hz": 100.0, "cutoff_hz": 5.0, **parameters}).fit(noise(64, 1)(2))


def test_windows_too_long_or_shorter_than_the_padding_are_refused() -> None:
    with pytest.raises(BlockError, match="expected windows of 2 to 16384 samples, found 20000"):
        Butterworth(100.0, 5.0).fit(np.zeros((1, 20_000, 1)))
    with pytest.raises(BlockError, match="more than 15 samples, the padding of a filter of order 4"):
        Butterworth(100.0, 5.0, zero_phase=True).fit(np.zeros((1, 15, 1)))
