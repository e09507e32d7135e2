"""The journey from a trained model to a bundle, in one function: `convert`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import msgspec

from converter import evaluate
from converter.assembly import Assembled, assembled
from converter.boards import check_taken
from converter.bundling import identity, provenance
from converter.case import Case
from converter.converted import ConvertedBundle
from converter.documents import documents
from converter.evidence import Evidence
from converter.given import Given, read_given
from converter.progress import Progress, silent
from converter.quantization.choices import FILE as CHOICES
from converter.quantization.choosing import choose
from converter.quantization.making import Graphs
from converter.quantization.outcome import Tried
from converter.quantization.wanted import MAX_ACCURACY_DROP
from converter.rounding import check_rounding
from converter.shipped import Shipped
from converter.sketching import referenced
from converter.source import Source
from converter.standard.variant import for_boards
from converter.training import cross_validated
from converter.window import WindowSpec
from edge_runtime.bundle.manifest import Evaluation
from edge_runtime.errors import ConversionError

_Found = TypeVar("_Found")


def convert(
    model: Any,
    inputs: Any,
    labels: Any = None,
    *,
    name: str,
    version: str,
    release: int | None = None,
    floor: int = 0,
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
    progress: Progress = silent,
) -> ConvertedBundle:
    """Convert a trained model into a bundle and prove that it agrees.

    model: a fitted scikit-learn estimator or Pipeline, a Keras 3 model, a SavedModel that TensorFlow
        loaded, an `onnx.ModelProto`, or the path of a .keras, .h5 or .onnx file or of a SavedModel's
        folder.
    inputs: held out from training, (inputs, features) or (windows, samples, axes), or a DataFrame,
        whose columns become the bundle's inputs. Source model and variant are compared on all of them.
        Of a model of several inputs a dict of arrays by their names.
    labels: their truth, for accuracy; class names, or numbers for a regression; of a model of several
        outputs perhaps a dict of arrays by their names. None: not measured.
    name, version: what the bundle is called; 1 to 64 of a-z, 0-9 and "-"; a semantic version.
    release: a counter that must grow for devices to move on; by default it follows the version.
    floor: the lowest release that a device may go back to once it has confirmed this one, at most its
        own; for a release that mends a security fault. By default it forbids nothing.
    window: channel names, rate and stride of the stream that the model's windows are cut from.
    input_dtype: float32 (the default for an array), float64, int64, int32 or uint8: what a device is to
        give the model. A DataFrame's columns keep their own dtypes; this stands for its floats.
    golden_count: how many of the inputs travel in the bundle, for the device to check itself.
    preprocessing: a fitted transformer or Pipeline of them that goes before `model`, for a model that
        was trained on what it gives.
    classes: of a network, from Keras or ONNX, what its outputs are called, in their order. It is then a
        classification; without, it is one where its last operator is a softmax, or a sigmoid of one
        number, and `labels` are whole numbers or None. Of several labels, what these are called.
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
    labels that do not fit; ConfigError or ManifestError for name, version, release, floor or window.
    """
    named = identity(name, version, release, floor)
    given = read_given(
        model,
        inputs,
        labels,
        preprocessing=preprocessing,
        classes=classes,
        input_dtype=input_dtype,
        training=training,
        reference=reference,
        cross_validation=cross_validation,
        quantize=quantize,
        calibration=calibration,
        choices=choices,
        max_accuracy_drop=max_accuracy_drop,
        boards=boards,
        golden_count=golden_count,
    )
    progress(f"asking the source model about {len(given.rows)} inputs")
    case = given.case(named, window)
    is_chosen = input_dtype is not None
    check_rounding(case.source, inputs, case.rows, case.expected, is_chosen=is_chosen, progress=progress)
    progress("converting to ONNX")
    converted = given.model.convert(case.rows, case.expected)
    progress("proving parity")
    fp32 = case.fp32(converted)
    check_taken(fp32.variant, given.boards)
    made = _assembled(case, given, fp32, progress)
    evaluation = _evaluation(given, made.shipped[0], progress)
    bundle = _bundle(case, fp32, made, evaluation)
    return _completed(bundle, case, given, made, progress)


def _evaluation(given: Given, first: Shipped, progress: Progress) -> Evaluation | None:
    """How well the variant that runs does on held-out inputs, and the source fitted anew on training."""
    source, truth = given.model.source, given.truth
    found = None if truth is None else evaluate.evaluated(source, truth, first.found)
    if not given.trained.folds:
        return found
    progress(f"cross-validating in {given.trained.folds} folds")
    return cross_validated(source, given.trained, found)


def _assembled(case: Case, given: Given, fp32: Shipped, progress: Progress) -> Assembled:
    """fp32 and all other variants, and the goldens of all of them."""
    boards = given.boards
    lower = _once(partial(given.model.convert, case.rows, case.expected, standard=True))
    prove = _once(case.proved)
    lowered = for_boards(boards, lower, prove, progress)
    tried: tuple[Tried, ...] = ()
    if given.wanted:
        is_network = not isinstance(case.source, Source)
        graphs = Graphs(fp32.whole, lower, prove, is_network=is_network)
        tried = choose(case, graphs, given.wanted, given.truth, boards=boards, progress=progress)
    return assembled(
        case,
        fp32,
        lowered,
        tried,
        boards=boards,
        choices=given.wanted.choices if given.wanted else None,
        golden_count=given.golden_count,
    )


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


def _completed(
    bundle: ConvertedBundle,
    case: Case,
    given: Given,
    made: Assembled,
    progress: Progress,
) -> ConvertedBundle:
    """With where it comes from, sketches of training data, choices, and the documents about all that."""
    origin = provenance(case.source, case.rows, given.labels)
    evidence = Evidence(case.rows, case.expected.tensors, given.truth, made.whole())
    bundle = replace(
        bundle,
        manifest=msgspec.structs.replace(bundle.manifest, provenance=origin),
        notes=made.notes,
        tried=made.tried,
        evidence=evidence,
    )
    if given.trained.reference is not None:
        progress(f"sketching {len(given.trained.reference)} training inputs")
        added, described = referenced(bundle.manifest, case.source, given.trained.reference)
        bundle = bundle.adding(added, reference=described)
    if given.wanted:
        calibration = given.wanted.calibration
        chosen = made.choices("" if calibration is None else calibration.sha256)
        bundle = bundle.adding({CHOICES: chosen.to_bytes()})
    return bundle.adding(documents(bundle.manifest, given.boards))


def _once(ask: Callable[..., _Found]) -> Callable[..., _Found]:
    """The same answer for whoever asks about the same objects, or the same error."""
    known: dict[tuple[int, ...], tuple[_Found | ConversionError, Any]] = {}

    def asked(*given: Any) -> _Found:
        key = tuple(map(id, given))
        if key not in known:
            try:
                known[key] = ask(*given), given  # kept, so that no other object gets its id
            except ConversionError as error:
                known[key] = error, given
        found, _ = known[key]
        if isinstance(found, ConversionError):
            raise found
        return found

    return asked
