"""What the model sees: the power of one recording of each activity over time."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from train import RATE_HZ

from converter.blocks import LogMel, Magnitude

HOP, BANDS = 5, 16


def draw(windows: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """A panel for each activity: the accelerometer's magnitude in bands of the mel scale."""
    activities = np.unique(labels)
    accelerometer = windows[[np.flatnonzero(labels == each)[0] for each in activities], :, :3]
    magnitude = Magnitude().fit_transform(accelerometer)
    moving = magnitude - magnitude.mean(axis=1, keepdims=True)
    block = LogMel(RATE_HZ, BANDS, fmin=0.2, n_fft=40, hop_length=HOP, top_db=60.0)
    power = block.fit_transform(moving)
    figure, axes = plt.subplots(1, len(activities), figsize=(10, 2.8), sharey=True, layout="constrained")
    extent = (0, windows.shape[1] / RATE_HZ, 0, BANDS)
    for axis, name, frames in zip(axes, activities, power, strict=True):
        image = axis.imshow(
            frames.T, origin="lower", aspect="auto", extent=extent, vmin=-30, vmax=power.max()
        )
        axis.set_title(name)
        axis.set_xlabel("s")
    axes[0].set_yticks(range(0, BANDS + 1, 4))
    axes[0].set_ylabel("mel band, 0.2 to 5 Hz")
    figure.colorbar(image, ax=axes, label="dB")
    figure.savefig(path, dpi=110)
    plt.close(figure)
