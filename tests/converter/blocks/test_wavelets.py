"""WaveletEnergy against PyWavelets, for every wavelet and both modes."""

import numpy as np
import pytest
import pywt

from converter.blocks import BlockError, WaveletEnergy
from converter.blocks.wavelets import WAVELETS, daubechies
from tests.converter.blocks.cases import noise
from tests.converter.blocks.in_graph import in_onnx


@pytest.mark.parametrize("name", WAVELETS)
def test_the_filters_are_pywavelets(name: str) -> None:
    wavelet = pywt.Wavelet(name)
    truth = np.array([wavelet.dec_lo, wavelet.dec_hi])[:, ::-1]
    assert np.abs(daubechies(name) - truth).max() < 1e-14


@pytest.mark.parametrize("mode", ["symmetric", "periodization"])
@pytest.mark.parametrize("name", ["haar", "db2", "db5", "db10"])
@pytest.mark.parametrize("length", [40, 101, 301, 1002])
def test_energies_are_pywavelets_for_even_and_odd_lengths(length: int, name: str, mode: str) -> None:
    windows = noise(length, 2)(3) + np.float32(50)
    block = WaveletEnergy(name, mode=mode).fit(windows)
    levels = pywt.wavedec(np.swapaxes(windows.astype(float), 1, 2), name, mode, block.level_)
    assert block.level_ == pywt.dwt_max_level(length, name)
    truth = np.stack([np.square(each).sum(-1) for each in levels], axis=-1).reshape(3, -1)
    assert np.abs(block.transform(windows) - truth).max() < 1e-6 * truth.max()
    assert np.abs(in_onnx(block, windows) - truth).max() < 1e-6 * truth.max()


def test_energies_of_a_power_of_two_add_up_to_the_windows_own() -> None:
    windows = noise(512, 1)(4)
    found = WaveletEnergy("db3", mode="periodization").fit_transform(windows)
    assert found.sum(axis=1) == pytest.approx(np.square(windows).sum(axis=(1, 2)), rel=1e-5)


def test_a_small_movement_on_a_large_offset_keeps_its_details() -> None:
    wave = np.random.default_rng(0).normal(scale=0.01, size=(1, 300, 1))
    windows = (wave + 1000).astype(np.float32)
    found = WaveletEnergy("db4", 3).fit_transform(windows)
    truth = pywt.wavedec(windows.astype(float)[0, :, 0], "db4", level=3)
    assert found[0, 1:] == pytest.approx([np.square(each).sum() for each in truth[1:]], rel=1e-5)


def test_shares_add_up_to_one_and_silence_has_none() -> None:
    block = WaveletEnergy("db2", 2, relative=True).fit(noise(64, 2)(2))
    found = block.transform(noise(64, 2)(5)).reshape(5, 2, 3)
    assert found.sum(axis=2) == pytest.approx(np.ones((5, 2)), rel=1e-6)
    assert not block.transform(np.zeros((1, 64, 2))).any()
    assert block.get_feature_names_out()[:3].tolist() == ["axis0_a2", "axis0_d2", "axis0_d1"]
    assert block.describe()["level"] == 2


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"wavelet": "db11"}, "wavelet: expected one of haar, db1"),
        ({"wavelet": 4}, "found 4"),
        (
            {"level": 4},
            "level: expected a whole number from 1 to 3, as deep as db4 fits into 64 samples",
        ),
        ({"level": 0}, "found 0"),
        ({"mode": "zero"}, "mode: expected one of symmetric, periodization"),
        ({"relative": "yes"}, "relative: expected True or False"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(parameters: dict[str, object], what: str) -> None:
    with pytest.raises(BlockError, match=what):
        WaveletEnergy(**parameters).fit(noise(64, 1)(2))


def test_a_window_shorter_than_the_filter_is_refused() -> None:
    with pytest.raises(BlockError, match="db4 needs windows of at least 14 samples, found 13"):
        WaveletEnergy().fit(np.zeros((1, 13, 1)))
