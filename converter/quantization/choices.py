"""What was chosen, as a file that makes the same bundle again: `choices.json`, in the bundle itself.

Which variant pays is measured, and a measurement is never the same twice; so the choice is written down.
`convert(..., choices=…)` makes the variants that it names, as it says, and measures no time.
"""

import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge_runtime.bundle import open_bundle
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.errors import ConfigError, StorageError

FILE = "choices.json"
FORMAT = 1
_MAX_BYTES = 1 << 20

Method = Literal["float32", "stored", "dynamic", "static", "half"]


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one variant is made of the model's graph.

    method: `float32` computes in float32 what fp32 computes in float64; `stored` keeps weights as
        `precision` and computes in float32; `half` computes in float16; `dynamic` quantizes activations
        as they come, `static` by ranges that calibration found.
    calibration: of `static`: minmax, entropy or percentile. excluded: its layers that stay in float32.
    """

    id: str
    engine: Literal["onnxruntime", "tensorrt"]
    precision: Literal["fp32", "fp16", "int16", "int8"]
    method: Method
    calibration: Literal["", "minmax", "entropy", "percentile"] = ""
    excluded: tuple[str, ...] = ()


class Choices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The variants of a bundle beside fp32 and TensorRT's, which are always the same.

    recipes: of what was kept, of each engine the preferred first. before_fp32: how many of those for
    onnxruntime are preferred to fp32. unproven: ids of those nobody has measured where they are to run.
    calibration_sha256: digest of the calibration inputs, "" where none were given.
    """

    format: int
    recipes: tuple[Recipe, ...] = ()
    before_fp32: int = 0
    unproven: tuple[str, ...] = ()
    calibration_sha256: str = ""

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(msgspec.to_builtins(self))


def read_choices(given: Any) -> Choices:
    """Choices themselves, their bytes, or the path of a `choices.json` or of the bundle that holds one.

    Raises ConfigError for what is none, StorageError or BundleError for a file that cannot be read.
    """
    if isinstance(given, Choices):
        return given
    if isinstance(given, bytes):
        return _decoded(given, "choices")
    if not isinstance(given, str | os.PathLike):
        raise ConfigError(
            f"choices: expected bytes or a path, found {type(given).__name__}. Give the path of a "
            f"bundle, or of its {FILE}."
        )
    path = Path(given)
    if path.suffix == ".edge":
        return _in_bundle(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: expected choices of at most {_MAX_BYTES} bytes, found more.")
        raw = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}.") from error
    return _decoded(raw, str(path))


def _in_bundle(path: Path) -> Choices:
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        if FILE not in bundle.names:
            raise ConfigError(
                f"{path}: expected a bundle whose variants were chosen by measuring; it has no {FILE}. "
                "Convert with --quantize first."
            )
        return _decoded(bundle.read(FILE), f"{path}: {FILE}")


def _decoded(raw: bytes, what: str) -> Choices:
    try:
        found = msgspec.json.decode(raw, type=Choices)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{what}: expected choices as a conversion wrote them, found: {error}."
        ) from error
    ids = [recipe.id for recipe in found.recipes]
    fault = ""
    if found.format != FORMAT:
        fault = f"format {found.format}, and this version knows {FORMAT}"
    elif len(set(ids)) < len(ids) or "fp32" in ids:
        fault = f"the ids {ids}, not all different and none of them fp32"
    elif not 0 <= found.before_fp32 <= sum(each.engine == "onnxruntime" for each in found.recipes):
        fault = f"{found.before_fp32} variants before fp32"
    if fault:
        raise ConfigError(f"{what}: expected choices as a conversion wrote them, found {fault}.")
    return found
