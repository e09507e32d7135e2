"""The mel scale and the cepstrum's transform, as constants; librosa's conventions."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

# Slaney's Auditory Toolbox (Interval Research, 1998-010): linear to 1 kHz, then 27 steps to 6.4 kHz.
_LINEAR_HZ, _BREAK_HZ, _LOG_STEP = 200.0 / 3, 1000.0, np.log(6.4) / 27


def hz_to_mel(hz: Float64, *, htk: bool) -> Float64:
    """Slaney's scale, or that of the HTK Book: 2595 log10(1 + f / 700)."""
    if htk:
        return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))
    above = _BREAK_HZ / _LINEAR_HZ + np.log(np.maximum(hz, 1e-9) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, above)


def mel_to_hz(mel: Float64, *, htk: bool) -> Float64:
    """The inverse of hz_to_mel."""
    if htk:
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_HZ / _LINEAR_HZ))
    return np.where(mel < _BREAK_HZ / _LINEAR_HZ, mel * _LINEAR_HZ, above)


def mel_weights(
    rate_hz: float, n_fft: int, n_mels: int, fmin: float, fmax: float, *, htk: bool, slaney: bool
) -> Float64:
    """Triangles over bins, (n_fft // 2 + 1, n_mels); with `slaney` each has the area 1.

    The transpose of `librosa.filters.mel`, in float64.
    """
    ends = hz_to_mel(np.array([fmin, fmax], np.float64), htk=htk)
    edges = mel_to_hz(np.linspace(ends[0], ends[1], n_mels + 2), htk=htk)
    bins = np.arange(n_fft // 2 + 1) * rate_hz / n_fft
    away = edges[None, :] - bins[:, None]
    widths = np.diff(edges)
    rising, falling = -away[:, :-2] / widths[:-1], away[:, 2:] / widths[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    found: Float64 = weights * 2.0 / (edges[2:] - edges[:-2]) if slaney else weights
    return found


def cosine_transform(n_mels: int, n_mfcc: int) -> Float64:
    """The first n_mfcc columns of the orthonormal DCT-II, (n_mels, n_mfcc)."""
    k = np.arange(n_mfcc)
    angles = np.pi * np.outer(2 * np.arange(n_mels) + 1, k) / (2 * n_mels)
    found: Float64 = np.cos(angles) * np.sqrt(np.where(k == 0, 1.0, 2.0) / n_mels)
    return found
