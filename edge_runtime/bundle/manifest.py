"""The manifest: a bundle's signed table of contents, as canonical JSON.

Canonical means: UTF-8, keys sorted by code point, no white space, no duplicate keys, integers without
a fraction, other numbers in the shortest form that reads back to the same IEEE 754 double. A manifest
whose bytes differ from what `encode` would write is refused, so one content has one digest.
"""

import re
from typing import Annotated, Any, Literal

import msgspec

from edge_runtime.bundle.consistency import MAX_RELEASE, faults
from edge_runtime.bundle.evaluation import Accuracy, ClassScore, CrossValidation, Evaluation
from edge_runtime.bundle.layout import plain
from edge_runtime.errors import ManifestError

__all__ = [
    "FORMAT",
    "MAX_RELEASE",
    "MISSING_TEXT",
    "Accuracy",
    "ClassScore",
    "CrossValidation",
    "Dtype",
    "Evaluation",
    "File",
    "Golden",
    "Input",
    "Label",
    "Manifest",
    "Output",
    "Parity",
    "Profile",
    "Provenance",
    "Reference",
    "Step",
    "Task",
    "Variant",
    "Window",
    "canonical_json",
    "check",
    "check_name",
    "check_version",
    "decode",
    "default_release",
    "encode",
]

FORMAT = 1
MAX_MANIFEST_BYTES = 4 << 20
MAX_NESTING = 32
MAX_FAULT = 800  # characters: a manifest may be 4 MiB of one name
# What a missing text is to the graph: a noncharacter, which Unicode keeps for internal use (its
# chapter 23.7), so that no caller's text is equal to it.
MISSING_TEXT = "\uffff"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\Z")
_VERSION = re.compile(
    r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-[0-9a-z]+(?:[.-][0-9a-z]+)*)?\Z"
)

Task = Literal["classification", "regression", "clustering", "anomaly", "transformation"]
Dtype = Literal["float32", "float64", "int64", "int32", "uint8", "bool", "string"]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One input tensor; `shape[0]` is None: the batch.

    Where every input has the shape (None,) each is a column of a table; other models have one input, or
    several arrays of numbers that are found by name.

    `allow_nan`: whether a missing value (NaN; of texts, MISSING_TEXT) is one the model was made for.
    """

    name: str
    dtype: Dtype
    shape: tuple[int | None, ...]
    meaning: str = ""
    units: tuple[str, ...] = ()
    allow_nan: bool = False


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One output tensor. `meaning` says how it is read: a `label` is an index into the classes, a
    `score` an anomaly model's decision function, below 0 for an anomaly and lower for a worse one, and
    `refused` 0, or why the row has no answer: k for the k-th of the manifest's `refusals`. There may be
    several `value`s, told apart by name, and at most one output of each other meaning."""

    name: str
    dtype: Dtype
    shape: tuple[int | None, ...]
    meaning: Literal["label", "probabilities", "value", "score", "refused"]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One label of a model that gives several, and its classes in the order of indices."""

    name: str
    classes: tuple[str, ...]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive samples that make one input: `length` samples, a new window every `stride`."""

    channels: tuple[str, ...]
    length: int
    stride: int
    rate_hz: float | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One preprocessing step inside the graph, for people to read."""

    name: str
    parameters: dict[str, Any] = {}


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """How a variant agreed with the source model, on `inputs` rows the model was not trained on.

    `near_ties` of `label_disagreements` are rows where the source's own two best class scores differ
    by less than 1e-6, that is, by the rounding of a sum. `tolerance`: the largest absolute difference
    that goldens may have. `rounded_splits` are rows where a computed feature (behind a block) lies
    within rounding of a tree's threshold: the trees were shown to agree on the variant's own features;
    these rows do not count in `max_abs_error`.
    """

    inputs: int
    label_disagreements: int
    near_ties: int
    max_abs_error: float
    tolerance: float
    rounded_splits: int = 0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """TensorRT's optimization profile: how many rows one run has, at least, mostly, and at most."""

    min_rows: int
    opt_rows: int
    max_rows: int


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One runnable form of the model. `exact` names what is bit for bit the source's: `leaves` or ''.

    `engine`: what executes it; ours are onnxruntime and tensorrt, other packages bring others.
    `host`: of a variant for TensorRT whose model reads texts or float64, the ONNX file that ONNX Runtime
    runs first; its outputs are inputs of `file`, by name. `profile`: what TensorRT needs to know to
    build a plan; the precision is in the graph, which is strongly typed. `boards`: what it was made for.
    `accuracy`: of a quantized variant, what it loses. `unproven`: whether nobody has measured, on a
    machine like the one it is for, that it pays; a device prefers it once it has measured that itself.
    """

    id: str
    engine: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
    precision: Literal["fp32", "fp16", "int16", "int8"]
    file: str
    opsets: dict[str, int]
    ir_version: int
    size_bytes: int
    exact: str
    parity: Parity
    requires: dict[str, str] = {}
    host: str = ""
    profile: Profile | None = None
    boards: tuple[str, ...] = ()
    accuracy: Accuracy | None = None
    unproven: bool = False


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """Real inputs with the source model's outputs, one `.npy` file a tensor, in the manifest's order.

    `tolerance` is the strictest of the variants', for readers that know no others.
    """

    count: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tolerance: float


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The file of sketches of `rows` training inputs, for drift (`sketches.py`), and their digest."""

    file: str
    rows: int
    inputs_sha256: str


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    libraries: dict[str, str]
    inputs_sha256: str
    labels_sha256: str = ""


class File(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is. `release` is the security floor's counter; `files` lists all other artifacts.

    `floor`: once this bundle is confirmed on a device, no bundle of its name with a lower release may be
    activated there again, whatever was good before; 0 forbids nothing.
    A model of one label has `classes`, one of several has `labels`, and never both. `refusals` are the
    reasons for which the source model raises an error instead of answering, for people to read.
    """

    format: int
    name: str
    version: str
    release: int
    task: Task
    classes: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    window: Window | None
    preprocessing: tuple[Step, ...]
    variants: tuple[Variant, ...]
    golden: Golden
    evaluation: Evaluation | None
    provenance: Provenance
    files: dict[str, File] = {}
    labels: tuple[Label, ...] = ()
    refusals: tuple[str, ...] = ()
    reference: Reference | None = None
    floor: int = 0

    @property
    def has_labels(self) -> bool:
        """Whether it gives labels: a classification, a clustering or an anomaly model; else values."""
        return self.task in ("classification", "clustering", "anomaly")

    @property
    def is_table(self) -> bool:
        """Whether its inputs are the columns of a table."""
        return all(each.shape == (None,) for each in self.inputs)


def encode(manifest: Manifest) -> bytes:
    """Canonical JSON of a manifest."""
    return canonical_json(msgspec.to_builtins(manifest))


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value; also used for root files."""
    return msgspec.json.encode(value, order="sorted")


# Its types are made known with the module: msgspec 0.22 crashes where two threads are the first to ask.
msgspec.json.Decoder(Manifest)


def decode(raw: bytes) -> Manifest:
    """Read a manifest.

    Raises ManifestError when it is too large, not canonical, of an unknown format, or inconsistent.
    """
    if len(raw) > MAX_MANIFEST_BYTES:
        raise ManifestError(
            f"manifest.json: expected at most {MAX_MANIFEST_BYTES} bytes, found {len(raw)}. "
            "This file was not made by edge-runtime."
        )
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(f"manifest.json: expected JSON, found: {error}.") from error
    found = value.get("format") if isinstance(value, dict) else None
    if found != FORMAT:
        raise ManifestError(
            f"manifest.json: expected format {FORMAT}, found {plain(repr(found))}. "
            "Upgrade edge-runtime on this machine to read newer bundles."
        )
    if _unreasonable(value, MAX_NESTING):
        raise ManifestError(
            f"manifest.json: expected at most {MAX_NESTING} levels of nesting and integers of 64 bits, "
            "found more. This file was not made by edge-runtime."
        )
    if canonical_json(value) != raw:
        raise ManifestError("manifest.json: expected canonical JSON, found another spelling of it.")
    try:
        manifest = msgspec.convert(value, Manifest)
    except msgspec.ValidationError as error:
        raise ManifestError(f"manifest.json: {plain(str(error))}") from error
    check(manifest)
    return manifest


def check(manifest: Manifest) -> None:
    """Refuse a manifest whose parts do not fit together; raises ManifestError."""
    check_name(manifest.name)
    check_version(manifest.version)
    for what in faults(manifest):
        raise ManifestError(f"manifest.json: {plain(what, MAX_FAULT)}.")


def _unreasonable(value: Any, levels: int) -> bool:
    """Whether a JSON value nests deeper than this or holds an integer that no int64 can."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return levels == 0 or any(_unreasonable(item, levels - 1) for item in items)
    return isinstance(value, int) and not -(1 << 63) <= value < 1 << 63


def check_name(name: str) -> None:
    """A model's or device's name: it becomes a folder, a topic level and part of a file name."""
    if not _NAME.match(name):
        raise ManifestError(
            f"name {plain(repr(name))}: expected 1 to 64 of a-z, 0-9 and '-', with no '-' at either end."
        )


def check_version(version: str) -> None:
    if not _VERSION.match(version):
        raise ManifestError(
            f"version {plain(repr(version))}: expected a semantic version such as 1.0.0."
        )


def default_release(version: str) -> int:
    """A release counter that grows with the version: 1.2.3 becomes 1002003.

    Raises ManifestError when minor or patch exceed 999: then a release must be given.
    """
    check_version(version)
    major, minor, patch = (int(part) for part in version.split("-", maxsplit=1)[0].split("."))
    if minor > 999 or patch > 999:
        raise ManifestError(f"version {version}: minor and patch above 999 need an explicit release.")
    return (major * 1000 + minor) * 1000 + patch
