"""The journey from a trained model to a bundle, in one function: `convert`."""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter import evaluate, report
from converter.bundling import (
    GRAPH,
    Identity,
    check_golden_count,
    golden_files,
    identity,
    provenance,
    single_graph,
    window_of,
)
from converter.frontends import sklearn as front_end
from converter.frontends.base import Converted
from converter.goldens import choose_goldens
from converter.inputs import Rows, as_labels, as_rows
from converter.parity import Variants, prove
from converter.source import Answer, Source, Tensors, read_source
from converter.variant import loaded, run
from converter.window import WindowSpec
from edge_runtime.bundle import load_private_key, seal
from edge_runtime.bundle.manifest import Evaluation, File, Manifest
from edge_runtime.durable import replace_file
from edge_runtime.errors import InputError, StorageError

_log = logging.getLogger("converter")
KeyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class ConvertedBundle:
    """A converted, proven model: its manifest and the artifacts that go with it."""

    manifest: Manifest
    artifacts: dict[str, bytes]

    def report(self) -> str:
        """What was converted, parity and accuracy, for a terminal."""
        return report.report(self.manifest)

    def to_bytes(self, *, signing_key: KeyPath | Sequence[KeyPath] | None = None) -> bytes:
        """The bundle file's bytes, signed with each key (a PEM file's path). Same keys, same bytes."""
        given = [signing_key] if isinstance(signing_key, str | os.PathLike) else signing_key or []
        return seal(self.manifest, self.artifacts, [load_private_key(path) for path in given])

    def save(self, path: KeyPath, *, signing_key: KeyPath | Sequence[KeyPath] | None = None) -> Path:
        """Write the bundle to `path`, replacing a file there in one step; returns the path.

        signing_key: path, or paths, of private keys from `edge-runtime keys generate`. Without one
        the bundle is unsigned and devices refuse it unless told otherwise; a warning is logged.
        Raises StorageError when the folder does not exist or the disk is full, TrustError for a key
        that cannot be read.
        """
        target = Path(path)
        check_folder(target)
        raw = self.to_bytes(signing_key=signing_key)
        replace_file(target, raw)
        if not signing_key:
            _log.warning(
                "%s is not signed: devices refuse it. Give signing_key=, see `edge-runtime keys`.",
                target,
            )
        return target


def convert(
    model: Any,
    inputs: Any,
    labels: Any = None,
    *,
    name: str,
    version: str,
    release: int | None = None,
    window: WindowSpec | None = None,
    input_dtype: str | None = None,
    golden_count: int = 8,
    progress: Callable[[str], None] = lambda _: None,
) -> ConvertedBundle:
    """Convert a fitted scikit-learn estimator or Pipeline into a bundle and prove that it agrees.

    inputs: held out from training, (inputs, features) or (windows, samples, axes), or a DataFrame,
        whose columns become the bundle's inputs. Source model and variant are compared on all of them.
    labels: their truth, for accuracy; class names, or numbers for a regression. None: not measured.
    name, version: what the bundle is called; 1 to 64 of a-z, 0-9 and "-"; a semantic version.
    release: a counter that must grow for devices to move on; by default it follows the version.
    window: channel names, rate and stride of the stream that the model's windows are cut from.
    input_dtype: float32 (the default for an array), float64, int64, int32 or uint8: what a device is to
        give the model. A DataFrame's columns keep their own dtypes; this stands for its floats.
    golden_count: how many of the inputs travel in the bundle, for the device to check itself.
    progress: told in a few words what is being done.

    Raises UnsupportedModelError, ParityError or another ConversionError; InputError for inputs or
    labels that do not fit; ConfigError or ManifestError for name, version, release or window.
    """
    named = identity(name, version, release)
    check_golden_count(golden_count)
    rows = as_rows(inputs, model, input_dtype)
    source = read_source(model, rows)
    given = None if labels is None else as_labels(labels, len(rows))
    truth = None if given is None else _truth(source, given)
    progress(f"asking the source model about {len(rows)} inputs")
    expected = source.run(rows)
    progress("converting to ONNX")
    converted = front_end.convert(source, rows, expected)
    draft = _draft(named, source, converted, rows, window)
    progress("proving parity")
    with ExitStack() as stack:
        variants = _load(stack, draft, converted, rows, expected)
        parity = prove(source, converted, variants, rows, expected)
        found = variants.whole(rows)
    evaluation = None if truth is None else _evaluate(source, truth, found)
    chosen = choose_goldens(
        source,
        rows,
        expected,
        found,
        golden_count,
        exact_rows=bool(converted.exact) and converted.halves is None,
    )
    manifest = msgspec.structs.replace(
        draft,
        variants=(msgspec.structs.replace(draft.variants[0], parity=parity),),
        golden=msgspec.structs.replace(draft.golden, count=len(chosen), tolerance=parity.tolerance),
        evaluation=evaluation,
        provenance=provenance(source, rows, given),
    )
    bundle = _bundle(manifest, converted.onnx, rows.take(chosen), _at(expected.tensors, chosen))
    with loaded(bundle.manifest, bundle.artifacts) as device:
        device.replay_goldens()  # what every device will do before it activates the bundle
    return bundle


def check_folder(path: Path) -> None:
    """Refuse an output path whose folder does not exist, before any work is done."""
    if not path.parent.is_dir():
        raise StorageError(f"{path}: its folder does not exist. Make it, or choose another path.")
    if path.is_dir():
        raise StorageError(f"{path}: expected a file to write, found a folder.")


def _draft(
    named: Identity, source: Source, converted: Converted, rows: Rows, window: WindowSpec | None
) -> Manifest:
    """The manifest with nothing proven yet."""
    return single_graph(
        named,
        source,
        onnx=converted.onnx,
        inputs=converted.inputs,
        outputs=converted.outputs,
        refusals=converted.refusals,
        steps=converted.steps,
        exact=converted.exact,
        window=window_of(window, rows.shape),
    )


def _load(
    stack: ExitStack, draft: Manifest, converted: Converted, rows: Rows, expected: Answer
) -> Variants:
    """The variant, and its features alone where there are some, in the engine."""
    one = rows.take(slice(1))
    whole = _bundle(draft, converted.onnx, one, _at(expected.tensors, np.arange(1)))
    variant = partial(run, stack.enter_context(loaded(whole.manifest, whole.artifacts)))
    if converted.halves is None:
        return Variants(variant)
    features = converted.halves.features(one)
    half = msgspec.structs.replace(
        draft,
        task="transformation",
        classes=(),
        labels=(),
        refusals=(),
        outputs=(converted.halves.output,),
        golden=msgspec.structs.replace(draft.golden, outputs=draft.golden.outputs[:1]),
    )
    front = _bundle(half, converted.halves.features_onnx, one, {"features": features})
    return Variants(variant, partial(run, stack.enter_context(loaded(front.manifest, front.artifacts))))


def _truth(source: Source, labels: NDArray[Any]) -> NDArray[Any]:
    """Labels as the evaluation takes them; wrong ones are told before any work is done."""
    if source.task == "regression":
        return labels
    if source.task != "classification":
        raise InputError(
            f"labels: expected none for {source.task}, whose answers have no truth to compare with."
        )
    if not source.is_multi_label:
        return evaluate.class_indices(labels, source.classes[0])
    if labels.ndim != 2 or labels.shape[1] != len(source.classes):
        raise InputError(f"labels: expected {len(source.classes)} an input, found {labels.shape}.")
    columns = [evaluate.class_indices(labels[:, j], classes) for j, classes in enumerate(source.classes)]
    return np.stack(columns, axis=1)


def _evaluate(source: Source, truth: NDArray[Any], found: Tensors) -> Evaluation:
    if source.task == "regression":
        return evaluate.regression(truth, found["value"])
    if source.is_multi_label:
        return evaluate.multi_label(truth, found["label"])
    return evaluate.classification(truth, found["label"], source.class_names)


def _at(tensors: Tensors, where: NDArray[np.int64]) -> Tensors:
    return {name: tensor[where] for name, tensor in tensors.items()}


def _bundle(
    manifest: Manifest, onnx: bytes, golden_rows: Rows, golden_outputs: Tensors
) -> ConvertedBundle:
    """Put the files in place and list them in the manifest, as sealing will."""
    artifacts = {GRAPH: onnx, **golden_files(manifest, golden_rows, golden_outputs)}
    files = {
        name: File(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for name, data in artifacts.items()
    }
    return ConvertedBundle(msgspec.structs.replace(manifest, files=files), artifacts)
