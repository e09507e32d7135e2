"""What a conversion was proved on, kept for its report: differences row by row, and latency here.

Times are no part of a bundle, whose bytes are the same again; they are measured when a report is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.bundling import GRAPH
from converter.evaluate import values_of
from converter.inputs import Rows
from converter.parity import differences
from converter.source import Tensors
from converter.variant import loaded, run
from edge_runtime.bundle.manifest import Manifest, Variant
from edge_runtime.engine.base import Values
from edge_runtime.engine.bench import Latency, answered, measure_rows, rotating_rows
from edge_runtime.model import Model

_ROWS = 512
_SECONDS = 0.3


@dataclass(frozen=True)
class Evidence:
    """The held-out inputs, the source model's answers, and the truth where labels were given.

    whole: the graphs of variants for TensorRT by id, in one piece, as ONNX Runtime ran them.
    """

    rows: Rows
    expected: Tensors
    truth: NDArray[Any] | None = None
    whole: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A variant beside its source, in ONNX Runtime on this machine.

    differences: (inputs,), the largest absolute difference of probabilities, values or score of a row;
        None for a model that gives labels only. residuals: of a regression whose truth is known, value
        less truth, of all outputs; else None. latency: None of one for TensorRT, which was not run.
    """

    variant: Variant
    differences: NDArray[np.float64] | None
    residuals: NDArray[np.float64] | None
    latency: Latency | None


def measured(manifest: Manifest, artifacts: dict[str, bytes], evidence: Evidence) -> Iterator[Measured]:
    """Each variant, answering the held-out inputs and timed on rotating single rows, one thread.

    One for TensorRT answers as the graph that it was cut from, in ONNX Runtime.
    """
    for variant in manifest.variants:
        alone, files = _in_onnxruntime(manifest, artifacts, variant, evidence.whole)
        with loaded(alone, files) as model:
            found = run(model, evidence.rows)
            latency = None
            if variant.engine == "onnxruntime":
                latency = measure_rows(model.predict, rows_to_time(model, evidence.rows), _SECONDS)
        _, apart = differences(evidence.expected, found)
        has_numbers = evidence.expected.keys() != {"label"}
        residuals = None
        if manifest.task == "regression" and evidence.truth is not None:
            residuals = (values_of(found) - evidence.truth).ravel()
        yield Measured(variant, apart if has_numbers else None, residuals, latency)


def rows_to_time(model: Model, held_out: Rows) -> list[Values]:
    """Held-out inputs and points between two of them, that a model answers, each a batch of one."""
    rows = held_out.take(slice(_ROWS))
    given = rotating_rows(rows.given)
    return answered(model.predict, given) if model.manifest.refusals else given


def _in_onnxruntime(
    manifest: Manifest, artifacts: dict[str, bytes], variant: Variant, whole: dict[str, bytes]
) -> tuple[Manifest, dict[str, bytes]]:
    """The bundle of this variant alone; one for TensorRT as the graph that it was cut from."""
    files = dict(artifacts)
    if variant.engine == "tensorrt":
        files[GRAPH] = whole[variant.id]
        variant = msgspec.structs.replace(
            variant, engine="onnxruntime", file=GRAPH, host="", profile=None
        )
    return msgspec.structs.replace(manifest, variants=(variant,)), files
