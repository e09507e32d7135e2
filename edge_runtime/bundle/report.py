"""What `inspect` and `verify` print: a bundle for people to read. Values in, text out.

Everything shown comes from outside and may not be trusted, so what a terminal would act on is escaped.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import Evaluation, Input, Manifest, Variant
from edge_runtime.bundle.reader import Bundle
from edge_runtime.bundle.trust import Root

_MAX_LISTED = 40
_MAX_COLUMNS = 200
_MAX_TEXT = 200


def summary(bundle: Bundle) -> str:
    """All of a manifest that matters to people, about a page long."""
    manifest = bundle.manifest
    lines = [
        _plain(f"{manifest.name} {manifest.version}, release {manifest.release}: {manifest.task}"),
        *_identity(bundle),
        *_model(manifest),
        *_section("variants", [line for each in manifest.variants for line in _variant(each)]),
        *_section("evaluation", _evaluation(manifest.evaluation, manifest.classes)),
        *_section("origin", _origin(manifest)),
        *_section(
            "files",
            _cut([f"{_size(bundle.size_of(name)):>10}  {_plain(name)}" for name in bundle.names]),
        ),
    ]
    return "\n".join(lines)


def verdict(bundle: Bundle, root: Root, root_path: Path, checked_bytes: int) -> str:
    """What was trusted and why, after everything was checked."""
    manifest = bundle.manifest
    role, signers, expiry = root.bundle, len(bundle.key_ids), f"{root.expires:%Y-%m-%d}"
    lines = [
        f"verified: {manifest.name} {manifest.version}, release {manifest.release}",
        f"  digest   {bundle.digest}",
        *[f"  signed   by {name}" for name in bundle.key_ids],
        f"  trusted  by {root_path}, version {root.version}, which expires {expiry}:",
        f"           {role.threshold} of its {len(role.key_ids)} bundle keys must, {signers} did",
        f"  checked  {len(bundle.names)} files, {_size(checked_bytes)}: none altered, missing or added",
    ]
    return "\n".join(lines)


def _identity(bundle: Bundle) -> list[str]:
    signers = bundle.signed_by()
    return [
        f"digest   {bundle.digest}",
        f"size     {_size(bundle.size_bytes)} in {len(bundle.names)} files",
        *[f"signed   by {name} (not verified: use verify)" for name in signers],
        *([] if signers else ["signed   by nobody"]),
    ]


def _model(manifest: Manifest) -> Iterator[str]:
    if manifest.classes:
        yield from _section("classes", _cut([_plain(name) for name in manifest.classes]))
    labels = [_plain(f"{each.name}: {', '.join(each.classes)}") for each in manifest.labels]
    yield from _section("labels, and the classes of each", _cut(labels))
    yield from _table_of(manifest.inputs) if manifest.is_table else _inputs(manifest.inputs)
    described = [
        f"{_plain(each.name)}: {each.dtype} ({_shape(each.shape)}), {each.meaning}"
        for each in manifest.outputs
    ]
    yield from _section("outputs", _cut(described))
    refusals = [_plain(why) for why in manifest.refusals]
    yield from _section("refuses: rows that the source model raises an error for", _cut(refusals))
    if window := manifest.window:
        rate = "" if window.rate_hz is None else f" at {window.rate_hz:g} Hz"
        yield from _section(
            "window",
            [
                f"{window.length} samples{rate}, a new one every {window.stride}",
                f"channels {_plain(', '.join(window.channels))}",
            ],
        )
    steps = [
        _plain(f"{step.name} {json.dumps(step.parameters) if step.parameters else ''}")
        for step in manifest.preprocessing
    ]
    yield from _section("preprocessing, inside the model's graph", _cut(steps))


def _inputs(inputs: Sequence[Input]) -> list[str]:
    described = [
        f"{_plain(each.name)}: {each.dtype} ({_shape(each.shape)})"
        + (f", {_plain(each.meaning)}" if each.meaning else "")
        + (f", in {_plain(', '.join(each.units))}" if each.units else "")
        + (f", {_missing(each)}" if each.allow_nan else "")
        for each in inputs
    ]
    return _section("inputs", _cut(described))


def _table_of(inputs: Sequence[Input]) -> list[str]:
    rows = [
        [_plain(each.name), each.dtype, _missing(each) if each.allow_nan else "", _plain(each.meaning)]
        for each in inputs
    ]
    lines = _cut([line.rstrip() for line in _table(rows, numbers=False)], _MAX_COLUMNS)
    count = "one column" if len(inputs) == 1 else f"{len(inputs)} columns"
    return _section(f"inputs: a table of {count}, found by name", lines)


def _missing(declared: Input) -> str:
    return "missing allowed" if declared.dtype == "string" else "NaN allowed"


def _variant(variant: Variant) -> Iterator[str]:
    parity = variant.parity
    opsets = ", ".join(
        f"{name or 'ai.onnx'} {number}" for name, number in sorted(variant.opsets.items())
    )
    yield (
        f"{_plain(variant.id)}: {variant.precision} for {variant.engine}, {_size(variant.size_bytes)}, "
        f"{_plain(opsets)}, IR {variant.ir_version}"
        + (f", exact {_plain(variant.exact)}" if variant.exact else "")
    )
    yield (
        f"  parity on {parity.inputs} inputs: {parity.label_disagreements} labels differ "
        f"({parity.near_ties} of them near ties), largest error {parity.max_abs_error:.3g} "
        f"of {parity.tolerance:.3g} allowed"
        + (f"; {parity.rounded_splits} on a tree's threshold" if parity.rounded_splits else "")
    )
    for what, needed in sorted(variant.requires.items())[:_MAX_LISTED]:
        yield _plain(f"  requires {what} {needed}")


def _evaluation(evaluation: Evaluation | None, classes: Sequence[str]) -> Iterator[str]:
    if evaluation is None:
        yield "none: it was converted without labels"
        return
    scores = (
        ("accuracy", evaluation.accuracy),
        ("mean squared error", evaluation.mean_squared_error),
        ("mean absolute error", evaluation.mean_absolute_error),
        ("R²", evaluation.r2),
    )
    for what, score in scores:
        if score is not None:
            yield f"{what} {score:.4g} on {evaluation.inputs} inputs"
    if evaluation.per_class:
        rows = [
            [
                _plain(name),
                f"{each.precision:.3f}",
                f"{each.recall:.3f}",
                f"{each.f1:.3f}",
                str(each.support),
            ]
            for name, each in _by_class(evaluation, classes)
        ]
        yield from _table([["class", "precision", "recall", "F1", "inputs"], *rows])
    if evaluation.confusion:
        yield "confusion: a row is the true class, the columns what it was called, in the same order"
        names = [*classes, *[""] * len(evaluation.confusion)]
        counts = zip(names, evaluation.confusion, strict=False)
        yield from _table(
            [[_plain(name), *map(str, row[:_MAX_LISTED])] for name, row in counts][:_MAX_LISTED]
        )


def _by_class(evaluation: Evaluation, classes: Sequence[str]) -> list[tuple[str, Any]]:
    """Scores in the order of the classes, whatever else is there last."""
    place = {name: index for index, name in enumerate(classes)}
    items = sorted(evaluation.per_class.items(), key=lambda item: place.get(item[0], len(place)))
    return items[:_MAX_LISTED]


def _origin(manifest: Manifest) -> Iterator[str]:
    provenance = manifest.provenance
    yield _plain(provenance.source)
    yield from _cut(
        [_plain(f"{name} {version}") for name, version in sorted(provenance.libraries.items())]
    )
    yield _plain(f"held-out inputs SHA-256 {provenance.inputs_sha256}")
    yield f"{manifest.golden.count} golden inputs, replayed on the device before the model goes live"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = [f"  {line}" for line in lines]
    return ["", title, *body] if body else []


def _cut(lines: Sequence[str], most: int = _MAX_LISTED) -> list[str]:
    """At most so many lines that a page stays readable."""
    rest = len(lines) - most
    return list(lines) if rest <= 0 else [*lines[:most], f"... and {rest} more"]


def _table(rows: Sequence[Sequence[str]], *, numbers: bool = True) -> Iterator[str]:
    """Columns as wide as their widest cell; the first to the left, `numbers` to the right."""
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row):
            widths[column] = max(widths.get(column, 0), len(cell))
    for row in rows:
        first = f"{row[0]:<{widths[0]}}"
        side = ">" if numbers else "<"
        yield "  ".join([first, *[f"{cell:{side}{widths[i]}}" for i, cell in enumerate(row[1:], 1)]])


def _shape(shape: Sequence[int | None]) -> str:
    return ", ".join("batch" if size is None else str(size) for size in shape)


def _size(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(count) >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def _plain(text: str) -> str:
    """Text without anything a terminal would act on, cut to a readable length."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: _MAX_TEXT + 1])
    return shown if len(text) <= _MAX_TEXT else shown[:_MAX_TEXT] + "..."
