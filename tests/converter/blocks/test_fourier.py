"""Transforms as matrices against numpy's FFT in float64, and frames against slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.blocks import BlockError
from converter.blocks.fourier import Dft, frame_count, frames


def transform(length: int, n_fft: int, first: int, last: int) -> tuple[Dft, np.ndarray]:
    window = 1 - 0.9 * np.cos(2 * np.pi * np.arange(length) / length)
    bins = np.arange(first, last + 1)
    scale = np.where(2 * bins == n_fft, 1.0, 2.0) / length
    return Dft.of("Test", window, n_fft, bins, scale), window


@settings(deadline=None, max_examples=60)
@given(data=st.data(), length=st.integers(2, 1500))
def test_any_range_of_bins_of_any_length_is_the_ffts(data: st.DataObject, length: int) -> None:
    n_fft = data.draw(st.sampled_from([length, length + 1, 2 ** int(np.ceil(np.log2(length)))]))
    first = data.draw(st.integers(0, n_fft // 2))
    last = data.draw(st.integers(first, n_fft // 2))
    dft, window = transform(length, n_fft, first, last)
    x = np.random.default_rng(length).uniform(-1, 1, (2, 3, length)).astype(np.float32)
    truth = np.abs(np.fft.rfft(x.astype(float) * window, n_fft))[..., first : last + 1]
    truth *= np.where(2 * dft.bins == n_fft, 1.0, 2.0) / length
    found = dft.magnitude(x)
    assert found.dtype == np.float32
    assert np.abs(found - truth).max() < 5e-7
    assert np.abs(dft.power(x) - truth**2).max() < 1e-6
    weights = np.random.default_rng(0).uniform(size=(len(dft.bins), 2))
    mixed = dft.mixed(x, dft.mixture(weights))
    assert np.abs(mixed - truth**2 @ weights).max() <= 2e-6 * max((truth**2 @ weights).max(), 1)


def test_long_transforms_need_kilobytes_of_constants() -> None:
    dft, _ = transform(4096, 4096, 0, 2048)
    stages = dft.stages
    assert stages is not None
    assert stages.rows * stages.columns == 4096
    constants = (stages.first, stages.cosines, stages.sines, stages.real, stages.imaginary)
    assert sum(each.nbytes for each in constants) < 200_000  # one matrix would be of 67 MB


def test_a_long_prime_length_is_refused_with_one_that_works() -> None:
    with pytest.raises(BlockError, match=r"Test: 4093 points have no two factors.*such as 4096"):
        transform(4093, 4093, 0, 2046)


@pytest.mark.parametrize(("frame", "hop"), [(64, 16), (64, 64), (50, 70), (551, 221), (30, 7), (300, 1)])
def test_frames_are_slices(frame: int, hop: int) -> None:
    x = np.arange(2 * 3 * 1000, dtype=np.float32).reshape(2, 3, 1000)
    expected = [x[:, :, at : at + frame] for at in range(0, 1000 - frame + 1, hop)]
    assert frame_count(1000, frame, hop) == len(expected)
    assert np.array_equal(frames(x, frame, hop), np.stack(expected, axis=2))
