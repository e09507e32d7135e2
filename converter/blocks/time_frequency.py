"""Spectra over time: spectrogram, log-mel and MFCC. Conventions are those of librosa."""

import warnings
from typing import Any

import numpy as np

from converter.blocks import signals
from converter.blocks.base import Array, BlockError
from converter.blocks.fourier import Dft, Float64, side_by_side
from converter.blocks.framing import OverTime
from converter.blocks.mel import cosine_transform, mel_weights
from converter.blocks.parameters import check_choice, check_flag
from converter.tracing import ops

_DB = 10 / np.log(10)  # decibels a natural logarithm of power


class Spectrogram(OverTime, auto_wrap_output_keys=None):
    """The spectrum of each frame, as `librosa.stft` computes it: no scaling, no mean taken out.

    Parameters
    ----------
    n_fft : samples of a frame and points of its transform.
    hop_length : samples from one frame to the next; None: a quarter of win_length.
    win_length : samples of the window function, in the middle of a frame; None: n_fft.
    window : as `scipy.signal.get_window` takes it, periodic.
    center : put n_fft // 2 samples before and after, so that frame t is around sample t * hop_length.
    pad_mode : what those are: "constant" (zeros), "reflect" or "edge", as `numpy.pad`.
    scale : "magnitude", abs(stft); "power", its square; "db", 10 log10(max(amin, power)).
    amin : least power of "db".
    top_db : of "db": nothing is more than this below an axis' largest value; None: no limit.

    Gives windows (n, frames, axes * bins), float32, bins 0 to n_fft // 2, axis by axis, named
    axis0_bin3. A magnitude is within 1e-6 of the largest one in the answer, a power within 2e-6; hence
    a value of "db" that is d decibels below the largest one within 2e-5 * 10**(d / 20).
    Raises BlockError for windows shorter than a frame (unless center) and parameters out of range.
    """

    stem = "bin"

    def __init__(
        self,
        n_fft: int = 2048,
        *,
        hop_length: int | None = None,
        win_length: int | None = None,
        window: str | tuple[Any, ...] = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        scale: str = "power",
        amin: float = 1e-10,
        top_db: float | None = 80.0,
    ) -> None:
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.scale = scale
        self.amin = amin
        self.top_db = top_db

    def learn_bins(self, taper: Float64) -> None:
        check_choice("Spectrogram: scale", self.scale, ("magnitude", "power", "db"))
        _check_decibels("Spectrogram", self.amin, self.top_db)
        bins = np.arange(self.n_fft // 2 + 1)
        self.dft_ = Dft.of("Spectrogram", taper, self.n_fft, bins, np.ones(len(bins)))

    def compute(self, x: Array) -> Array:
        found = self.dft_.power(self.framed(x))
        if self.scale == "magnitude":
            found = np.sqrt(found)
        if self.scale == "db":
            found = _logarithm(found, self.amin, self.top_db) * np.float32(_DB)
        return side_by_side(found)

    def names(self, inputs: list[str]) -> list[str]:
        return self.numbered(inputs, range(self.n_fft // 2 + 1))


class LogMel(OverTime, auto_wrap_output_keys=None):
    """The power in bands of the mel scale over time, in decibels.

    As `librosa.power_to_db(librosa.feature.melspectrogram(...), ref=1.0)` of each axis alone.

    Parameters
    ----------
    rate_hz : sampling rate, librosa's `sr`.
    n_mels, fmin, fmax : bands, and where the first begins and the last ends, in Hz; None: rate_hz / 2.
    n_fft, hop_length, win_length, window, center, pad_mode : as in Spectrogram; librosa's hop is 512.
    htk : the HTK Book's scale in place of Slaney's.
    norm : "slaney" gives each band the area 1; None gives each the height 1.
    amin : least power.
    top_db : nothing is more than this below an axis' largest value; None: no limit.

    Gives windows (n, frames, axes * n_mels), float32, axis by axis, named axis0_mel3. A band whose
    strongest bin is d decibels below the window's strongest is within 2e-5 * 10**(d / 20) decibels of
    float64's: 0.02 at 60, of a whisper beside a shout. A recording with a large constant part loses
    that much: take it out first (Butterworth, Detrend).
    Raises BlockError for windows shorter than a frame (unless center) and parameters out of range; warns
    of bands too narrow to hold a bin.
    """

    stem = "mel"

    def __init__(
        self,
        rate_hz: float,
        n_mels: int = 128,
        *,
        fmin: float = 0.0,
        fmax: float | None = None,
        n_fft: int = 2048,
        hop_length: int | None = 512,
        win_length: int | None = None,
        window: str | tuple[Any, ...] = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        htk: bool = False,
        norm: str | None = "slaney",
        amin: float = 1e-10,
        top_db: float | None = 80.0,
    ) -> None:
        self.rate_hz = rate_hz
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.htk = htk
        self.norm = norm
        self.amin = amin
        self.top_db = top_db

    def learn_bins(self, taper: Float64) -> None:
        weights = self._weights()
        bins = np.flatnonzero(weights.any(axis=1))
        if not len(bins):
            raise BlockError(
                f"{self._name}: no band from fmin to fmax holds one of the transform's bins: give n_fft "
                "more samples, fewer n_mels, or a wider range."
            )
        self.dft_ = Dft.of(self._name, taper, self.n_fft, bins, np.ones(len(bins)))
        self.mixture_ = self.dft_.mixture(weights[bins])

    def compute(self, x: Array) -> Array:
        return side_by_side(self.logarithms(x) * np.float32(_DB))

    def logarithms(self, x: Array) -> Array:
        """Natural ones of the bands' powers: (n, axes, frames, n_mels)."""
        return _logarithm(self.dft_.mixed(self.framed(x), self.mixture_), self.amin, self.top_db)

    def names(self, inputs: list[str]) -> list[str]:
        return self.numbered(inputs, range(self.n_mels))

    def _weights(self) -> Float64:
        name = self._name
        rate = signals.rate(name, self.rate_hz)
        half = ", half of rate_hz"
        fmax = signals.number(
            f"{name}: fmax", rate / 2 if self.fmax is None else self.fmax, 0, rate / 2, half
        )
        fmin = signals.number(f"{name}: fmin", self.fmin, 0, fmax, ", fmax")
        if fmin >= fmax:
            raise BlockError(f"{name}: expected fmin below fmax, found {fmin:g} and {fmax:g} Hz.")
        signals.whole(f"{name}: n_mels", self.n_mels, 1, 1_024)
        check_flag(f"{name}: htk", self.htk)
        if self.norm is not None:
            check_choice(f"{name}: norm", self.norm, ("slaney",))
        _check_decibels(name, self.amin, self.top_db)
        weights = mel_weights(
            rate, self.n_fft, self.n_mels, fmin, fmax, htk=self.htk, slaney=self.norm is not None
        )
        empty = np.flatnonzero(~weights.any(axis=0))
        if 0 < len(empty) < self.n_mels:
            warnings.warn(
                f"{name}: bands {', '.join(map(str, empty[:5]))}{', ...' * (len(empty) > 5)} hold no "
                "bin and never change: give n_fft more samples, or fewer n_mels.",
                stacklevel=4,
            )
        return weights


class MFCC(LogMel, auto_wrap_output_keys=None):
    """Mel-frequency cepstral coefficients over time: the cosine transform of log-mel's bands.

    As `librosa.feature.mfcc(..., dct_type=2, norm="ortho", lifter=0)` of each axis alone.

    Parameters
    ----------
    rate_hz : sampling rate, librosa's `sr`.
    n_mfcc : how many coefficients, at most n_mels.
    others : as in LogMel.

    Gives windows (n, frames, axes * n_mfcc), float32, axis by axis, named axis0_mfcc0. Errors are
    LogMel's, added up over the bands; within 1e-6 of the largest coefficient for bands that are not
    more than 40 dB apart. Raises what LogMel raises.
    """

    stem = "mfcc"

    def __init__(
        self,
        rate_hz: float,
        n_mfcc: int = 20,
        *,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        n_fft: int = 2048,
        hop_length: int | None = 512,
        win_length: int | None = None,
        window: str | tuple[Any, ...] = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        htk: bool = False,
        norm: str | None = "slaney",
        amin: float = 1e-10,
        top_db: float | None = 80.0,
    ) -> None:
        super().__init__(
            rate_hz, n_mels, fmin=fmin, fmax=fmax, n_fft=n_fft, hop_length=hop_length,
            win_length=win_length, window=window, center=center, pad_mode=pad_mode, htk=htk, norm=norm,
            amin=amin, top_db=top_db,
        )  # fmt: skip
        self.n_mfcc = n_mfcc

    def learn_bins(self, taper: Float64) -> None:
        super().learn_bins(taper)
        signals.whole("MFCC: n_mfcc", self.n_mfcc, 1, self.n_mels, ", n_mels")
        self.transform_ = (cosine_transform(self.n_mels, self.n_mfcc) * _DB).astype(np.float32)

    def compute(self, x: Array) -> Array:
        return side_by_side(np.matmul(self.logarithms(x), self.transform_))

    def names(self, inputs: list[str]) -> list[str]:
        return self.numbered(inputs, range(self.n_mfcc))


def _logarithm(power: Array, amin: float, top_db: float | None) -> Array:
    """The natural one of (n, axes, frames, k), with a floor and a largest distance to the peak."""
    found = np.log(np.maximum(power, np.float32(amin)))
    if top_db is None:
        return found
    peak = ops.largest(ops.largest(found, axis=3, keepdims=True), axis=2, keepdims=True)
    return np.maximum(found, peak - np.float32(top_db / _DB))


def _check_decibels(block: str, amin: Any, top_db: Any) -> None:
    signals.number(f"{block}: amin", amin, 1e-30, 1e30, ", a power")
    if top_db is not None:
        signals.number(f"{block}: top_db", top_db, 0.0, 1e4, " dB, or None")
