"""Each part of a manifest as a phrase, the same in the terminal, on the page and in the model card."""

from collections.abc import Iterator, Sequence

from converter.quantization.outcome import Tried
from edge_runtime.bundle.manifest import Accuracy, Input, Manifest, Step, Variant

_MAX_COLUMNS = 12
_MAX_CLASSES = 40
_MEASURES = {
    "accuracy": "accuracy",
    "r2": "R²",
    "agreement": "agreement with the source model",
    "fit": "R² against the source model",
}
_EXACT = {
    "leaves": "every input reaches the source model's leaf in every tree",
    "": "not bit for bit; see parity",
}


def facts(
    manifest: Manifest, notes: Sequence[str] = (), tried: Sequence[Tried] = ()
) -> Iterator[tuple[str, str]]:
    """What was converted and how well it agrees with its source, by what each fact is called.

    notes: a sentence for each board that the bundle is for. tried: what quantization tried.
    """
    yield "model", f"{manifest.name} {manifest.version}, release {manifest.release}"
    if manifest.floor:
        yield "floor", floor_of(manifest)
    yield "source", manifest.provenance.source
    yield "task", task_of(manifest)
    yield "input", input_of(manifest)
    yield "steps", ", ".join(step_of(step) for step in manifest.preprocessing) or "none"
    for variant in manifest.variants:
        yield "variant", f"{variant.id}: {variant_of(variant)}"
        if variant.accuracy is None:
            yield "exact", exactness_of(manifest, variant)
        else:
            yield "loses", loss_of(variant.accuracy)
        yield "parity", parity_of(variant)
    for each in tried:
        if not each.kept:
            yield "dropped", f"{each.id}: {each.why}"  # the page has what it loses
    if manifest.refusals:
        yield "refuses", "; ".join(manifest.refusals)
    yield "goldens", f"{manifest.golden.count} inputs travel with the model"
    if manifest.reference is not None:
        yield "drift", f"sketches of {manifest.reference.rows} training inputs travel with the model"
    for note in notes:
        yield "board", note


def floor_of(manifest: Manifest) -> str:
    """What a bundle with a floor of its own forbids."""
    return f"once it is confirmed, no release below {manifest.floor} runs again"


def variant_of(variant: Variant) -> str:
    """What a variant is, and its size."""
    parts = ", in two parts: texts and float64 for onnxruntime first" if variant.host else ""
    unproven = ", unproven: the device has to measure it first" if variant.unproven else ""
    return (
        f"{variant.precision} for {variant.engine}, {variant.size_bytes / 1000:,.1f} kB{parts}{unproven}"
    )


def loss_of(accuracy: Accuracy) -> str:
    """What a quantized variant loses."""
    what = _MEASURES[accuracy.measure]
    return (
        f"{what} {accuracy.found:.4f} of {accuracy.source:.4f}, a drop of {accuracy.drop:.4f} (95 % "
        f"interval {accuracy.low:.4f} to {accuracy.high:.4f}, {accuracy.allowed:g} allowed) on "
        f"{accuracy.inputs} inputs"
    )


def tried_of(tried: Tried) -> str:
    """What became of a variant, and what it loses or would have lost."""
    return tried.why + (f"; {loss_of(tried.accuracy)}" if tried.accuracy else "")


def task_of(manifest: Manifest) -> str:
    """Task and classes."""
    if manifest.labels:
        each = [f"{label.name}: {_some(label.classes)}" for label in manifest.labels]
        return f"{manifest.task} of {len(manifest.labels)} labels: {_some(each, '; ')}"
    return f"{manifest.task}: {_some(manifest.classes)}" if manifest.classes else manifest.task


def _some(names: Sequence[str], between: str = ", ") -> str:
    more = len(names) - _MAX_CLASSES
    return between.join([*names[:_MAX_CLASSES], *([f"and {more} more"] if more > 0 else [])])


def input_of(manifest: Manifest) -> str:
    """What the model is given."""
    if manifest.is_table:
        columns = [
            f"{given.name} {given.dtype}" + (" or missing" if given.allow_nan else "")
            for given in manifest.inputs
        ]
        more = len(columns) - _MAX_COLUMNS
        shown = columns[:_MAX_COLUMNS] + ([f"and {more} more"] if more > 0 else [])
        return f"a table of {len(columns)} columns: {', '.join(shown)}"
    if len(manifest.inputs) > 1:
        each = _some([_array_of(given) for given in manifest.inputs], "; ")
        return f"{len(manifest.inputs)} arrays by name: {each}"
    text = _array_of(manifest.inputs[0])
    window = manifest.window
    if window is None:
        return text
    rate = "" if window.rate_hz is None else f", {window.rate_hz:g} Hz"
    return f"{text}{rate}, stride {window.stride}; channels {', '.join(window.channels)}"


def _array_of(given: Input) -> str:
    shape = ", ".join("batch" if size is None else str(size) for size in given.shape)
    return f"{given.name}, {given.dtype} ({shape})"


def step_of(step: Step) -> str:
    """A preprocessing step with its parameters."""
    if step.parameters.get("into") == "thresholds":
        return f"{step.name} (folded into the trees' thresholds)"
    inner = "; ".join(f"{name} {_value(value)}" for name, value in step.parameters.items())
    return f"{step.name} ({inner})" if inner else step.name


def _value(value: object) -> str:
    return " ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def exactness_of(manifest: Manifest, variant: Variant) -> str:
    """What of a variant is bit for bit the source model's."""
    text = _EXACT[variant.exact]
    computed = manifest.window is not None and variant.exact
    return text + (", from the computed features on" if computed else "")


def parity_of(variant: Variant) -> str:
    """How a variant agrees with the source model."""
    parity = variant.parity
    allowed = "allowed" if variant.accuracy is None else "of goldens at most"
    excused = f"{parity.near_ties} near ties"
    if parity.rounded_splits:
        excused += f", {parity.rounded_splits} inputs on a threshold"
    return (
        f"{parity.inputs} inputs: {parity.label_disagreements} labels differ ({excused}), largest "
        f"difference {parity.max_abs_error:.1e}, {allowed} {parity.tolerance:.1e}"
    )
