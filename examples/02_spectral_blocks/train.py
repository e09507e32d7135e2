"""A model of spectra: which of four activities a smart watch's wearer was doing."""

from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from converter.blocks import MFCC, BandPower, Magnitude, SpectralPeaks, Statistics

RECORDINGS = Path(__file__).parents[1] / "data" / "basic_motions" / "basic_motions.npz"
CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
RATE_HZ = 10.0
BANDS_HZ = ((0.2, 1.0), (1.0, 2.0), (2.0, 3.5), (3.5, 5.0))


def recordings(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows float32 (40, 100, 6), 10 s each, and their labels (40,); `part` is train or test."""
    with np.load(RECORDINGS) as found:
        return found[f"{part}_windows"], found[f"{part}_labels"]


def model() -> Pipeline:
    """Windows in, activity out. Blocks chain, and stand side by side, as any transformers do."""
    watch = Magnitude(groups=((0, 1, 2), (3, 4, 5)), append=True)
    cepstrum = MFCC(RATE_HZ, n_mfcc=6, n_mels=10, n_fft=40, hop_length=20)
    features = make_union(
        Statistics(("mean", "std", "iqr")),
        BandPower(RATE_HZ, BANDS_HZ, nperseg=50),
        SpectralPeaks(RATE_HZ, n_peaks=2),
        make_pipeline(cepstrum, Statistics(("mean", "std"))),
    )
    forest = ExtraTreesClassifier(100, random_state=0)
    return make_pipeline(watch, features, StandardScaler(), forest)
