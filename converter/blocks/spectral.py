"""Spectra of windows: bins and power in bands. Conventions are those of scipy.signal."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks import signals
from converter.blocks.base import Array, Block, BlockError
from converter.blocks.fourier import (
    Dft,
    Float64,
    centred,
    frame_count,
    frames,
    shares,
    side_by_side,
)
from converter.blocks.lines import lines
from converter.blocks.parameters import check_choice, check_flag
from converter.tracing import ops


class Spectrum(Block):
    """The amplitude or power of each frequency, the window's mean taken out first.

    Parameters
    ----------
    kind : "magnitude" gives amplitudes: a sine of amplitude a that falls on a bin gives a there,
        whatever the length and the window function, but for its leakage. "power" gives mean squares,
        a * a / 2, as `scipy.signal.periodogram(..., scaling="spectrum")`, with detrend="constant".
    window : as `scipy.signal.get_window` takes it: "boxcar", "hann", ("kaiser", 8.6), ...
    n_fft : points of the transform, at least the window's samples; zeros are added. None: as many.
    bins : (first, last), both given; bin k is the frequency k * rate / n_fft. None: 1 to n_fft // 2.

    Gives features (n, axes * bins), float32, axis by axis, named axis0_bin1. With m the largest absolute
    value in the window, a magnitude is within 5e-7 * m of float64's; a power is within 2e-6 of the
    largest one. Raises BlockError for windows below 2 samples and for parameters out of range.
    """

    def __init__(
        self,
        kind: str = "magnitude",
        window: str | tuple[Any, ...] = "boxcar",
        n_fft: int | None = None,
        bins: tuple[int, int] | None = None,
    ) -> None:
        self.kind = kind
        self.window = window
        self.n_fft = n_fft
        self.bins = bins

    def learn(self, x: NDArray[Any]) -> None:
        length = x.shape[1]
        check_choice("Spectrum: kind", self.kind, ("magnitude", "power"))
        n_fft = signals.points("Spectrum", self.n_fft, length)
        self.bins_ = self._bins(n_fft // 2)
        window = signals.window_function("Spectrum", self.window, length)
        scale = signals.one_sided(self.bins_, n_fft) / window.sum()
        if self.kind == "power":
            scale = np.sqrt(signals.one_sided(self.bins_, n_fft)) / window.sum()
        self.dft_ = Dft.of("Spectrum", window, n_fft, self.bins_, scale)

    def compute(self, x: Array) -> Array:
        x, _ = centred(x)
        return side_by_side(self.dft_.magnitude(x) if self.kind == "magnitude" else self.dft_.power(x))

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{axis}_bin{k}" for axis in inputs for k in self.bins_]

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "n_fft": self.dft_.n_fft,
            "bins": [int(self.bins_[0]), int(self.bins_[-1])],
        }

    def _bins(self, last: int) -> NDArray[np.int64]:
        given: Any = (1, last) if self.bins is None else self.bins
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise BlockError(f"Spectrum: bins: expected None or (first, last), found {given!r}.")
        first = signals.whole("Spectrum: bins: first", given[0], 0, last, ", n_fft // 2")
        return np.arange(
            first, signals.whole("Spectrum: bins: last", given[1], first, last, ", n_fft // 2") + 1
        )


class BandPower(Block):
    """The power in bands of frequencies, by Welch's method: a mean over overlapping segments.

    As `scipy.signal.welch(x, rate_hz, window, nperseg, noverlap, nfft=None, detrend="constant",
    return_onesided=True, scaling="density", average="mean")`, of which the bins with low <= f < high are
    added up and multiplied by their distance in Hz; a band that ends at rate_hz / 2 has that bin too. A
    sine of amplitude a has the power a * a / 2. P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 1967.

    Parameters
    ----------
    rate_hz : sampling rate.
    bands : ((low, high), ...) in Hz, within 0 to rate_hz / 2.
    window, nperseg, noverlap : the segments' window function, samples, and shared samples. None: 256
        samples or all of a shorter window; half of a segment. With window="boxcar" and nperseg the whole
        window it is `scipy.signal.periodogram`.
    relative : shares of the power at all frequencies; 0 for a window that is constant but for rounding.

    Gives features (n, axes * bands), float32, axis by axis, named axis0_0.5-4hz. Powers and shares are
    within 2e-6 of the largest one. Raises BlockError for a band without a bin, and for parameters out
    of range.
    """

    def __init__(
        self,
        rate_hz: float,
        bands: Sequence[tuple[float, float]],
        *,
        window: str | tuple[Any, ...] = "hann",
        nperseg: int | None = None,
        noverlap: int | None = None,
        relative: bool = False,
    ) -> None:
        self.rate_hz = rate_hz
        self.bands = bands
        self.window = window
        self.nperseg = nperseg
        self.noverlap = noverlap
        self.relative = relative

    def learn(self, x: NDArray[Any]) -> None:
        length, name = x.shape[1], "BandPower"
        signals.check_length(name, length)
        rate = signals.rate(name, self.rate_hz)
        given = min(256, length) if self.nperseg is None else self.nperseg
        self.nperseg_ = signals.whole(
            f"{name}: nperseg", given, 2, length, f", the window's {length} samples"
        )
        overlap = self.nperseg_ // 2 if self.noverlap is None else self.noverlap
        self.noverlap_ = signals.whole(
            f"{name}: noverlap", overlap, 0, self.nperseg_ - 1, ", below nperseg"
        )
        check_flag("BandPower: relative", self.relative)
        window = signals.window_function(name, self.window, self.nperseg_)
        weights = self._weights(rate) / frame_count(length, self.nperseg_, self._hop)
        bins = np.flatnonzero(weights.any(axis=1))
        scale = np.full(len(bins), 1 / np.sqrt(np.square(window).sum() * self.nperseg_))
        self.dft_ = Dft.of(name, window, self.nperseg_, bins, scale)
        self.mixture_ = self.dft_.mixture(weights[bins])

    def compute(self, x: Array) -> Array:
        x = lines(x)
        parts = frames(x, self.nperseg_, self._hop)
        count = parts.shape[2]
        powers = self.dft_.mixed(parts - ops.mean(parts, axis=3, keepdims=True), self.mixture_)
        if count == 1:
            powers = powers.reshape(-1, powers.shape[1], powers.shape[3])
        else:
            powers = np.sum(powers, axis=2)
        if self.relative:
            mean = ops.mean(x, axis=2, keepdims=True)
            powers = shares(powers[:, :, :-1], powers[:, :, -1:], mean)
        return side_by_side(powers)

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{axis}_{low:g}-{high:g}hz" for axis in inputs for low, high in self.bands]

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "nperseg": self.nperseg_, "noverlap": self.noverlap_}

    @property
    def _hop(self) -> int:
        return self.nperseg_ - self.noverlap_

    def _weights(self, rate: float) -> Float64:
        """(bins, bands), and a last band of everything if shares are asked for."""
        bins = np.arange(self.nperseg_ // 2 + 1)
        at_hz, nyquist = bins * rate / self.nperseg_, rate / 2
        columns = []
        for low, high in _bands(self.bands, nyquist):
            within = (low <= at_hz) & ((at_hz < high) | (high == nyquist))
            if not within.any():
                raise BlockError(
                    f"BandPower: bands: from {low:g} to {high:g} Hz there is no bin; they are "
                    f"{rate / self.nperseg_:g} Hz apart. Widen the band, or give nperseg more samples."
                )
            columns.append(within)
        if self.relative:
            columns.append(np.ones(len(bins), bool))
        return np.stack(columns, axis=1) * signals.one_sided(bins, self.nperseg_)[:, None]


def _bands(bands: Any, nyquist: float) -> list[tuple[float, float]]:
    """Bands in Hz, checked."""
    if (
        isinstance(bands, str)
        or not isinstance(bands, Sequence | np.ndarray)
        or not 1 <= len(bands) <= 1_000
    ):
        raise BlockError(f"BandPower: bands: expected ((low, high), ...) in Hz, found {bands!r}.")
    found = []
    for band in bands:
        if not isinstance(band, tuple | list | np.ndarray) or len(band) != 2:
            raise BlockError(f"BandPower: bands: expected (low, high) in Hz, found {band!r}.")
        low, high = (
            signals.number("BandPower: bands", edge, 0.0, nyquist, " Hz, half of rate_hz")
            for edge in band
        )
        if not low < high:
            raise BlockError(f"BandPower: bands: expected low < high in Hz, found {band!r}.")
        found.append((low, high))
    if len({f"{low:g}-{high:g}" for low, high in found}) < len(found):
        raise BlockError(f"BandPower: bands: expected each band once, found {bands!r}.")
    return found
