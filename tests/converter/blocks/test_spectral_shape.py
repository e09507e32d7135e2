"""SpectralPeaks and SpectralShape: what they promise beyond agreement with scipy (test_cases.py)."""

import numpy as np
import pytest

from converter.blocks import BlockError, SpectralPeaks, SpectralShape
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx


def tones(length: int, rate_hz: float, *given: tuple[float, float]) -> np.ndarray:
    time = np.arange(length) / rate_hz
    found = sum(amplitude * np.sin(2 * np.pi * hz * time) for hz, amplitude in given)
    return np.asarray(found, np.float32).reshape(1, length, 1)


def test_peaks_are_the_tones_in_descending_amplitude() -> None:
    windows = tones(1000, 500.0, (20.0, 1.0), (75.0, 4.0), (130.0, 2.0))
    block = SpectralPeaks(500.0, 3).fit(windows)
    for found in (block.transform(windows), in_onnx(block, windows)):
        assert found[0] == pytest.approx([75, 130, 20, 4, 2, 1], rel=1e-4)
    assert block.get_feature_names_out().tolist() == [
        *(f"axis0_peak{k}_hz" for k in (1, 2, 3)), *(f"axis0_peak{k}_amplitude" for k in (1, 2, 3)),
    ]  # fmt: skip


def test_missing_peaks_are_zero_and_so_are_those_of_a_constant() -> None:
    block = SpectralPeaks(100.0, 3, "boxcar").fit(noise(64, 1)(3))
    for constant in (0.0, 5.0, 9.81):
        windows = np.full((2, 64, 1), constant, np.float32)
        assert not block.transform(windows).any()
        assert not in_onnx(block, windows).any()


def test_more_points_place_a_peak_between_the_bins() -> None:
    windows = tones(256, 100.0, (10.13, 1.0))
    coarse = SpectralPeaks(100.0, 1).fit_transform(windows)[0, 0]
    fine = SpectralPeaks(100.0, 1, n_fft=8192).fit_transform(windows)[0, 0]
    assert abs(fine - 10.13) < 0.02 < abs(coarse - 10.13)


def test_a_tone_is_narrow_and_noise_is_wide() -> None:
    tone = tones(512, 100.0, (12.5, 1.0))
    white = np.random.default_rng(0).normal(size=(1, 512, 1))
    block = SpectralShape(100.0).fit(tone)
    centroid, bandwidth, entropy = block.transform(tone)[0]
    assert centroid == pytest.approx(12.5, abs=0.01)
    assert bandwidth < 0.3
    assert entropy < 0.2
    centroid, bandwidth, entropy = block.transform(white)[0]
    assert centroid == pytest.approx(25, abs=3)
    assert bandwidth == pytest.approx(50 / np.sqrt(12), abs=2)
    assert entropy > 0.8
    assert block.get_feature_names_out().tolist() == [
        "axis0_centroid", "axis0_bandwidth", "axis0_entropy"
    ]  # fmt: skip


def test_a_constant_has_no_shape() -> None:
    block = SpectralShape(100.0).fit(noise(64, 2)(3))
    windows = np.full((1, 64, 2), 9.81, np.float32)
    assert not block.transform(windows).any()
    assert not in_onnx(block, windows).any()


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"rate_hz": 0.0}, "rate_hz: expected the sampling rate"),
        ({"n_peaks": 0}, "n_peaks: expected a whole number from 1 to 16, of 33 bins"),
        ({"n_peaks": 17}, "found 17"),
        ({"window": "hanning-ish"}, "window: expected what scipy"),
        ({"n_fft": 63}, "n_fft: expected a whole number from 64"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(parameters: dict[str, object], what: str) -> None:
    with pytest.raises(BlockError, match=what):
        SpectralPeaks(**{"rate_hz": 100.0, **parameters}).fit(noise(64, 1)(2))


def test_windows_too_short_are_refused() -> None:
    with pytest.raises(BlockError, match="SpectralPeaks: expected windows of 8 to"):
        SpectralPeaks(100.0, 1).fit(np.zeros((1, 7, 1)))
    with pytest.raises(BlockError, match="SpectralShape: expected windows of 4 to"):
        SpectralShape(100.0).fit(np.zeros((1, 3, 1)))
