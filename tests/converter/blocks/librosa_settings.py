"""What librosa was asked, by scripts/librosa-references, in its own words."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Setting:
    """kind: "magnitude", "power" or "db" of `librosa.stft`, "mel" or "mfcc" of librosa.feature.

    amin and top_db are those of `librosa.power_to_db`; what is not given is librosa's default.
    """

    kind: str
    length: int
    axes: int
    options: dict[str, Any]


SETTINGS = {
    "Spectrogram magnitude 1000x3": Setting("magnitude", 1000, 3, {"n_fft": 256, "hop_length": 200}),
    "Spectrogram power 600x1, not centred": Setting(
        "power", 600, 1, {"n_fft": 128, "win_length": 100, "window": "hamming", "center": False}
    ),
    "Spectrogram db 4096x1, reflected": Setting(
        "db", 4096, 1, {"n_fft": 1024, "hop_length": 512, "pad_mode": "reflect", "top_db": 60.0}
    ),
    "LogMel 4000x2 at 16 kHz": Setting(
        "mel", 4000, 2, {"sr": 16000, "n_fft": 512, "hop_length": 160, "n_mels": 40}
    ),
    "LogMel 2000x1, HTK, not centred": Setting(
        "mel", 2000, 1,
        {"sr": 16000, "n_fft": 400, "hop_length": 160, "n_mels": 26, "htk": True, "norm": None,
         "center": False, "top_db": None},
    ),
    "LogMel 8000x1, librosa's defaults": Setting("mel", 8000, 1, {"sr": 22050}),
    "MFCC 22050x1, librosa's defaults": Setting("mfcc", 22050, 1, {"sr": 22050}),
    "MFCC 8000x1 at 8 kHz": Setting(
        "mfcc", 8000, 1,
        {"sr": 8000, "n_mfcc": 13, "n_mels": 26, "n_fft": 256, "win_length": 200, "hop_length": 80,
         "fmin": 20.0, "fmax": 3800.0},
    ),
    "MFCC 4096x3 of vibration": Setting(
        "mfcc", 4096, 3,
        {"sr": 4000, "n_mfcc": 12, "n_mels": 32, "n_fft": 551, "hop_length": 221, "pad_mode": "edge"},
    ),
}  # fmt: skip


def recordings(setting: Setting) -> np.ndarray:
    """Two windows of tones, noise and a decay, float32 (2, length, axes), as the script used them."""
    rng = np.random.default_rng(setting.length)
    time = np.arange(setting.length)[:, None] / setting.length
    tones = sum(
        np.sin(2 * np.pi * cycles * (time + 0.1 * time**2) + rng.uniform(0, 6, (2, 1, setting.axes)))
        for cycles in (5, 31, 110)
    )
    noise = rng.normal(scale=0.1, size=(2, setting.length, setting.axes))
    return ((tones + noise) * np.exp(-2 * time)).astype(np.float32)
