"""Sketches of the data a model was trained on, small enough to travel: what a device measures drift by.

Specified in docs/bundle-format.md; the reasons are in docs/adr/0018-reference-sketches.md.
"""

from typing import Literal

import msgspec

from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.errors import BundleError

FORMAT: Literal[1] = 1
MAX_BYTES = 2 << 20


class Numbers(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="numbers"):
    """How the numbers of one feature, axis or output lie.

    tensor, index: of which input or output (its meaning; of several values its name), and where along
    its axes. name: for people. count, missing: how many there were, and how many NaN beside them.
    edges: float32, ascending; counts[i] of the numbers are below edges[i] and not below edges[i - 1], so
    there is one count more than edges. min, max, mean: None where there is none.
    """

    tensor: str
    index: int
    name: str
    count: int
    missing: int
    min: float | None
    max: float | None
    mean: float | None
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Categories(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="categories"):
    """How often each label, or each of the most frequent texts, occurs; `others`: all the rest."""

    tensor: str
    index: int
    name: str
    count: int
    missing: int
    counts: dict[str, int]
    others: int


Sketch = Numbers | Categories


class Sketches(msgspec.Struct, frozen=True, kw_only=True):
    """Of `rows` inputs from training, and of the source model's outputs for them.

    left_out: how many features and outputs have no sketch because there are too many.
    """

    format: Literal[1]
    rows: int
    inputs: tuple[Sketch, ...]
    outputs: tuple[Sketch, ...]
    left_out: int


# Made with the module: msgspec 0.22 crashes where two threads are the first to decode one type.
_SKETCHES = msgspec.json.Decoder(Sketches)


def encode(sketches: Sketches) -> bytes:
    """Canonical JSON."""
    return canonical_json(msgspec.to_builtins(sketches))


def decode(raw: bytes) -> Sketches:
    """Read sketches. Raises BundleError for what is too large or does not fit together."""
    if len(raw) > MAX_BYTES:
        raise BundleError(f"sketches: expected at most {MAX_BYTES} bytes, found {len(raw)}.")
    try:
        found = _SKETCHES.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"sketches: {error}.") from error
    for sketch in (*found.inputs, *found.outputs):
        if isinstance(sketch, Numbers) and not _is_histogram(sketch):
            raise BundleError(f"sketches: the counts and edges of {sketch.name!a} do not fit together.")
    return found


def _is_histogram(sketch: Numbers) -> bool:
    ascends = all(a < b for a, b in zip(sketch.edges, sketch.edges[1:], strict=False))
    bins = len(sketch.counts) == len(sketch.edges) + 1
    return ascends and bins and sum(sketch.counts) == sketch.count
