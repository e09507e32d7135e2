"""Spectral blocks against scipy, librosa's committed numbers and PyWavelets, in float64."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pywt
from scipy import signal

from converter.blocks import (
    MFCC,
    BandPower,
    Block,
    Butterworth,
    LogMel,
    SpectralPeaks,
    SpectralShape,
    Spectrogram,
    Spectrum,
    WaveletEnergy,
)
from tests.converter.blocks.cases import Case, noise
from tests.converter.blocks.librosa_settings import SETTINGS, Setting, recordings

Reference = Callable[[np.ndarray], np.ndarray]


def flat(x: np.ndarray) -> np.ndarray:
    """(n, axes, k) as features, axis by axis."""
    return x.reshape(len(x), -1)


def wide(windows: np.ndarray) -> np.ndarray:
    """Float64, the samples last."""
    return np.swapaxes(windows.astype(np.float64), 1, 2)


def periodogram(kind: str, window: Any, n_fft: int | None, bins: slice) -> Reference:
    def reference(windows: np.ndarray) -> np.ndarray:
        x = wide(windows)
        if kind == "power":
            found = signal.periodogram(x, 1.0, window, n_fft, scaling="spectrum")[1]
            return flat(found[..., bins])
        return flat(amplitudes(x, window, n_fft)[..., bins])

    return reference


def amplitudes(x: np.ndarray, window: Any, n_fft: int | None = None) -> np.ndarray:
    taper = signal.get_window(window, x.shape[-1])
    n = n_fft or x.shape[-1]
    found = np.abs(np.fft.rfft(signal.detrend(x, type="constant") * taper, n)) * 2 / taper.sum()
    found[..., 0] /= 2
    if n % 2 == 0:
        found[..., -1] /= 2
    return found


def welch(rate_hz: float, bands: Any, relative: bool = False, **options: Any) -> Reference:
    def reference(windows: np.ndarray) -> np.ndarray:
        f, density = signal.welch(wide(windows), rate_hz, **options)
        powers = [
            density[..., (f >= low) & ((f < high) | (high == rate_hz / 2))].sum(-1) * f[1]
            for low, high in bands
        ]
        total = density.sum(-1) * f[1] if relative else 1.0
        return flat(np.stack(powers, axis=-1) / np.asarray(total)[..., None])

    return reference


def peaks(rate_hz: float, count: int, window: Any, n_fft: int | None = None) -> Reference:
    def of_one(x: np.ndarray) -> np.ndarray:
        spectrum = amplitudes(x, window, n_fft)
        places, _ = signal.find_peaks(spectrum)
        places = places[np.argsort(-spectrum[places], kind="stable")][:count]
        found = np.zeros((2, count))
        found[0, : len(places)] = places * rate_hz / (n_fft or len(x))
        found[1, : len(places)] = spectrum[places]
        return found.ravel()

    return lambda windows: flat(np.array([[of_one(x) for x in window] for window in wide(windows)]))


def shape(rate_hz: float, window: Any) -> Reference:
    def reference(windows: np.ndarray) -> np.ndarray:
        x = wide(windows)
        f = np.fft.rfftfreq(x.shape[-1], 1 / rate_hz)[1:]
        power = amplitudes(x, window)[..., 1:] ** 2
        share = power / power.sum(-1, keepdims=True)
        centroid = (share * f).sum(-1)
        bandwidth = np.sqrt((share * (f - centroid[..., None]) ** 2).sum(-1))
        entropy = -(share * np.log(share)).sum(-1) / np.log(len(f))
        return flat(np.stack([centroid, bandwidth, entropy], axis=-1))

    return reference


EEG = ((0.5, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0))
HALVES = ((0.0, 25.0), (25.0, 50.0))

SPECTRA = (
    Case("Spectrum 32x1", Spectrum(), noise(32, 1),
         periodogram("magnitude", "boxcar", None, slice(1, None)), "numpy", 1e-6),
    Case("Spectrum 100x6", Spectrum(), noise(100, 6),
         periodogram("magnitude", "boxcar", None, slice(1, None)), "numpy", 1e-6),
    Case("Spectrum hann, power 256x3", Spectrum("power", "hann"), noise(256, 3),
         periodogram("power", "hann", None, slice(1, None)), "scipy", 2e-6),
    Case("Spectrum bins 2 to 21 of 1024x3", Spectrum("magnitude", "hamming", bins=(2, 21)),
         noise(1024, 3), periodogram("magnitude", "hamming", None, slice(2, 22)), "numpy", 1e-6),
    Case("Spectrum 501 padded to 1024x2", Spectrum("power", ("kaiser", 8.6), 1024), noise(501, 2),
         periodogram("power", ("kaiser", 8.6), 1024, slice(1, None)), "scipy", 2e-6),
    Case("Spectrum 4096x1", Spectrum(), noise(4096, 1),
         periodogram("magnitude", "boxcar", None, slice(1, None)), "numpy", 1e-6),
    Case("BandPower 512x4", BandPower(128.0, EEG), noise(512, 4), welch(128.0, EEG), "scipy", 2e-6),
    Case("BandPower relative 512x4", BandPower(128.0, EEG, relative=True), noise(512, 4),
         welch(128.0, EEG, relative=True), "scipy", 2e-6),
    Case("BandPower periodogram 100x6", BandPower(100.0, HALVES, window="boxcar", nperseg=100),
         noise(100, 6), welch(100.0, HALVES, window="boxcar", nperseg=100), "scipy", 2e-6),
    Case("BandPower 4096x3, 1024 overlapping 768",
         BandPower(100.0, HALVES, nperseg=1024, noverlap=768), noise(4096, 3),
         welch(100.0, HALVES, nperseg=1024, noverlap=768), "scipy", 2e-6),
    Case("SpectralPeaks 128x3", SpectralPeaks(50.0), noise(128, 3), peaks(50.0, 3, "hann"),
         "scipy", 1e-6),
    Case("SpectralPeaks 5 of 400 padded to 2048x2", SpectralPeaks(1000.0, 5, "hann", 2048),
         noise(400, 2), peaks(1000.0, 5, "hann", 2048), "scipy", 1e-6),
    Case("SpectralShape 256x6", SpectralShape(100.0), noise(256, 6), shape(100.0, "hann"),
         "numpy", 1e-6),
)  # fmt: skip


# librosa's answers are committed: librosa_settings.py says what was asked
_LIBROSA = np.load(Path(__file__).with_name("librosa_references.npz"))
_BOUNDS = {"magnitude": 1e-6, "power": 2e-6, "db": 1e-5, "mel": 1e-5, "mfcc": 1e-6}


def librosa_case(name: str, setting: Setting) -> Case:
    """A block and its reference, on the script's two recordings over and over."""
    given = recordings(setting)
    answers = np.moveaxis(_LIBROSA[name], 1, 2)  # (2, frames, axes, bins)
    answers = answers.reshape(*answers.shape[:2], -1)

    def inputs(count: int) -> np.ndarray:
        return given[np.arange(count) % len(given)]

    def reference(windows: np.ndarray) -> np.ndarray:
        second = np.array([np.array_equal(window, given[1]) for window in windows])
        return answers[second.astype(int)]

    options = {"rate_hz" if key == "sr" else key: value for key, value in setting.options.items()}
    block: Block = (
        {"mel": LogMel, "mfcc": MFCC}[setting.kind](**options)
        if "sr" in setting.options
        else (Spectrogram(scale=setting.kind, **options))
    )
    return Case(name, block, inputs, reference, "librosa", _BOUNDS[setting.kind])


OVER_TIME = tuple(librosa_case(name, setting) for name, setting in SETTINGS.items())


def filtered(rate_hz: float, cutoff: Any, btype: str, order: int, start: str = "steady") -> Reference:
    sos = signal.butter(order, cutoff, btype, fs=rate_hz, output="sos")

    def reference(windows: np.ndarray) -> np.ndarray:
        x = wide(windows)
        if start == "both ways":
            found = signal.sosfiltfilt(sos, x)
        elif start == "zero":
            found = signal.sosfilt(sos, x)
        else:
            state = signal.sosfilt_zi(sos)[:, None, None, :] * x[None, :, :, :1]
            found, _ = signal.sosfilt(sos, x, zi=state)
        return np.swapaxes(found, 1, 2)

    return reference


def filter_case(length: int, axes: int, *given: Any, start: str = "steady") -> Case:
    rate_hz, cutoff, btype, order = given
    initial, both = ("steady" if start != "zero" else "zero"), start == "both ways"
    block = Butterworth(rate_hz, cutoff, btype, order, initial=initial, zero_phase=both)
    name = f"Butterworth {btype} of {order}, {start}, {length}x{axes}"
    return Case(
        name, block, noise(length, axes), filtered(*given, start), "scipy", 2e-6 if both else 1e-6
    )


FILTERS = (
    filter_case(32, 1, 50.0, 5.0, "lowpass", 2),
    filter_case(100, 6, 100.0, 0.3, "highpass", 4),
    filter_case(128, 3, 100.0, (1.0, 20.0), "bandpass", 4, start="zero"),
    filter_case(501, 2, 250.0, (49.0, 51.0), "bandstop", 3),
    filter_case(1000, 3, 1000.0, 2.0, "lowpass", 8),
    filter_case(4096, 1, 8000.0, (300.0, 3400.0), "bandpass", 6),
    filter_case(4096, 3, 100.0, 0.5, "highpass", 2, start="zero"),
    filter_case(128, 3, 50.0, 3.0, "lowpass", 4, start="both ways"),
    filter_case(1000, 2, 200.0, (0.5, 40.0), "bandpass", 4, start="both ways"),
)


def wavelets(wavelet: str, mode: str, level: int | None, relative: bool = False) -> Reference:
    def reference(windows: np.ndarray) -> np.ndarray:
        levels = pywt.wavedec(wide(windows), wavelet, mode, level)
        energies = np.stack([np.square(each).sum(-1) for each in levels], axis=-1)
        return flat(energies / energies.sum(-1, keepdims=True) if relative else energies)

    return reference


def wavelet_case(length: int, axes: int, *given: Any) -> Case:
    wavelet, level, mode, relative = given
    name = f"WaveletEnergy {wavelet} {mode}{' relative' * relative} {length}x{axes}"
    reference = wavelets(wavelet, mode, level, relative)
    return Case(name, WaveletEnergy(*given), noise(length, axes), reference, "PyWavelets", 5e-7)


WAVELETS = (
    wavelet_case(32, 1, "haar", None, "periodization", False),
    wavelet_case(100, 6, "db2", None, "symmetric", False),
    wavelet_case(256, 3, "db4", 4, "symmetric", True),
    wavelet_case(1001, 2, "db4", None, "periodization", False),
    wavelet_case(4096, 3, "db3", 6, "symmetric", False),
)

CASES = (*SPECTRA, *OVER_TIME, *FILTERS, *WAVELETS)
