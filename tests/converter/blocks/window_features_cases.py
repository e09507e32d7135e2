"""WindowFeatures against numpy in float64."""

import numpy as np

from converter.blocks import WindowFeatures
from tests.converter.blocks.cases import Case, noise


def _in_float64(windows: np.ndarray) -> np.ndarray:
    wide, length = windows.astype(np.float64), windows.shape[1]
    spectrum = np.abs(np.fft.rfft(wide, axis=1))[:, 1:21] * 2 / length
    parts = [wide.mean(1), wide.std(1), np.sqrt((wide**2).mean(1)), wide.min(1), wide.max(1)]
    return np.concatenate([*parts, spectrum.reshape(len(wide), -1)], axis=1)


CASES = (
    Case("WindowFeatures", WindowFeatures(), noise(100, 6), _in_float64, "numpy", 2e-6),
)  # fmt: skip
