"""The pipeline that cold_start.py and jitter.py run: window features, scaler, forest of 100."""

from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from converter.blocks import WindowFeatures

RECORDINGS = Path(__file__).parents[1] / "examples" / "data" / "basic_motions" / "basic_motions.npz"
STRIDE = 5


def train() -> tuple[Pipeline, list[np.ndarray]]:
    """The fitted pipeline, and the held-out windows, each a batch of one."""
    with np.load(RECORDINGS) as recordings:
        windows, labels = recordings["train_windows"], recordings["train_labels"]
    pipeline = make_pipeline(
        WindowFeatures(), StandardScaler(), RandomForestClassifier(100, random_state=0)
    ).fit(windows, labels)
    return pipeline, [each[None].copy() for each in held_out()]


def held_out() -> np.ndarray:
    """Real windows (n, 100, 6), cut every 5 samples from recordings that nothing was trained on."""
    with np.load(RECORDINGS) as recordings:
        windows = recordings["test_windows"]
    stream, length = windows.reshape(-1, windows.shape[2]), windows.shape[1]
    starts = range(0, len(stream) - length + 1, STRIDE)
    return np.stack([stream[at : at + length] for at in starts])


def convert(pipeline: Pipeline) -> converter.ConvertedBundle:
    """What `train` fitted, converted with the held-out recordings."""
    with np.load(RECORDINGS) as recordings:
        inputs, labels = recordings["test_windows"], recordings["test_labels"]
    return converter.convert(pipeline, inputs, labels, name="motion", version="1.0.0")
