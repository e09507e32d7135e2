"""A Keras network for a smart watch: train, quantize, judge each variant, sign, load, predict.

    python examples/03_motion_cnn/example.py [FOLDER]

The recordings are real: an accelerometer and a gyroscope on a wrist, four activities. The network
learns half of the recordings; ranges of quantized numbers come from that half, too. Every variant is
judged on the other half, and kept if it is accurate enough and pays in time or size. The exit status is
0 only if every claim that is printed held in this run. It writes the bundle, its report and a picture of
its variants into FOLDER, by default `example-output/`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from train import CHANNELS, RATE_HZ, STRIDE, trained, windows
from variants.outcome import claims, outcomes
from variants.plot import draw
from variants.signing import keys
from variants.table import table, verdicts

import converter
import edge_runtime

OUTPUT = Path(__file__).parents[2] / "example-output"
BOARDS = ("x86-64", "orin-nano")
ALLOWED = 0.01


def main(output: Path) -> int:
    output.mkdir(parents=True, exist_ok=True)
    inputs, labels = windows("train")
    names = np.unique(labels)
    model = trained(inputs, labels, names)
    held_out, truth = windows("test")
    bundle = converter.convert(
        model,
        held_out,
        truth,
        name="motion",
        version="1.0.0",
        classes=names,
        window=converter.WindowSpec(channels=CHANNELS, rate_hz=RATE_HZ, stride=STRIDE),
        calibration=inputs[::2],
        max_accuracy_drop=ALLOWED,
        boards=BOARDS,
    )
    found = outcomes(bundle)
    print(table(found), end="\n\n")
    key, root = keys(output / "keys")
    path = bundle.save(output / "motion-1.0.0.edge", signing_key=key)
    (output / "motion.html").write_text(bundle.report_html())
    draw(found, ALLOWED, output / "motion-variants.png")
    with edge_runtime.load(path, trust=root) as device:
        held = claims(bundle, device, held_out, allowed=ALLOWED)
        right = int(np.sum(device.predict(held_out) == truth))
    held["it is right about at least 235 of the 240 held-out windows"] = right >= 235
    print(verdicts(held))
    print(f"{'wrote':<9}{path}, motion.html and motion-variants.png")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT))
