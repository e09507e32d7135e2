"""The demo's picture: the signal, what it was called, how long each call took."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from ledgers import Window
from train import RATE_HZ

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Patch

# Okabe and Ito's palette: told apart by colour-blind readers too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def draw(
    path: Path,
    recordings: np.ndarray,
    truth: Sequence[str],
    windows: Sequence[Window],
    incidents: Mapping[str, int],
) -> None:
    """Write a PNG. `recordings`: float32 (recordings, samples, axes); `truth`: a label each;
    `incidents`: what happened, and the number of the sample that was played at that moment."""
    colours = dict(zip(sorted(set(truth)), _COLOURS, strict=False))
    recording, signal = recordings.shape[1], recordings.reshape(-1, recordings.shape[2])
    figure, (top, middle, bottom) = plt.subplots(
        3, 1, figsize=(13, 8.5), sharex=True, height_ratios=(3, 1.3, 2), layout="constrained"
    )
    seconds = np.arange(len(signal)) / RATE_HZ
    for axis, name, colour in zip(range(3), "xyz", ("#222222", "#777777", "#bbbbbb"), strict=True):
        top.plot(seconds, signal[:, axis], linewidth=0.6, color=colour, label=f"accelerometer {name}")
    top.set_ylabel("acceleration")
    top.legend(loc="lower left", ncols=3, frameon=False)
    top.set_title("BasicMotions, held-out half, played as one stream at ten times real time", pad=82)

    for index, label in enumerate(truth):
        span = (index * recording / RATE_HZ, recording / RATE_HZ)
        middle.broken_barh([span], (1.1, 0.8), color=colours[label])
    for window in windows:
        straddles = window.first // recording != window.last // recording
        middle.plot(
            (window.first + window.last) / 2 / RATE_HZ,
            0.25 if straddles else 0.7,
            marker="|",
            markersize=11,
            markeredgewidth=2.2,
            color=colours.get(window.label, "black"),
        )
    rows = ("straddles two recordings", "inside one recording", "truth")
    middle.set_yticks((0.25, 0.7, 1.5), rows)
    middle.set_ylim(0, 2.0)
    middle.legend(
        handles=[Patch(color=c, label=n) for n, c in colours.items()],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
    )

    for version, marker in zip(sorted({w.version for w in windows}), "ox", strict=False):
        chosen = [w for w in windows if w.version == version]
        bottom.scatter(
            [w.last / RATE_HZ for w in chosen],
            [w.latency_us for w in chosen],
            s=14,
            marker=marker,
            color="#222222",
            linewidths=0.8,
            label=f"version {version}",
        )
    bottom.set_ylim(bottom=0)
    bottom.set_ylabel("inference latency (µs)")
    bottom.set_xlabel("seconds of recording")
    bottom.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for what, sample in incidents.items():
        for panel in (top, middle, bottom):
            panel.axvline(sample / RATE_HZ, color="#555555", linewidth=0.9, linestyle=":")
        top.annotate(
            what,
            (sample / RATE_HZ, 1.02),
            xycoords=("data", "axes fraction"),
            rotation=45,
            fontsize=9,
            color="#333333",
        )
    figure.savefig(path, dpi=110)
    plt.close(figure)
