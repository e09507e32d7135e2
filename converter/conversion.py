"""The journey from a trained model to a bundle, in one function: `convert`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter import evaluate
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
from converter.converted import ConvertedBundle, listed
from converter.documents import documents
from converter.evidence import Evidence
from converter.frontends.base import Converted, SourceModel
from converter.frontends.choice import front_end_of
from converter.goldens import choose_goldens
from converter.inputs import Rows, as_labels, is_missing
from converter.loading import opened
from converter.parity import Variants, prove
from converter.sketching import referenced
from converter.source import Answer, Tensors
from converter.standard.variant import for_boards
from converter.training import cross_validated, read_training
from converter.variant import loaded, run
from converter.window import WindowSpec
from edge_runtime.boards import supported
from edge_runtime.bundle.manifest import Manifest, Parity
from edge_runtime.errors import (
    ConversionError,
    GoldenMismatchError,
    InputError,
    ParityError,
)


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
    preprocessing: Any = None,
    classes: Sequence[Any] | None = None,
    boards: Sequence[str] = (),
    training: tuple[Any, Any] | None = None,
    cross_validation: int = 5,
    reference: Any = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ConvertedBundle:
    """Convert a trained model into a bundle and prove that it agrees.

    model: a fitted scikit-learn estimator or Pipeline, a Keras 3 model, a SavedModel that TensorFlow
        loaded, or the path of a .keras or .h5 file or of a SavedModel's folder.
    inputs: held out from training, (inputs, features) or (windows, samples, axes), or a DataFrame,
        whose columns become the bundle's inputs. Source model and variant are compared on all of them.
    labels: their truth, for accuracy; class names, or numbers for a regression. None: not measured.
    name, version: what the bundle is called; 1 to 64 of a-z, 0-9 and "-"; a semantic version.
    release: a counter that must grow for devices to move on; by default it follows the version.
    window: channel names, rate and stride of the stream that the model's windows are cut from.
    input_dtype: float32 (the default for an array), float64, int64, int32 or uint8: what a device is to
        give the model. A DataFrame's columns keep their own dtypes; this stands for its floats.
    golden_count: how many of the inputs travel in the bundle, for the device to check itself.
    preprocessing: a fitted transformer or Pipeline of them that goes before `model`, for a model that
        was trained on what it gives.
    classes: of a Keras model or SavedModel, what its outputs are called, in their order. It is then a
        classification; without, it is one where its last operator is a softmax, or a sigmoid of one
        number, and `labels` are whole numbers or None.
    boards: names of what the bundle is for, such as "orin-nano". For boards with TensorRT a second
        variant is made, in standard operators and float32; where it cannot be had the plain one ships
        alone, and the report says why.
    training: inputs and labels that the model was trained on, for cross-validation: the source model is
        fitted anew `cross_validation` times, 0 for never.
    reference: training inputs that the bundle is to have sketches of, for drift; by default those of
        `training`.
    progress: told in a few words what is being done.

    Raises UnsupportedModelError, ParityError or another ConversionError; InputError for inputs or
    labels that do not fit; ConfigError or ManifestError for name, version, release or window.
    """
    named = identity(name, version, release)
    made_for = supported(boards)
    check_golden_count(golden_count)
    front_end = front_end_of(opened(model), preprocessing)
    rows = front_end.rows(inputs, input_dtype)
    given = None if labels is None else as_labels(labels, len(rows))
    with _missing_is_told(rows):
        read = front_end.read(rows, given, classes)
    source = read.source
    truth = None if given is None else evaluate.truth_of(source, given)
    trained = read_training(
        source,
        rows,
        training,
        reference,
        rows_of=partial(front_end.rows, dtype=input_dtype),
        folds=cross_validation,
    )
    progress(f"asking the source model about {len(rows)} inputs")
    with _missing_is_told(rows):
        expected = source.run(rows)
    progress("converting to ONNX")
    converted = read.convert(rows, expected)
    case = _Case(named, source, rows, expected, window)
    draft = case.draft(converted)
    progress("proving parity")
    parity, found = case.proved(converted)
    evaluation = None if truth is None else evaluate.evaluated(source, truth, found)
    if trained.folds:
        progress(f"cross-validating in {trained.folds} folds")
        evaluation = cross_validated(source, trained, evaluation)
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
    bundle = case.bundle(manifest, converted, chosen)
    bundle = replace(bundle, evidence=Evidence(rows, expected.tensors, truth))
    bundle.replay_goldens()
    if trained.reference is not None:
        progress(f"sketching {len(trained.reference)} training inputs")
        added, described = referenced(manifest, source, trained.reference)
        bundle = bundle.adding(added, reference=described)
    found_for = for_boards(
        made_for,
        lower=partial(read.convert, rows, expected, standard=True),
        prove=partial(_prove_lowered, case, manifest, chosen),
        progress=progress,
    )
    bundle = bundle.extended(found_for)
    return bundle.adding(documents(bundle.manifest, made_for))


@dataclass(frozen=True)
class _Case:
    """One model with the inputs that its variants are proved on."""

    named: Identity
    source: SourceModel
    rows: Rows
    expected: Answer
    window: WindowSpec | None

    def draft(self, converted: Converted) -> Manifest:
        """The manifest of one variant for ONNX Runtime, with nothing proven yet."""
        return single_graph(
            self.named,
            self.source,
            onnx=converted.onnx,
            inputs=converted.inputs,
            outputs=converted.outputs,
            refusals=converted.refusals,
            steps=converted.steps,
            exact=converted.exact,
            window=window_of(self.window, self.rows.shape),
        )

    def proved(self, converted: Converted) -> tuple[Parity, Tensors]:
        """Parity on all inputs and edge rows, and the variant's answers to the inputs."""
        with ExitStack() as stack:
            variants = self._load(stack, converted)
            parity = prove(self.source, converted, variants, self.rows, self.expected)
            return parity, variants.whole(self.rows)

    def bundle(
        self, manifest: Manifest, converted: Converted, goldens: NDArray[np.int64]
    ) -> ConvertedBundle:
        """With the files in their places; `goldens` are the places of those among the inputs."""
        outputs = _at(self.expected.tensors, goldens)
        return _bundle(manifest, converted.onnx, self.rows.take(goldens), outputs)

    def _load(self, stack: ExitStack, converted: Converted) -> Variants:
        """The variant, and its features alone where there are some, in the engine."""
        draft = self.draft(converted)
        whole = self.bundle(draft, converted, np.arange(1))
        variant = partial(run, stack.enter_context(loaded(whole.manifest, whole.artifacts)))
        if converted.halves is None:
            return Variants(variant)
        one = self.rows.take(slice(1))
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
        device = stack.enter_context(loaded(front.manifest, front.artifacts))
        return Variants(variant, partial(run, device))


def _prove_lowered(
    case: _Case, manifest: Manifest, goldens: NDArray[np.int64], converted: Converted
) -> Parity:
    """Parity of the graph for TensorRT, run by ONNX Runtime, and of the goldens that will travel."""
    parity, _ = case.proved(converted)
    alone = msgspec.structs.replace(manifest, variants=case.draft(converted).variants)
    try:
        case.bundle(alone, converted, goldens).replay_goldens()
    except GoldenMismatchError as error:
        raise ParityError(str(error)) from error
    return parity


@contextmanager
def _missing_is_told(rows: Rows) -> Iterator[None]:
    """Where the model refuses a missing number, say which it is."""
    try:
        yield
    except ConversionError as error:
        for name, array in rows.arrays.items():
            if "NaN" in str(error) and (places := np.argwhere(is_missing(array))).size:
                row, *rest = places[0].tolist()
                place = f"column {name if rows.is_table else rest[-1]!r}"
                raise InputError(
                    f"inputs: row {row} has a missing value in {place}, and the model takes none. Put "
                    "an imputer into the model, or leave such rows out."
                ) from error
        raise


def _at(tensors: Tensors, where: NDArray[np.int64]) -> Tensors:
    return {name: tensor[where] for name, tensor in tensors.items()}


def _bundle(
    manifest: Manifest, onnx: bytes, golden_rows: Rows, golden_outputs: Tensors
) -> ConvertedBundle:
    """Put the files in place and list them in the manifest, as sealing will."""
    artifacts = {GRAPH: onnx, **golden_files(manifest, golden_rows, golden_outputs)}
    return ConvertedBundle(msgspec.structs.replace(manifest, files=listed(artifacts)), artifacts)
