"""The demo's picture: the signal, what it was called, how long each call took."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from ledgers import Window
from train import RATE_HZ

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Patch

# Okabe and Ito's palette: told apart by colour-blind readers too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_GREYS = ("#222222", "#777777", "#bbbbbb")
_BESIDE: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}


def draw(
    path: Path,
    recordings: np.ndarray,
    truth: Sequence[str],
    windows: Sequence[Window],
    incidents: Mapping[str, int],
) -> None:
    """Write a PNG. `recordings`: float32 (recordings, samples, axes); `truth`: a label each;
    `incidents`: what happened, and the number of the sample that was played at that moment."""
    figure, panels = plt.subplots(
        3, 1, figsize=(13, 8.5), sharex=True, height_ratios=(3, 1.3, 2), layout="constrained"
    )
    _signal(panels[0], recordings)
    _labels(panels[1], truth, windows, recordings.shape[1])
    _latency(panels[2], windows)
    for what, sample in incidents.items():
        for panel in panels:
            panel.axvline(sample / RATE_HZ, color="#555555", linewidth=0.9, linestyle=":")
        at = (sample / RATE_HZ, 1.02)
        panels[0].annotate(
            what, at, xycoords=("data", "axes fraction"), rotation=45, fontsize=9, color="#333333"
        )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _signal(panel: plt.Axes, recordings: np.ndarray) -> None:
    signal = recordings.reshape(-1, recordings.shape[2])
    seconds = np.arange(len(signal)) / RATE_HZ
    for axis, name, colour in zip(range(3), "xyz", _GREYS, strict=True):
        panel.plot(seconds, signal[:, axis], linewidth=0.6, color=colour, label=f"accelerometer {name}")
    panel.set_ylabel("acceleration")
    panel.legend(loc="lower left", ncols=3, frameon=False)
    # The padding is for the incidents' names, which stand between the title and the panel.
    panel.set_title("BasicMotions, held-out half, played as one stream at ten times real time", pad=82)


def _labels(panel: plt.Axes, truth: Sequence[str], windows: Sequence[Window], recording: int) -> None:
    """`recording`: its length in samples."""
    colours = dict(zip(sorted(set(truth)), _COLOURS, strict=False))
    for index, label in enumerate(truth):
        span = (index * recording / RATE_HZ, recording / RATE_HZ)
        panel.broken_barh([span], (1.1, 0.8), color=colours[label])
    for window in windows:
        straddles = window.first // recording != window.last // recording
        panel.plot(
            (window.first + window.last) / 2 / RATE_HZ,
            0.25 if straddles else 0.7,
            marker="|",
            markersize=11,
            markeredgewidth=2.2,
            color=colours.get(window.label, "black"),
        )
    panel.set_yticks((0.25, 0.7, 1.5), ("straddles two recordings", "inside one recording", "truth"))
    panel.set_ylim(0, 2.0)
    panel.legend(handles=[Patch(color=c, label=n) for n, c in colours.items()], **_BESIDE)


def _latency(panel: plt.Axes, windows: Sequence[Window]) -> None:
    for version, marker in zip(sorted({w.version for w in windows}), "ox", strict=False):
        chosen = [w for w in windows if w.version == version]
        ends, taken = [w.last / RATE_HZ for w in chosen], [w.latency_us for w in chosen]
        style = {"s": 14, "marker": marker, "color": _GREYS[0], "linewidths": 0.8}
        panel.scatter(ends, taken, label=f"version {version}", **style)
    panel.set_ylim(bottom=0)
    panel.set_ylabel("inference latency (µs)")
    panel.set_xlabel("seconds of recording")
    panel.legend(**_BESIDE)
