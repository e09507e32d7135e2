"""Sketches of training inputs and of what the model says of them, for drift."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.digests import rows_digest
from converter.frontends.base import SourceModel
from converter.inputs import Rows, is_missing
from converter.source import Answer
from edge_runtime.bundle.manifest import Manifest, Reference
from edge_runtime.bundle.sketches import FORMAT, Categories, Numbers, Sketch, Sketches, encode

FILE = "reference/sketches.json"
_BINS = 10  # deciles, as the population stability index has them
_MAX_TEXTS = 16
_MAX_TEXT = 64
_MAX_SKETCHES = 512  # of inputs, and of outputs: at most about 300 kB
_MAX_ASKED = 10_000  # rows that the source model is asked about: it may be slow


@dataclass(frozen=True)
class _Column:
    """Numbers, texts, or indices into `classes`, and where they stand."""

    values: NDArray[Any]
    tensor: str
    index: int
    name: str
    classes: tuple[str, ...] = ()


def referenced(
    manifest: Manifest, source: SourceModel, rows: Rows
) -> tuple[dict[str, bytes], Reference]:
    """The file of sketches of `rows`, training inputs, and what the manifest says of it."""
    described = Reference(file=FILE, rows=len(rows), inputs_sha256=rows_digest(rows))
    return {FILE: encode(sketched(manifest, source, rows))}, described


def sketched(manifest: Manifest, source: SourceModel, rows: Rows) -> Sketches:
    """Of `rows`, training inputs, and of the source model's answers, to at most 10,000 of them."""
    asked = rows
    if len(rows) > _MAX_ASKED:
        asked = rows.take(np.linspace(0, len(rows) - 1, _MAX_ASKED).astype(np.int64))
    inputs, outputs = list(_of_inputs(manifest, rows)), list(_of_outputs(manifest, source.run(asked)))
    kept = [[_sketch(column) for column in _spread(each)] for each in (inputs, outputs)]
    return Sketches(
        format=FORMAT,
        rows=len(rows),
        inputs=tuple(kept[0]),
        outputs=tuple(kept[1]),
        left_out=len(inputs) + len(outputs) - len(kept[0]) - len(kept[1]),
    )


def _spread(columns: list[_Column]) -> list[_Column]:
    """All, or as many as a bundle may carry, evenly spread."""
    if len(columns) <= _MAX_SKETCHES:
        return columns
    return [columns[at] for at in np.linspace(0, len(columns) - 1, _MAX_SKETCHES).astype(int)]


def _of_inputs(manifest: Manifest, rows: Rows) -> Iterator[_Column]:
    """One a column, feature, or axis; of a window or image an axis' samples or pixels count alike."""
    channels = manifest.window.channels if manifest.window else ()
    for tensor, array in rows.arrays.items():
        columns = array.reshape(-1, 1 if array.ndim == 1 else array.shape[-1])
        for index in range(columns.shape[1]):
            name = tensor if rows.is_table else (channels[index] if channels else str(index))
            yield _Column(columns[:, index], tensor, index, name)


def _of_outputs(manifest: Manifest, answer: Answer) -> Iterator[_Column]:
    """One a label, class, value or score."""
    labels = [(label.name, label.classes) for label in manifest.labels] or [("label", manifest.classes)]
    for tensor, values in answer.tensors.items():
        columns = values.reshape(len(values), -1)
        if tensor == "label":
            for index, (name, classes) in enumerate(labels):
                yield _Column(columns[:, index], tensor, index, name, classes)
            continue
        for index, name in _names_of(tensor, values, labels).items():
            yield _Column(columns[:, index], tensor, index, name)


def _names_of(
    tensor: str, values: NDArray[np.float64], labels: list[tuple[str, tuple[str, ...]]]
) -> dict[int, str]:
    """What the places of an output, all axes in one, are called; filled-up probabilities are none."""
    if tensor != "probabilities":
        return {index: str(index) for index in range(values[0].size)}
    width = values.shape[-1]
    several = len(labels) > 1
    return {
        j * width + i: f"{label}: {name}" if several else name
        for j, (label, classes) in enumerate(labels)
        for i, name in enumerate(classes)
    }


def _sketch(column: _Column) -> Sketch:
    if column.classes:
        counts = np.bincount(column.values, minlength=len(column.classes)).tolist()
        return _categories(column, dict(zip(column.classes, counts, strict=True)), len(column.values))
    return _texts(column) if column.values.dtype.kind == "O" else _numbers(column)


def _numbers(column: _Column) -> Numbers:
    """Edges are deciles that occur in the data, so that they are float32 and computed alike anywhere."""
    largest = float(np.finfo(np.float32).max)
    known = np.clip(column.values.astype(np.float64), -largest, largest).astype(np.float32)
    ordered = np.sort(known[~np.isnan(known)])
    count = len(ordered)
    places = (np.arange(1, _BINS) * count + _BINS - 1) // _BINS - 1  # the inverted distribution function
    edges = np.unique(ordered[places]) if count else ordered
    below = np.searchsorted(ordered, edges, side="left")
    counts = np.diff(np.concatenate([[0], below, [count]]))
    return Numbers(
        tensor=column.tensor,
        index=column.index,
        name=column.name,
        count=count,
        missing=len(known) - count,
        min=_short(ordered[0]) if count else None,
        max=_short(ordered[-1]) if count else None,
        mean=_short(np.float32(ordered.mean(dtype=np.float64))) if count else None,
        edges=tuple(_short(edge) for edge in edges),
        counts=tuple(counts.tolist()),
    )


def _short(value: np.float32) -> float:
    """The double with the fewest digits that rounds to this float32."""
    shortest = float(str(value))
    return shortest if np.float32(shortest) == value else float(value)


def _texts(column: _Column) -> Categories:
    known = column.values[~is_missing(column.values)].tolist()
    counts = Counter(text for text in known if len(text) <= _MAX_TEXT and _is_unicode(text))
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MAX_TEXTS]
    return _categories(column, dict(frequent), len(known))


def _categories(column: _Column, counts: dict[str, int], known: int) -> Categories:
    return Categories(
        tensor=column.tensor,
        index=column.index,
        name=column.name,
        count=known,
        missing=len(column.values) - known,
        counts=counts,
        others=known - sum(counts.values()),
    )


def _is_unicode(text: str) -> bool:
    """Whether it has no lone surrogate, which no JSON text holds."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
