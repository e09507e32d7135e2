"""From converted parts to a bundle: manifest, artifacts, goldens."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from converter.digests import digest, rows_digest
from converter.frontends.base import SourceModel
from converter.graph import IR_VERSION, OPSETS
from converter.inputs import Labels, Rows, with_missing_text
from converter.requirements import of_onnxruntime
from converter.source import Tensors, keys_of
from converter.window import WindowSpec
from edge_runtime.bundle.manifest import (
    FORMAT,
    MAX_RELEASE,
    Golden,
    Input,
    Manifest,
    Output,
    Parity,
    Provenance,
    Step,
    Variant,
    Window,
    check_name,
    default_release,
)
from edge_runtime.errors import ConfigError, InputError

UNPROVEN = Parity(inputs=0, label_disagreements=0, near_ties=0, max_abs_error=0.0, tolerance=0.0)


def file_of(variant: str, name: str = "model.onnx") -> str:
    """Where a variant's file lies in a bundle; variant: its id."""
    return f"variants/{variant}/{name}"


GRAPH = file_of("fp32")


@dataclass(frozen=True)
class Identity:
    """What a bundle is called. `release` grows with every bundle a device should move on to; below
    `floor` a device that has confirmed this one never goes back."""

    name: str
    version: str
    release: int
    floor: int


def identity(name: str, version: str, release: int | None, floor: int = 0) -> Identity:
    """Check a bundle's name, version, release and floor; by default the release follows the version.

    Raises ConfigError, or ManifestError for what is no name or no version.
    """
    for what, given in (("name", name), ("version", version)):
        if not isinstance(given, str):
            raise ConfigError(f"{what}: expected a text, found {given!r}.")
    for what, number in (("release", 0 if release is None else release), ("floor", floor)):
        if not isinstance(number, int):
            raise ConfigError(f"{what}: expected a whole number, found {number!r}.")
    check_name(name)
    default = default_release(version) if release is None else release
    if not 0 <= default <= MAX_RELEASE:
        raise ConfigError(f"release: expected 0 to {MAX_RELEASE}, found {default}.")
    if not 0 <= floor <= default:
        raise ConfigError(
            f"floor: expected 0 to {default}, this bundle's own release, found {floor}. Give the lowest "
            "release that may still run once this one is confirmed."
        )
    return Identity(name, version, default, floor)


def window_of(spec: WindowSpec | None, shape: tuple[int, ...]) -> Window | None:
    """The manifest's window for inputs of `shape`; None for plain rows, images and several inputs.

    Raises ConfigError when the author's statement does not fit the inputs.
    """
    if len(shape) != 2:
        if spec is not None:
            found = {0: "several inputs", 1: "rows of features"}.get(len(shape), "images")
            raise ConfigError(
                f"window: this model takes {found}, not windows. Leave it out, or train with "
                "a block such as WindowFeatures."
            )
        return None
    spec = spec or WindowSpec()
    length, axes = shape
    channels = tuple(spec.channels) or tuple(str(axis) for axis in range(axes))
    stride = length if spec.stride is None else spec.stride
    if len(channels) != axes or len(set(channels)) < axes or not all(channels):
        raise ConfigError(
            f"window: expected {axes} different channel names, one an axis, found {list(channels)}."
        )
    if stride < 1:
        raise ConfigError(f"window: expected a stride of at least 1 sample, found {stride!r}.")
    if spec.rate_hz is not None and not 0 < spec.rate_hz < float("inf"):
        raise ConfigError(f"window: expected a rate above 0 Hz, found {spec.rate_hz}.")
    rate = None if spec.rate_hz is None else float(spec.rate_hz)
    return Window(channels=channels, length=length, stride=stride, rate_hz=rate)


def single_graph(
    named: Identity,
    source: SourceModel,
    *,
    onnx: bytes,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
    refusals: tuple[str, ...] = (),
    steps: tuple[Step, ...] = (),
    exact: str = "",
    window: Window | None = None,
    opsets: Mapping[str, int] = OPSETS,
    ir_version: int = IR_VERSION,
) -> Manifest:
    """A manifest of one fp32 variant for ONNX Runtime, with nothing proven yet."""
    versions = {domain or "ai.onnx": number for domain, number in opsets.items()}
    return Manifest(
        format=FORMAT,
        name=named.name,
        version=named.version,
        release=named.release,
        floor=named.floor,
        task=source.task,
        classes=source.class_names,
        labels=source.labels,
        inputs=inputs,
        outputs=outputs,
        refusals=refusals,
        window=window,
        preprocessing=steps,
        variants=(
            Variant(
                id="fp32",
                engine="onnxruntime",
                precision="fp32",
                file=GRAPH,
                opsets=versions,
                ir_version=ir_version,
                size_bytes=len(onnx),
                exact=exact,
                parity=UNPROVEN,
                requires=of_onnxruntime(versions, ir_version),
            ),
        ),
        golden=Golden(
            count=1,
            inputs=_golden_inputs(inputs),
            outputs=tuple(f"golden/outputs/{i}.npy" for i in range(len(outputs))),
            tolerance=0.0,
        ),
        evaluation=None,
        provenance=Provenance(source=source.describe(), libraries={}, inputs_sha256=""),
    )


def variant_of(raw: bytes, *, id: str, precision: Any, exact: str, parity: Parity) -> Variant:  # noqa: A002
    """A further variant for ONNX Runtime, kept under its id."""
    opsets, ir_version = needs_of(raw)
    return Variant(
        id=id,
        engine="onnxruntime",
        precision=precision,
        file=file_of(id),
        opsets=opsets,
        ir_version=ir_version,
        size_bytes=len(raw),
        exact=exact,
        parity=parity,
        requires=of_onnxruntime(opsets, ir_version),
    )


def needs_of(raw: bytes) -> tuple[dict[str, int], int]:
    """A graph's operator sets, versions by domain, ONNX's own being "ai.onnx"; and its IR version."""
    model: Any = onnx.load_from_string(raw)
    return {each.domain or "ai.onnx": each.version for each in model.opset_import}, model.ir_version


def _golden_inputs(inputs: tuple[Input, ...]) -> tuple[str, ...]:
    """A file each; a table's columns of one dtype lie side by side in one."""
    if any(given.shape != (None,) for given in inputs):
        return tuple(f"golden/inputs/{at}.npy" for at in range(len(inputs)))
    dtypes = list(dict.fromkeys(given.dtype for given in inputs))
    return tuple(f"golden/inputs/{dtypes.index(given.dtype)}.npy" for given in inputs)


def golden_files(manifest: Manifest, rows: Rows, expected: Tensors) -> dict[str, bytes]:
    """The golden inputs and the source model's outputs to them as `.npy` files, by artifact name."""
    columns: dict[str, list[NDArray[Any]]] = {}
    for name, given in zip(manifest.golden.inputs, manifest.inputs, strict=True):
        array = rows.arrays[given.name]
        columns.setdefault(name, []).append(
            with_missing_text(array) if array.dtype.kind == "O" else array
        )
    files = {
        name: _npy(arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=1))
        for name, arrays in columns.items()
    }
    keys = keys_of(manifest.outputs)
    for name, output in zip(manifest.golden.outputs, manifest.outputs, strict=True):
        # No golden is a row that the source refuses.
        tensor = expected.get(keys[output.name], np.zeros(len(rows)))
        files[name] = _npy(tensor.astype(output.dtype))
    return files


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def provenance(source: SourceModel, rows: Rows, labels: Labels | None) -> Provenance:
    """What the bundle was made of: enough to make it again and to notice other data."""
    libraries = ["edge-runtime", "numpy", "onnx", "onnxruntime", *source.libraries]
    return Provenance(
        source=source.describe(),
        libraries={library: _installed(library) for library in libraries},
        inputs_sha256=rows_digest(rows),
        labels_sha256="" if labels is None else digest(labels),
    )


def _installed(library: str) -> str:
    try:
        return installed(library)
    except PackageNotFoundError:  # xgboost-cpu is xgboost under another name
        return installed(f"{library}-cpu")


def check_golden_count(count: int) -> None:
    if not 1 <= count <= 256:
        raise InputError(f"golden_count: expected 1 to 256, found {count}.")
