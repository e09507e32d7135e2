"""What became of each variant of a bundle, as rows of a table, and what must be true of them."""

from dataclasses import dataclass

import numpy as np
import onnxruntime

from converter import ConvertedBundle
from edge_runtime import Model

MAX_WEIGHTS = 0.27  # of fp32's: 8 bits in place of 32, and a scale for each channel


@dataclass(frozen=True)
class Outcome:
    """One variant, in the bundle or tried and dropped; why says which.

    Ratios are over the fp32 variant's: of the file, of the quantized layers' weights, of the time of one
    row on this machine. None where there is nothing to compare or nothing was measured. drop: accuracy
    that it loses, with the bounds of its 95 % interval.
    """

    name: str
    precision: str
    size_bytes: int | None
    size: float | None
    weights: float | None
    accuracy: float | None
    drop: tuple[float, float, float] | None
    time: float | None
    kept: bool
    why: str


def outcomes(bundle: ConvertedBundle) -> tuple[Outcome, ...]:
    """fp32 first, then those that were tried, the fastest first."""
    assert bundle.manifest.evaluation is not None
    (fp32,) = (each for each in bundle.manifest.variants if each.id == "fp32")
    accuracy = bundle.manifest.evaluation.accuracy
    found = [
        Outcome("fp32", "fp32", fp32.size_bytes, 1.0, None, accuracy, None, 1.0, True, "always kept")
    ]
    for tried in bundle.tried:
        lost = tried.accuracy
        found.append(
            Outcome(
                tried.id,
                tried.precision,
                tried.size_bytes,
                tried.size_ratio,
                tried.weights_ratio,
                None if lost is None else lost.found,
                None if lost is None else (lost.drop, lost.low, lost.high),
                tried.time_ratio,
                tried.kept,
                tried.why,
            )
        )
    return tuple(found)


def claims(
    bundle: ConvertedBundle, device: Model, inputs: np.ndarray, *, allowed: float
) -> dict[str, bool]:
    """What an example promises of its bundle, and whether it held.

    device: the saved bundle, loaded. inputs: held out, those that the variants were judged on.
    """
    found = {each.name: each for each in outcomes(bundle)}
    kept = [each for each in found.values() if each.kept]
    drops = [each.drop[0] for each in kept if each.drop]
    weights = [each.weights for each in kept if each.weights and each.precision == "int8"]
    first = found[bundle.manifest.variants[0].id]
    return {
        f"no variant that was kept loses more than {allowed:g} of accuracy": max(drops, default=0.0)
        <= allowed,
        f"int8 was kept, and its weights take at most {MAX_WEIGHTS:g} of fp32's": bool(weights)
        and max(weights) <= MAX_WEIGHTS,
        f"{first.name}, which runs here, is not slower than fp32": first.time is not None
        and first.time <= 1.0,
        "the loaded bundle says of every held-out input what the tested graph says": np.array_equal(
            device.predict(inputs), _called(bundle, device.variant.file, inputs)
        ),
    }


def _called(bundle: ConvertedBundle, file: str, inputs: np.ndarray) -> np.ndarray:
    """Class names by the graph that was tested, without edge-runtime around it."""
    session = onnxruntime.InferenceSession(bundle.artifacts[file], providers=["CPUExecutionProvider"])
    (labels,) = session.run(["label"], {session.get_inputs()[0].name: inputs})
    return np.array(bundle.manifest.classes)[labels]
