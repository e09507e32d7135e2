"""Where in a spectrum the power lies: its peaks and its shape."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from converter.blocks import signals
from converter.blocks.base import Array, Block
from converter.blocks.fourier import Dft, Float32, centred, shares, side_by_side
from converter.blocks.lines import rounding
from converter.tracing import ops


class SpectralPeaks(Block):
    """The largest local maxima of the amplitude spectrum: where, in Hz, and how large.

    The spectrum is Spectrum's, bins 0 to n_fft // 2. A peak is larger than both its neighbours, as in
    `scipy.signal.find_peaks`, which differs only where neighbours are equal. The first and last bin are
    no peaks, nor is what is below 1e-6 of the window's mean: float32's rounding of it.

    Parameters
    ----------
    rate_hz : sampling rate.
    n_peaks : how many, in descending amplitude; those that are missing have frequency and amplitude 0.
    window, n_fft : as in Spectrum; more points than samples place a peak more finely.

    Gives features (n, axes * 2 * n_peaks), float32, axis by axis: axis0_peak1_hz, axis0_peak2_hz, then
    axis0_peak1_amplitude. Frequencies are those of bins, to 2e-7 of themselves; amplitudes are within
    5e-7 of the window's largest absolute value. Peaks nearer to one another in amplitude than that may
    change places. Raises BlockError where the spectrum has no room for so many peaks.
    """

    def __init__(
        self,
        rate_hz: float,
        n_peaks: int = 3,
        window: str | tuple[Any, ...] = "hann",
        n_fft: int | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self.n_peaks = n_peaks
        self.window = window
        self.n_fft = n_fft

    def learn(self, x: NDArray[Any]) -> None:
        length, name = x.shape[1], "SpectralPeaks"
        rate = signals.rate(name, self.rate_hz)
        n_fft = signals.points(name, self.n_fft, length, least=8)
        most = min((n_fft // 2) // 2, 1_000)
        signals.whole(f"{name}: n_peaks", self.n_peaks, 1, most, f", of {n_fft // 2 + 1} bins")
        window = signals.window_function(name, self.window, length)
        bins = np.arange(n_fft // 2 + 1)
        self.dft_ = Dft.of(name, window, n_fft, bins, signals.one_sided(bins, n_fft) / window.sum())
        self.step_hz_ = np.float32(rate / n_fft)

    def compute(self, x: Array) -> Array:
        x, mean = centred(x)
        found = self.dft_.magnitude(x)
        here = found[:, :, 1:-1]
        higher = here > np.maximum(np.maximum(found[:, :, :-2], found[:, :, 2:]), rounding(mean))
        # Without amplitude there is no peak, and its place, from -1 up, is made 0 Hz.
        amplitudes, places = ops.top_k(np.where(higher, here, np.float32(0)), self.n_peaks, largest=True)
        at_hz = (places.astype(np.float32) + np.float32(1)) * self.step_hz_
        at_hz = np.where(amplitudes > 0, at_hz, np.float32(0))
        return side_by_side(np.concatenate([at_hz, amplitudes], axis=2))

    def names(self, inputs: list[str]) -> list[str]:
        kinds = ("hz", "amplitude")
        numbers = range(1, self.n_peaks + 1)
        return [f"{axis}_peak{k}_{kind}" for axis in inputs for kind in kinds for k in numbers]


class SpectralShape(Block):
    """Where the power lies: centroid and bandwidth in Hz, entropy of 0 to 1.

    With q the share of the power spectrum in each bin from 1 to samples // 2, the mean taken out:
    centroid = sum(f q), bandwidth = sqrt(sum((f - centroid)**2 q)), entropy = -sum(q log q) / log(bins).
    All are 0 for a window that is constant but for rounding.

    Parameters
    ----------
    rate_hz : sampling rate.
    window : as `scipy.signal.get_window` takes it.

    Gives features (n, axes * 3), float32, axis by axis, named axis0_centroid, axis0_bandwidth,
    axis0_entropy; within 1e-6 of rate_hz / 2, and entropy within 1e-6. Raises BlockError for windows
    below 4 samples and a rate that is not positive.
    """

    kinds: ClassVar[tuple[str, ...]] = ("centroid", "bandwidth", "entropy")

    def __init__(self, rate_hz: float, window: str | tuple[Any, ...] = "hann") -> None:
        self.rate_hz = rate_hz
        self.window = window

    def learn(self, x: NDArray[Any]) -> None:
        length, name = x.shape[1], "SpectralShape"
        rate = signals.rate(name, self.rate_hz)
        signals.check_length(name, length, least=4)
        window = signals.window_function(name, self.window, length)
        bins = np.arange(1, length // 2 + 1)
        self.dft_ = Dft.of(name, window, length, bins, signals.one_sided(bins, length) / window.sum())
        self.at_hz_: Float32 = (bins * rate / length).astype(np.float32)

    def compute(self, x: Array) -> Array:
        x, mean = centred(x)
        power = self.dft_.power(x)
        share = shares(power, np.sum(power, axis=2, keepdims=True), mean)
        centroid = np.matmul(share, self.at_hz_[:, None])
        away = self.at_hz_ - centroid
        bandwidth = np.sqrt(np.sum(away * away * share, axis=2, keepdims=True))
        # x log x is 0 where x is; the smallest share that counts is far below float32's rounding
        surprise = share * np.log(np.maximum(share, np.float32(1e-30)))
        entropy = np.sum(surprise, axis=2, keepdims=True) * np.float32(-1 / np.log(len(self.at_hz_)))
        return side_by_side(np.concatenate([centroid, bandwidth, entropy], axis=2))

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{axis}_{kind}" for axis in inputs for kind in self.kinds]
