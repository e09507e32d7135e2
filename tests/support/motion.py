"""The example's recordings and the model trained on their first half."""

from functools import cache
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from converter.blocks import WindowFeatures

RECORDINGS = Path(__file__).parents[2] / "examples" / "data" / "basic_motions" / "basic_motions.npz"
CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


def recordings(half: str) -> tuple[np.ndarray, np.ndarray]:
    """`train` or `test`: windows float32 (40, 100, 6) and their labels, text (40,)."""
    with np.load(RECORDINGS) as file:
        return file[f"{half}_windows"], file[f"{half}_labels"]


@cache
def motion_model(trees: int = 100) -> Pipeline:
    """Window features, a scaler and a forest, fitted on the training half."""
    model = make_pipeline(
        WindowFeatures(), StandardScaler(), RandomForestClassifier(trees, random_state=0)
    )
    return model.fit(*recordings("train"))
