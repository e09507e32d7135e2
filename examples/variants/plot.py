"""A picture of what each variant costs: accuracy, size and time."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from variants.outcome import Outcome

KEPT, DROPPED, LIMIT = "#2b6cb0", "#c3c9d1", "#c05621"


def draw(found: Sequence[Outcome], allowed: float, path: Path) -> None:
    """A line for each variant that could be made; what was dropped is grey."""
    shown = [each for each in found if each.size is not None]
    figure, (lost, size, time) = plt.subplots(
        1, 3, figsize=(11, 0.8 + 0.4 * len(shown)), sharey=True, layout="constrained"
    )
    for at, each in enumerate(shown):
        colour = KEPT if each.kept else DROPPED
        drop, low, high = each.drop or (0.0, 0.0, 0.0)
        lost.errorbar(drop, at, xerr=[[drop - low], [high - drop]], fmt="o", color=colour, capsize=3)
        for axis, ratio in ((size, each.size), (time, each.time)):
            if ratio is None:
                axis.text(0.02, at, "not measured", va="center", color="grey", fontsize=8)
            else:
                axis.barh(at, ratio, color=colour)
    lost.axvline(allowed, color=LIMIT, linestyle="--")
    lost.locator_params(axis="x", nbins=4)
    lost.set_xlabel(f"accuracy lost, 95 % interval; {allowed:g} allowed")
    size.set_xlabel("file, of fp32's")
    time.set_xlabel("time of one input here, of fp32's")
    for axis in (size, time):
        axis.axvline(1.0, color=LIMIT, linestyle="--")
    lost.set_yticks(range(len(shown)), [each.name for each in shown])
    lost.invert_yaxis()
    figure.savefig(path, dpi=110)
    plt.close(figure)
