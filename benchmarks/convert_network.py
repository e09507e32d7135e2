"""How long the conversion of MobileNetV2 takes and how much memory, with all that can be made of it.

    python benchmarks/convert_network.py [--quick] [--no-save]

The model: Keras's MobileNetV2 of 3.5 million parameters for images (224, 224, 3) and 1,000 classes, with
random weights (networks.py). One `convert` traces it, writes ONNX, proves parity on 64 images, quantizes
with 64 more, measures what it tried, lowers it for TensorRT and has plans built. Each run is a process
of its own, with the libraries' own number of threads.

time      from one message of `progress` to the next; imports of what the conversion needs count
memory    the peak above what the process held with the model before, by the kernel's count

Bound: under two minutes. Writes benchmarks/results/convert_network-DATE.md and .json.
"""

import json
import subprocess
import sys
import time
from typing import Any

import click
import numpy as np
from machine import describe_machine, in_words, load_average, save, today
from memory import MIB, forget_peak, resident
from networks import mobilenet
from tables import table

import converter

MAX_SECONDS = 120.0
BOARDS = ("x86-64", "orin-nano")
OTHERS = ("keras", "tf2onnx", "tensorrt-rtx-cu13-libs")


@click.command(help=__doc__.splitlines()[0])
@click.option("--quick", is_flag=True, help="One run in place of three.")
@click.option("--save/--no-save", "keep", default=True, help="Write the result into benchmarks/results.")
@click.option("--child", is_flag=True, hidden=True, help="Convert once, in this process.")
def main(quick: bool, keep: bool, child: bool) -> None:
    if child:
        click.echo(json.dumps(convert()))
        return
    load_before = load_average()
    command = [sys.executable, __file__, "--child"]
    runs = [
        json.loads(subprocess.check_output(command).splitlines()[-1]) for _ in range(1 if quick else 3)
    ]
    result = {"date": today(), "machine": describe_machine(load_before, *OTHERS), "runs": runs}
    text = report(result)
    click.echo(text)
    if keep:
        save("convert_network", result, text)


def convert() -> dict[str, Any]:
    """Seconds of each step, memory, and what became of each variant."""
    network = mobilenet()
    steps: list[tuple[str, float]] = [("reading the arguments", time.perf_counter())]
    before = resident("VmRSS")
    forget_peak()
    bundle = converter.convert(
        network.model, network.inputs, network.labels, name="mobilenet", version="1.0.0", boards=BOARDS,
        quantize=True, calibration=network.calibration,
        progress=lambda message: steps.append((message, time.perf_counter())),
    )  # fmt: skip
    peak, ended = resident("VmHWM"), time.perf_counter()
    starts = [at for _, at in steps]
    return {
        "seconds": ended - starts[0],
        "steps": [
            {"step": message, "seconds": until - at}
            for (message, at), until in zip(steps, [*starts[1:], ended], strict=True)
        ],
        "added_mib": (peak - before) / MIB,
        "model_mib": network.model.count_params() * 4 / MIB,
        "bundle_mib": len(bundle.to_bytes()) / MIB,
        "variants": [
            {
                "id": each.id,
                "bytes": each.size_bytes,
                "labels": each.parity.label_disagreements,
                "difference": each.parity.max_abs_error,
                "allowed": each.parity.tolerance,
            }
            for each in bundle.manifest.variants
        ],
        "dropped": {each.id: each.why for each in bundle.tried if not each.kept},
        "notes": list(bundle.notes),
    }


def report(result: dict[str, Any]) -> str:
    runs = result["runs"]
    slowest = max(runs, key=lambda run: run["seconds"])
    kept = "kept" if slowest["seconds"] <= MAX_SECONDS else "missed"
    added = float(np.median([run["added_mib"] for run in runs]))
    steps = table(
        ("step", "seconds", "share"),
        [
            [each["step"], f"{each['seconds']:.1f}", f"{each['seconds'] / slowest['seconds']:.0%}"]
            for each in slowest["steps"]
        ],
    )
    variants = table(
        ("variant", "bytes", "labels that differ", "largest difference", "allowed"),
        [
            [each["id"], f"{each['bytes']:,}", str(each["labels"]), f"{each['difference']:.1e}",
             f"{each['allowed']:.1e}"]
            for each in slowest["variants"]
        ],
    )  # fmt: skip
    notes = "\n".join(f"- {note}" for note in slowest["notes"])
    dropped = "\n".join(f"- {name}: {why}" for name, why in slowest["dropped"].items()) or "None."
    return f"""# Conversion of MobileNetV2, {result["date"]}

{in_words(result["machine"], *OTHERS)}

Made by `benchmarks/convert_network.py`, which says what is measured: random weights, images of
224 x 224, 1,000 classes, boards {" and ".join(BOARDS)}.

The slowest of {len(runs)} took {slowest["seconds"]:.0f} s; the bound of {MAX_SECONDS:.0f} s is {kept}.
At its peak a conversion added {added:,.0f} MiB to what the process held with the model, whose weights
are {slowest["model_mib"]:.1f} MiB; the bundle is {slowest["bundle_mib"]:.1f} MiB.

## Steps of the slowest run

{steps}

## Variants in the bundle, against Keras

{variants}

## Tried and not kept

{dropped}

## Boards

{notes}
"""


if __name__ == "__main__":
    main()
