"""What `inspect` and `verify` print: a bundle for people to read. Values in, text out.

Everything shown comes from outside and may not be trusted, so what a terminal would act on is escaped.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from edge_runtime.bundle.expiry import Expiry
from edge_runtime.bundle.layout import MAX_LISTED, cut, plain, size, table
from edge_runtime.bundle.manifest import Input, Manifest, Variant
from edge_runtime.bundle.reader import Bundle
from edge_runtime.bundle.root_report import expiry_lines
from edge_runtime.bundle.scores import score_lines
from edge_runtime.bundle.trust import Root

_MAX_COLUMNS = 200


def summary(bundle: Bundle) -> str:
    """All of a manifest that matters to people, about a page long."""
    manifest = bundle.manifest
    lines = [
        plain(f"{manifest.name} {manifest.version}, release {manifest.release}: {manifest.task}"),
        *_identity(bundle),
        *_floor(manifest),
        *_model(manifest),
        *_section("variants", [line for each in manifest.variants for line in _variant(each)]),
        *_section("evaluation", _evaluation(manifest)),
        *_section("origin", _origin(manifest)),
        *_section(
            "files",
            cut([f"{size(bundle.size_of(name)):>10}  {plain(name)}" for name in bundle.names]),
        ),
    ]
    return "\n".join(lines)


def verdict(bundle: Bundle, root: Root, root_path: Path, expiry: Expiry, checked_bytes: int) -> str:
    """What was trusted and why, after everything was checked."""
    manifest = bundle.manifest
    role, signers = root.bundle, len(bundle.key_ids)
    others = sorted(set(bundle.signed_by()) - set(bundle.key_ids))
    lines = [
        f"verified: {manifest.name} {manifest.version}, release {manifest.release}",
        *[f"  {line}" for line in _floor(manifest)],
        f"  digest   {bundle.digest}",
        *[f"  signed   by {name}" for name in bundle.key_ids],
        *[f"  signed   by {name}, which the root file does not name: not counted" for name in others],
        f"  trusted  by {root_path}, version {root.version}, which expires {root.expires:%Y-%m-%d}:",
        f"           {role.threshold} of its {len(role.key_ids)} bundle keys must, {signers} did",
        "  expiry   " + "\n           ".join(expiry_lines(root, expiry)),
        f"  checked  {len(bundle.names)} files, {size(checked_bytes)}: none altered, missing or added",
    ]
    return "\n".join(lines)


def _identity(bundle: Bundle) -> list[str]:
    signers = bundle.signed_by()
    return [
        f"digest   {bundle.digest}",
        f"size     {size(bundle.size_bytes)} in {len(bundle.names)} files",
        *[f"signed   by {name} (not verified: use verify)" for name in signers],
        *([] if signers else ["signed   by nobody"]),
    ]


def _floor(manifest: Manifest) -> list[str]:
    if not manifest.floor:
        return []
    return [f"floor    once it is confirmed, no release below {manifest.floor} may run again"]


def _model(manifest: Manifest) -> Iterator[str]:
    if manifest.classes:
        yield from _section("classes", cut([plain(name) for name in manifest.classes]))
    labels = [plain(f"{each.name}: {', '.join(each.classes)}") for each in manifest.labels]
    yield from _section("labels, and the classes of each", cut(labels))
    yield from _table_of(manifest.inputs) if manifest.is_table else _inputs(manifest.inputs)
    described = [
        f"{plain(each.name)}: {each.dtype} ({_shape(each.shape)}), {each.meaning}"
        for each in manifest.outputs
    ]
    yield from _section("outputs", cut(described))
    refusals = [plain(why) for why in manifest.refusals]
    yield from _section("refuses: rows that the source model raises an error for", cut(refusals))
    if window := manifest.window:
        rate = "" if window.rate_hz is None else f" at {window.rate_hz:g} Hz"
        yield from _section(
            "window",
            [
                f"{window.length} samples{rate}, a new one every {window.stride}",
                f"channels {plain(', '.join(window.channels))}",
            ],
        )
    steps = [
        plain(f"{step.name} {json.dumps(step.parameters) if step.parameters else ''}")
        for step in manifest.preprocessing
    ]
    yield from _section("preprocessing, inside the model's graph", cut(steps))


def _inputs(inputs: Sequence[Input]) -> list[str]:
    described = [
        f"{plain(each.name)}: {each.dtype} ({_shape(each.shape)})"
        + (f", {plain(each.meaning)}" if each.meaning else "")
        + (f", in {plain(', '.join(each.units))}" if each.units else "")
        + (f", {_missing(each)}" if each.allow_nan else "")
        for each in inputs
    ]
    return _section("inputs", cut(described))


def _table_of(inputs: Sequence[Input]) -> list[str]:
    rows = [
        [plain(each.name), each.dtype, _missing(each) if each.allow_nan else "", plain(each.meaning)]
        for each in inputs
    ]
    lines = cut([line.rstrip() for line in table(rows, numbers=False)], _MAX_COLUMNS)
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
        f"{plain(variant.id)}: {variant.precision} for {variant.engine}, {size(variant.size_bytes)}, "
        f"{plain(opsets)}, IR {variant.ir_version}"
        + (f", exact {plain(variant.exact)}" if variant.exact else "")
    )
    yield (
        f"  parity on {parity.inputs} inputs: {parity.label_disagreements} labels differ "
        f"({parity.near_ties} of them near ties), largest error {parity.max_abs_error:.3g} "
        f"of {parity.tolerance:.3g} allowed"
        + (f"; {parity.rounded_splits} on a tree's threshold" if parity.rounded_splits else "")
    )
    for what, needed in sorted(variant.requires.items())[:MAX_LISTED]:
        yield plain(f"  requires {what} {needed}")
    if variant.host:
        yield plain(f"  {variant.host} goes before it, in onnxruntime")
    if variant.profile is not None:
        yield f"  {variant.profile.min_rows} to {variant.profile.max_rows:,} rows a run"
    if variant.boards:
        yield plain(f"  made for {', '.join(variant.boards[:MAX_LISTED])}")


def _evaluation(manifest: Manifest) -> list[str]:
    if manifest.evaluation is None:
        return ["none: it was converted without labels"]
    return list(score_lines(manifest.evaluation, manifest.classes))


def _origin(manifest: Manifest) -> Iterator[str]:
    provenance = manifest.provenance
    yield plain(provenance.source)
    yield from cut(
        [plain(f"{name} {version}") for name, version in sorted(provenance.libraries.items())]
    )
    yield plain(f"held-out inputs SHA-256 {provenance.inputs_sha256}")
    yield f"{manifest.golden.count} golden inputs, replayed on the device before the model goes live"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = [f"  {line}".rstrip() for line in lines]
    return ["", title, *body] if body else []


def _shape(shape: Sequence[int | None]) -> str:
    return ", ".join("batch" if size is None else str(size) for size in shape)
