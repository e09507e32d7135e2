"""A conversion in a screenful of text."""

from collections.abc import Iterator, Sequence

from edge_runtime.bundle.manifest import Manifest, Parity, Step, Variant
from edge_runtime.bundle.scores import score_lines

_MAX_COLUMNS = 12
_EXACT = {
    "leaves": "every input reaches the source model's leaf in every tree",
    "": "not bit for bit; see parity",
}


def report(manifest: Manifest, notes: Sequence[str] = ()) -> str:
    """What was converted, how well it agrees with its source, and how well it does.

    notes: a sentence for each board that the bundle is for.
    """
    variant = manifest.variants[0]
    facts = [
        ("model", f"{manifest.name} {manifest.version}, release {manifest.release}"),
        ("source", manifest.provenance.source),
        ("task", _task(manifest)),
        ("input", _input(manifest)),
        ("steps", ", ".join(_step(step) for step in manifest.preprocessing) or "none"),
        ("variant", _variant(variant)),
        ("exact", _exact(manifest, variant)),
        ("parity", _parity(variant.parity)),
        *(fact for each in manifest.variants[1:] for fact in _further(manifest, each)),
        *([("refuses", "; ".join(manifest.refusals))] if manifest.refusals else []),
        ("goldens", f"{manifest.golden.count} inputs travel with the model"),
        *(("board", note) for note in notes),
    ]
    lines = [f"{name:<9}{text}" for name, text in facts]
    if manifest.evaluation is None:
        return "\n".join([*lines, "accuracy not measured: no labels were given"])
    return "\n".join([*lines, "", *score_lines(manifest.evaluation, manifest.classes)])


def _variant(variant: Variant) -> str:
    parts = ", in two parts: texts and float64 for onnxruntime first" if variant.host else ""
    return f"{variant.precision} for {variant.engine}, {variant.size_bytes / 1000:,.1f} kB{parts}"


def _further(manifest: Manifest, variant: Variant) -> Iterator[tuple[str, str]]:
    """Of a variant beside the first: what it is, and how it agrees."""
    yield "variant", _variant(variant)
    yield "exact", _exact(manifest, variant)
    yield "parity", _parity(variant.parity)


def _task(manifest: Manifest) -> str:
    if manifest.labels:
        each = "; ".join(f"{label.name}: {', '.join(label.classes)}" for label in manifest.labels)
        return f"{manifest.task} of {len(manifest.labels)} labels: {each}"
    return f"{manifest.task}: {', '.join(manifest.classes)}" if manifest.classes else manifest.task


def _input(manifest: Manifest) -> str:
    if manifest.is_table:
        columns = [
            f"{given.name} {given.dtype}" + (" or missing" if given.allow_nan else "")
            for given in manifest.inputs
        ]
        more = len(columns) - _MAX_COLUMNS
        shown = columns[:_MAX_COLUMNS] + ([f"and {more} more"] if more > 0 else [])
        return f"a table of {len(columns)} columns: {', '.join(shown)}"
    shape = ", ".join("batch" if size is None else str(size) for size in manifest.inputs[0].shape)
    text = f"{manifest.inputs[0].name}, {manifest.inputs[0].dtype} ({shape})"
    window = manifest.window
    if window is None:
        return text
    rate = "" if window.rate_hz is None else f", {window.rate_hz:g} Hz"
    return f"{text}{rate}, stride {window.stride}; channels {', '.join(window.channels)}"


def _step(step: Step) -> str:
    if step.parameters.get("into") == "thresholds":
        return f"{step.name} (folded into the trees' thresholds)"
    inner = "; ".join(f"{name} {_value(value)}" for name, value in step.parameters.items())
    return f"{step.name} ({inner})" if inner else step.name


def _value(value: object) -> str:
    return " ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _exact(manifest: Manifest, variant: Variant) -> str:
    text = _EXACT[variant.exact]
    computed = manifest.window is not None and variant.exact
    return text + (", from the computed features on" if computed else "")


def _parity(parity: Parity) -> str:
    excused = f"{parity.near_ties} near ties"
    if parity.rounded_splits:
        excused += f", {parity.rounded_splits} inputs on a threshold"
    return (
        f"{parity.inputs} inputs: {parity.label_disagreements} labels differ ({excused}), largest "
        f"difference {parity.max_abs_error:.1e}, allowed {parity.tolerance:.1e}"
    )
