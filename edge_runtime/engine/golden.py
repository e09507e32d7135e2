"""Golden inputs: proof, on the very machine, that a model gives the source model's outputs."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from edge_runtime.arrays import decode_npy
from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import MISSING_TEXT, Golden, Input, Manifest, Output, Variant
from edge_runtime.engine.base import Array, Values, matches, shape_text
from edge_runtime.errors import BundleError, GoldenMismatchError, InputError

Run = Callable[[Any], Sequence[Array]]


class GoldenResult(msgspec.Struct, frozen=True):
    """How a replay agreed.

    Attributes:
        count: golden inputs replayed.
        max_abs_error: the largest absolute difference of any output but labels.
        label_disagreements: labels that differ, and golden inputs that are refused.
    """

    count: int
    max_abs_error: float
    label_disagreements: int


def read_golden_inputs(bundle: Bundle) -> Values:
    """The golden inputs as a caller would give them: the one, of shape (count, ...), or each by name.

    A missing text is None. Raises BundleError.
    """
    inputs, golden = bundle.manifest.inputs, bundle.manifest.golden
    sharing: dict[str, list[Input]] = {}
    for file, each in zip(golden.inputs, inputs, strict=True):
        sharing.setdefault(file, []).append(each)
    found: dict[str, Array] = {}
    for file, columns in sharing.items():
        found |= _read_columns(bundle, file, golden, columns)
    return (
        found[inputs[0].name] if len(inputs) == 1 else {each.name: found[each.name] for each in inputs}
    )


def rows_of(values: Values) -> list[Values]:
    """The rows one by one, each a batch of one: views."""
    if isinstance(values, np.ndarray):
        return [values[at : at + 1] for at in range(len(values))]
    count = len(next(iter(values.values())))
    return [{name: column[at : at + 1] for name, column in values.items()} for at in range(count)]


def replay(bundle: Bundle, variant: Variant, run_batch: Run, run_row: Run) -> GoldenResult:
    """Run the golden inputs as one batch and then one by one, as a stream does, and compare.

    Raises GoldenMismatchError when a label differs, an input is refused, or another output differs by
    more than the variant's tolerance, an absolute one; BundleError when the golden files are not what
    the manifest says.
    """
    manifest = bundle.manifest
    inputs = read_golden_inputs(bundle)
    expected = [
        _read(bundle, name, manifest.golden, output)
        for name, output in zip(manifest.golden.outputs, manifest.outputs, strict=True)
    ]
    rows = [[array.copy() for array in run_row(row)] for row in rows_of(inputs)]
    one_by_one = [np.concatenate(column) for column in zip(*rows, strict=True)]
    results = [compare(manifest, expected, found) for found in (run_batch(inputs), one_by_one)]
    worst = GoldenResult(
        manifest.golden.count,
        float(max(result.max_abs_error for result in results)),
        max(result.label_disagreements for result in results),
    )
    tolerance = variant.parity.tolerance
    labels = "other labels or refused rows" if manifest.refusals else "other labels"
    if worst.label_disagreements or worst.max_abs_error > tolerance:
        raise GoldenMismatchError(
            f"{manifest.name} {manifest.version}: expected the source model's outputs for {worst.count} "
            f"golden inputs, found {worst.label_disagreements} {labels} and a largest error of "
            f"{worst.max_abs_error:.3g} (allowed: {tolerance:.3g}). It must not serve on this machine."
        )
    return worst


def compare(manifest: Manifest, expected: Sequence[Array], found: Sequence[Array]) -> GoldenResult:
    """Count labels that differ and find the largest error; where only one side is NaN it is infinite."""
    count, largest, disagreements = len(expected[0]), 0.0, 0
    for output, wanted, actual in zip(manifest.outputs, expected, found, strict=True):
        if output.meaning == "label":
            disagreements += int(np.count_nonzero(wanted != actual))
            continue
        if output.meaning == "refused":  # a golden input that is meant to be refused proves nothing
            disagreements += int(np.count_nonzero((wanted != 0) | (actual != 0)))
            continue
        same = (wanted == actual) | (np.isnan(wanted) & np.isnan(actual))
        with np.errstate(invalid="ignore"):
            errors = np.abs(np.subtract(wanted, actual, dtype=np.float64))
        largest = max(
            largest, float(np.where(same, 0.0, np.nan_to_num(errors, nan=np.inf)).max(initial=0))
        )
    return GoldenResult(count, largest, disagreements)


def _read_columns(bundle: Bundle, file: str, golden: Golden, columns: list[Input]) -> dict[str, Array]:
    """The inputs that a golden file holds: one, or columns of a table side by side."""
    first = columns[0]
    if len(columns) == 1:
        return {first.name: _read(bundle, file, golden, first)}
    together = msgspec.structs.replace(first, shape=(None, len(columns)))
    array = _read(bundle, file, golden, together)
    return {each.name: array[:, at].copy() for at, each in enumerate(columns)}


def _read(bundle: Bundle, name: str, golden: Golden, tensor: Input | Output) -> Array:
    try:
        array = decode_npy(bundle.read(name), name)
    except InputError as error:
        raise BundleError(f"{bundle.location}: {error}") from error
    shape = (golden.count, *tensor.shape[1:])
    kinds, what = ("U", "texts") if tensor.dtype == "string" else ("biuf", "numbers")
    if not matches(array.shape, shape) or array.dtype.kind not in kinds:
        raise BundleError(
            f"{bundle.location}: {name}: expected {what} of shape {shape_text(shape)}, found "
            f"{array.dtype} of shape {array.shape}. The bundle is broken: convert the model again."
        )
    if tensor.dtype == "string":
        array = array.astype(np.object_)
        array[array == MISSING_TEXT] = None
    return array
