"""The journey from a trained model to a bundle, in one function: `convert`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import numpy as np

from converter import evaluate
from converter.assembly import Assembled, assembled
from converter.boards import check_taken
from converter.bundling import check_golden_count, identity, provenance
from converter.case import Case
from converter.converted import ConvertedBundle
from converter.documents import documents
from converter.evidence import Evidence
from converter.frontends.base import Converted
from converter.frontends.choice import front_end_of
from converter.inputs import Rows, as_labels, is_missing
from converter.loading import opened
from converter.quantization.choices import FILE as CHOICES
from converter.quantization.outcome import Tried
from converter.quantization.wanted import MAX_ACCURACY_DROP, read_wanted
from converter.shipped import Shipped
from converter.sketching import referenced
from converter.standard.variant import for_boards
from converter.training import cross_validated, read_training
from converter.window import WindowSpec
from edge_runtime.boards import supported
from edge_runtime.bundle.manifest import Evaluation
from edge_runtime.errors import ConversionError, InputError


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
    quantize: bool = False,
    calibration: Any = None,
    max_accuracy_drop: float = MAX_ACCURACY_DROP,
    choices: Any = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ConvertedBundle:
    """Convert a trained model into a bundle and prove that it agrees.

    model: a fitted scikit-learn estimator or Pipeline, a Keras 3 model, a SavedModel that TensorFlow
        loaded, an `onnx.ModelProto`, or the path of a .keras, .h5 or .onnx file or of a SavedModel's
        folder.
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
    classes: of a network, from Keras or ONNX, what its outputs are called, in their order. It is then a
        classification; without, it is one where its last operator is a softmax, or a sigmoid of one
        number, and `labels` are whole numbers or None.
    boards: names of what the bundle is for, such as "orin-nano". For boards with TensorRT a second
        variant is made, in standard operators and float32; where it cannot be had the plain one ships
        alone, and the report says why.
    training: inputs and labels that the model was trained on, for cross-validation: the source model is
        fitted anew `cross_validation` times, 0 for never.
    reference: training inputs that the bundle is to have sketches of, for drift; by default those of
        `training`.
    quantize: whether to try smaller and faster variants too, and keep those that hold the budget and
        pay; see docs/quantization.md. What was tried is in `ConvertedBundle.tried`.
    calibration: training inputs, at least ten, that ranges of quantized numbers are taken from; by
        default those of `reference` or `training`. Giving some implies `quantize`.
    max_accuracy_drop: the most that a variant may lose: of accuracy or R² where `labels` are given, else
        of agreement with the source model.
    choices: a bundle made before, or its choices.json: the variants are made again as they were chosen
        then, byte for byte, and nothing is measured.
    progress: told in a few words what is being done.

    Raises UnsupportedModelError, ParityError or another ConversionError; InputError for inputs or
    labels that do not fit; ConfigError or ManifestError for name, version, release or window.
    """
    named = identity(name, version, release)
    made_for = supported(boards)
    check_golden_count(golden_count)
    front_end = front_end_of(opened(model), preprocessing)
    rows_of = partial(front_end.rows, dtype=input_dtype)
    rows = rows_of(inputs)
    given = None if labels is None else as_labels(labels, len(rows))
    with _missing_is_told(rows):
        read = front_end.read(rows, given, classes)
    source = read.source
    truth = None if given is None else evaluate.truth_of(source, given)
    trained = read_training(source, rows, training, reference, rows_of=rows_of, folds=cross_validation)
    wanted = read_wanted(
        quantize=quantize,
        calibration=calibration,
        choices=choices,
        allowed=max_accuracy_drop,
        like=rows,
        known=trained.reference,
        rows_of=rows_of,
    )
    progress(f"asking the source model about {len(rows)} inputs")
    with _missing_is_told(rows):
        expected = source.run(rows)
    case = Case(named, source, rows, expected, window)
    progress("converting to ONNX")
    converted = read.convert(rows, expected)
    progress("proving parity")
    fp32 = case.fp32(converted)
    check_taken(fp32.variant, made_for)
    evaluation = None if truth is None else evaluate.evaluated(source, truth, fp32.found)
    if trained.folds:
        progress(f"cross-validating in {trained.folds} folds")
        evaluation = cross_validated(source, trained, evaluation)
    lower = _once(partial(read.convert, rows, expected, standard=True))
    lowered = for_boards(made_for, lower, case.proved, progress)
    tried: tuple[Tried, ...] = ()
    if wanted:
        from converter.quantization.choosing import choose
        from converter.quantization.making import Graphs

        tried = choose(case, Graphs(converted, lower), wanted, truth, boards=made_for, progress=progress)
    made = assembled(
        case,
        fp32,
        lowered,
        tried,
        boards=made_for,
        choices=wanted.choices if wanted else None,
        golden_count=golden_count,
    )
    bundle = _bundle(case, fp32, made, evaluation)
    manifest = msgspec.structs.replace(bundle.manifest, provenance=provenance(source, rows, given))
    evidence = Evidence(rows, expected.tensors, truth, made.whole())
    bundle = replace(bundle, manifest=manifest, notes=made.notes, tried=made.tried, evidence=evidence)
    if trained.reference is not None:
        progress(f"sketching {len(trained.reference)} training inputs")
        added, described = referenced(manifest, source, trained.reference)
        bundle = bundle.adding(added, reference=described)
    if wanted:
        digest = wanted.calibration.sha256 if wanted.calibration else ""
        bundle = bundle.adding({CHOICES: made.choices(digest).to_bytes()})
    return bundle.adding(documents(bundle.manifest, made_for))


def _bundle(
    case: Case, fp32: Shipped, made: Assembled, evaluation: Evaluation | None
) -> ConvertedBundle:
    """All variants with their goldens, and how well the model does."""
    draft = case.draft(fp32.whole)
    variants = tuple(each.variant for each in made.shipped)
    manifest = msgspec.structs.replace(
        draft,
        variants=variants,
        golden=msgspec.structs.replace(
            draft.golden,
            count=len(made.goldens),
            tolerance=min(each.parity.tolerance for each in variants),
        ),
        evaluation=evaluation,
    )
    files = {name: raw for each in made.shipped for name, raw in each.artifacts.items()}
    return case.bundle(manifest, files, made.goldens)


def _once(lower: Callable[[], Converted]) -> Callable[[], Converted]:
    """The same graph for whoever asks, or the same error."""
    found: list[Converted | ConversionError] = []

    def lowered() -> Converted:
        if not found:
            try:
                found.append(lower())
            except ConversionError as error:
                found.append(error)
        if isinstance(found[0], ConversionError):
            raise found[0]
        return found[0]

    return lowered


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
                if rows.is_several:
                    place = f"input {name!r}"
                raise InputError(
                    f"inputs: row {row} has a missing value in {place}, and the model takes none. Put "
                    "an imputer into the model, or leave such rows out."
                ) from error
        raise
