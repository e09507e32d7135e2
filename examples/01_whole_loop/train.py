"""Train the example's two models on the training half of the recordings: `python train.py FOLDER`."""

import sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from converter.blocks import WindowFeatures

RECORDINGS = Path(__file__).parents[1] / "data" / "basic_motions" / "basic_motions.npz"
CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
RATE_HZ = 10.0
RECORDING_LENGTH = 100


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Windows float32 (40, 100, 6) and labels (40,) that no model here was trained on."""
    with np.load(RECORDINGS) as recordings:
        return recordings["test_windows"], recordings["test_labels"]


def train(trees: int) -> Pipeline:
    """The whole model, preprocessing included: windows (n, 100, 6) in, one of four activities out."""
    with np.load(RECORDINGS) as recordings:
        windows, labels = recordings["train_windows"], recordings["train_labels"]
    pipeline = make_pipeline(
        WindowFeatures(),
        StandardScaler(),
        RandomForestClassifier(trees, random_state=0),
    )
    return pipeline.fit(windows, labels)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, trees in (("motion-1.0.0", 100), ("motion-1.1.0", 150)):
        joblib.dump(train(trees), folder / f"{name}.joblib")
        print(f"trained {name}: {trees} trees")
