"""Spectral preprocessing inside the model: train, convert for three boards, predict, compare.

    python examples/02_spectral_blocks/example.py [FOLDER]

The recordings are real: an accelerometer and a gyroscope on a wrist, four activities. The preprocessing,
band power, peaks and cepstrum of each axis, is part of the bundle, and a second variant of it is what
TensorRT takes. The exit status is 0 only if every claim that is printed held in this run. It writes the
bundle and a picture of what the model sees into FOLDER, by default `example-output/`.
"""

import sys
import time
from pathlib import Path

import numpy as np
from plot import draw
from train import CHANNELS, RATE_HZ, model, recordings

import converter
import edge_runtime

OUTPUT = Path(__file__).parents[2] / "example-output"
BOARDS = ("pi4", "orin-nano", "rtx-50")


def main(output: Path) -> int:
    output.mkdir(parents=True, exist_ok=True)
    pipeline = model().fit(*recordings("train"))
    windows, labels = recordings("test")
    window = converter.WindowSpec(channels=CHANNELS, rate_hz=RATE_HZ, stride=25)
    bundle = converter.convert(
        pipeline, windows, labels, name="activity", version="1.0.0", window=window, boards=BOARDS
    )
    print(bundle.report(), end="\n\n")
    path = bundle.save(output / "activity-1.0.0.edge")
    draw(windows, labels, output / "activities.png")
    with edge_runtime.load(path, allow_unsigned=True) as device:
        found = device.predict(windows)
        ratio = _median_s(pipeline.predict, windows) / _median_s(device.predict, windows)
    claims = {
        "the bundle says what scikit-learn says of all 40 held-out windows": np.array_equal(
            found, pipeline.predict(windows)
        ),
        "both are right about at least 39 of them": int(np.sum(found == labels)) >= 39,
        "there is a variant for TensorRT beside the plain one": len(bundle.manifest.variants) == 2,
    }
    for claim, held in claims.items():
        print(f"{'held' if held else 'NOT HELD':<9}{claim}")
    print(f"{'measured':<9}one window takes scikit-learn {ratio:,.0f} times as long as the bundle")
    print(f"{'wrote':<9}{path} and {output / 'activities.png'}")
    return 0 if all(claims.values()) else 1


def _median_s(predict: object, windows: np.ndarray) -> float:
    """Seconds of a prediction about one window, on rotating windows."""
    taken = []
    for at in range(100):
        one = windows[at % len(windows)][None]
        began = time.perf_counter()
        predict(one)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT))
