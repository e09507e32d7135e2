"""A Keras network for images: quantize it, judge it on images it never saw, make the same bundle again.

    python examples/04_digit_images/example.py [FOLDER]

Three parts of scikit-learn's digits: the network learns the first, and ranges of quantized numbers come
from it; variants are judged and chosen by the second; the third has the last word. Which variant pays is
measured, so the bundle writes down what was chosen: with that, the conversion is repeated byte for byte.
The exit status is 0 only if every claim that is printed held in this run. It writes the bundle, its
report and a picture of its variants into FOLDER, by default `example-output/`.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from train import parts, trained
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
    training, judged, unseen = parts()
    convert = partial(
        converter.convert,
        trained(training),
        judged.images,
        judged.labels,
        name="digits",
        version="1.0.0",
        calibration=training.images[:200],
        max_accuracy_drop=ALLOWED,
        boards=BOARDS,
    )
    bundle = convert()
    found = outcomes(bundle)
    print(table(found), end="\n\n")
    key, root = keys(output / "keys")
    path = bundle.save(output / "digits-1.0.0.edge", signing_key=key)
    (output / "digits.html").write_text(bundle.report_html())
    draw(found, ALLOWED, output / "digits-variants.png")
    with edge_runtime.load(path, trust=root) as device:
        held = claims(bundle, device, judged.images, allowed=ALLOWED)
        right = device.predict(unseen.images) == unseen.labels.astype(str)
    held["it is right about at least 97 % of the images that nothing was chosen by"] = (
        right.mean() >= 0.97
    )
    again = convert(choices=path)
    held["what was chosen makes the same bundle again, byte for byte"] = (
        again.to_bytes(signing_key=key) == path.read_bytes()
    )
    print(verdicts(held))
    print(f"{'measured':<9}right about {right.sum()} of {len(right)} images that nothing was chosen by")
    print(f"{'wrote':<9}{path}, digits.html and digits-variants.png")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT))
