"""Whether the parts of a manifest fit together: pure, one sentence for each thing that does not."""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.bundle.manifest import Manifest

# The largest integer that every JSON reader keeps exactly.
MAX_RELEASE = (1 << 53) - 1
MAX_COLUMN_NAME = 256
MAX_REFUSAL = 500
ANOMALY_CLASSES = ("anomaly", "normal")
# The fewest classes that make sense; of a task without labels there are none.
_MIN_CLASSES = {"classification": 2, "clustering": 1, "anomaly": 2}


def faults(manifest: "Manifest") -> Iterator[str]:
    """What does not fit, the first first."""
    window, golden = manifest.window, manifest.golden
    if not 0 <= manifest.release <= MAX_RELEASE:
        yield f"release is not from 0 to {MAX_RELEASE}"
    if not 0 <= manifest.floor <= manifest.release:
        yield f"floor is not from 0 to its own release, {manifest.release}"
    if _repeats(variant.id for variant in manifest.variants):
        yield "a variant is listed twice"
    if window is not None and min(window.length, window.stride) < 1:
        yield "a window length or stride below 1"
    if not manifest.inputs or not manifest.outputs:
        yield "no inputs or no outputs"
    if not manifest.variants:
        yield "no variants"
    yield from _of_labels(manifest) if manifest.labels else _of_classes(manifest)
    yield from _of_columns(manifest) if manifest.is_table else _of_inputs(manifest)
    yield from _of_refusals(manifest)
    if _repeats(output.name for output in manifest.outputs):
        yield "an output is listed twice"
    if golden.count < 1:
        yield "no golden inputs"
    if len(golden.inputs) != len(manifest.inputs):
        yield "golden inputs do not match inputs"
    yield from _of_shared_goldens(manifest)
    if len(golden.outputs) != len(manifest.outputs):
        yield "golden outputs do not match outputs"
    yield from _of_profiles(manifest)
    yield from _of_order(manifest)
    needed = {*golden.inputs, *golden.outputs}
    needed |= {file for each in manifest.variants for file in (each.file, each.host) if file}
    needed |= {manifest.reference.file} if manifest.reference else set()
    for name in sorted(needed - manifest.files.keys()):
        yield f"refers to {name!r}, which it does not list in files"


def _of_classes(manifest: "Manifest") -> Iterator[str]:
    task, classes = manifest.task, manifest.classes
    if _repeats(classes):
        yield "a class is listed twice"
    least = _MIN_CLASSES.get(task, 0)
    if len(classes) < least:
        yield f"fewer than {least} classes" if least > 1 else f"a {task} without classes"
    if classes and not manifest.has_labels:
        yield f"a {task} with classes"
    if task == "anomaly" and classes != ANOMALY_CLASSES:
        yield f"the classes of an anomaly model are not {list(ANOMALY_CLASSES)}"


def _of_labels(manifest: "Manifest") -> Iterator[str]:
    if manifest.task != "classification":
        yield f"a {manifest.task} with several labels"
    if manifest.classes:
        yield "both classes and labels"
    if _repeats(label.name for label in manifest.labels):
        yield "a label is listed twice"
    for label in manifest.labels:
        if not label.classes:
            yield f"label {label.name!r} has no classes"
        if _repeats(label.classes):
            yield f"a class of label {label.name!r} is listed twice"


def _of_inputs(manifest: "Manifest") -> Iterator[str]:
    """One array, or several by name, which are numbers."""
    if len(manifest.inputs) < 2:
        return
    if manifest.window is not None:
        yield "a window of several inputs"
    if _repeats(each.name for each in manifest.inputs):
        yield "an input is listed twice"
    if _repeats(manifest.golden.inputs):
        yield "several inputs, two of them in one golden file"
    for each in manifest.inputs:
        if why := why_no_name(each.name):
            yield f"an input's name {why}"
        if each.dtype == "string":
            yield f"several inputs, not all of them columns, and {each.name!r} is texts"
        if each.shape[:1] != (None,):
            yield f"input {each.name!r} has a shape that does not begin with null, the batch"


def _of_columns(manifest: "Manifest") -> Iterator[str]:
    """A model that takes a table: inputs of one axis, each a column with a name."""
    if manifest.window is not None:
        yield "a window of columns"
    if _repeats(column.name for column in manifest.inputs):
        yield "a column is listed twice"
    for column in manifest.inputs:
        if why := why_no_name(column.name):
            yield f"a column's name {why}"


def why_no_name(name: str) -> str:
    """Why several inputs cannot have this one among them, to follow "its name"; '' where they can."""
    is_long = not 0 < len(name) <= MAX_COLUMN_NAME
    if is_long or any(unicodedata.category(character) == "Cc" for character in name):
        return f"is not 1 to {MAX_COLUMN_NAME} characters without control characters"
    return ""


def _of_refusals(manifest: "Manifest") -> Iterator[str]:
    """The last output says which rows are refused, exactly where there are reasons to refuse some."""
    places = [at for at, output in enumerate(manifest.outputs) if output.meaning == "refused"]
    if manifest.refusals and not places:
        yield "refusals without an output 'refused'"
    if places and not manifest.refusals:
        yield "an output 'refused' without refusals"
    if places and places != [len(manifest.outputs) - 1]:
        yield "the output 'refused' is not the last one alone"
    for why in manifest.refusals:
        if not 0 < len(why) <= MAX_REFUSAL or not why.isprintable():
            yield f"a refusal is not 1 to {MAX_REFUSAL} printable characters"


def _of_profiles(manifest: "Manifest") -> Iterator[str]:
    """A variant for TensorRT has a profile, others neither that nor a part for the host."""
    for variant in manifest.variants:
        profile = variant.profile
        if (profile is not None) != (variant.engine == "tensorrt"):
            yield f"variant {variant.id!r}: an optimization profile is for tensorrt, and it needs one"
        if variant.host and variant.engine != "tensorrt":
            yield f"variant {variant.id!r}: a file for the host is for tensorrt only"
        if profile and not 1 <= profile.min_rows <= profile.opt_rows <= profile.max_rows:
            yield f"variant {variant.id!r}: an optimization profile whose rows do not ascend from 1"


def _of_order(manifest: "Manifest") -> Iterator[str]:
    """The first variant of an engine runs, so what is unproven comes after all that is not."""
    unproven: set[str] = set()
    for variant in manifest.variants:
        if variant.unproven:
            unproven.add(variant.engine)
        elif variant.engine in unproven:
            yield f"variant {variant.id!r} comes after one of its engine that is unproven"


def _of_shared_goldens(manifest: "Manifest") -> Iterator[str]:
    """A file of goldens may hold several columns, if one array can."""
    dtypes: dict[str, str] = {}
    for file, each in zip(manifest.golden.inputs, manifest.inputs, strict=False):
        if dtypes.setdefault(file, each.dtype) != each.dtype:
            yield f"columns of different dtypes share the golden file {file!r}"


def _repeats(names: Iterable[str]) -> bool:
    listed = list(names)
    return len(set(listed)) != len(listed)
