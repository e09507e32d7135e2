"""Training data that an author gives: cross-validation of the source model, and what sketches are of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate

from converter import evaluate
from converter.foreign import told, translated
from converter.frontends.base import SourceModel
from converter.inputs import Labels, Rows, as_labels
from converter.source import one_job
from edge_runtime.bundle.manifest import CrossValidation, Evaluation
from edge_runtime.errors import ConversionError, InputError

MAX_FOLDS = 100
_WITHOUT = "Give cross_validation=0 to do without."


@dataclass(frozen=True)
class Training:
    """What the author gave of the training data; all of it may be absent.

    given: the inputs as they were given. truth: their labels as the source model was fitted on them.
    folds: how often to fit anew; 0 for never. reference: inputs that sketches are made of. unfitted:
    a clone of the source model, to be fitted.
    """

    given: Any = None
    truth: NDArray[Any] | None = None
    folds: int = 0
    reference: Rows | None = None
    unfitted: Any = None


def read_training(
    source: SourceModel,
    like: Rows,
    training: Any,
    reference: Any,
    *,
    rows_of: Callable[[Any], Rows],
    folds: Any,
) -> Training:
    """Check what the author gave as `training`, (inputs, labels), and as `reference`, inputs.

    rows_of: makes rows of inputs as they are given, and raises InputError.
    Raises InputError for inputs unlike the held-out ones `like`, labels that are missing or do not fit,
    or too few rows for so many folds; ConversionError for a model that cannot be cloned.
    """
    if not isinstance(folds, int) or not (folds == 0 or 2 <= folds <= MAX_FOLDS):
        raise InputError(f"cross_validation: expected 0 or 2 to {MAX_FOLDS} folds, found {folds!r}.")
    sketched = None if reference is None else rows_like(like, reference, rows_of, "reference")
    if training is None:
        return Training(reference=sketched)
    if not isinstance(training, tuple | list) or len(training) != 2:
        raise InputError(
            f"training: expected a pair, found {type(training).__name__}. Write "
            "training=(inputs, labels)."
        )
    given, labels = training
    rows = rows_like(like, given, rows_of, "training")
    sketched = rows if sketched is None else sketched
    if folds == 0:
        return Training(given, reference=sketched)
    if labels is None:
        raise InputError(
            f"training: expected labels, which cross-validation needs, found none. {_WITHOUT}"
        )
    with _about("training"):
        truth = _truth(source, as_labels(labels, len(rows)), folds)
    return Training(given, truth, folds, sketched, _fresh(source.model))


def rows_like(like: Rows, given: Any, rows_of: Callable[[Any], Rows], what: str) -> Rows:
    """Inputs from training, of the kind of the held-out ones `like`. Raises InputError about `what`."""
    with _about(what):
        rows = rows_of(given)
        kinds = [
            {name: (array.dtype.kind == "O", array.shape[1:]) for name, array in each.arrays.items()}
            for each in (like, rows)
        ]
        if kinds[0] != kinds[1]:
            raise InputError(f"expected rows of shape {like.shape}, as the inputs; found {rows.shape}.")
    return rows


@contextmanager
def _about(what: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{what}: {error}") from error


def _truth(source: SourceModel, labels: Labels, folds: int) -> NDArray[Any]:
    """Labels as the source model's own classes, or numbers; enough of them for every fold."""
    known = evaluate.truth_of(source, labels)
    if len(known) < folds:
        raise InputError(f"expected at least {folds} rows, one a fold, found {len(known)}. {_WITHOUT}")
    if source.task != "classification":
        return known
    if source.is_multi_label:
        columns = [classes[known[:, j]] for j, classes in enumerate(source.classes)]
        return np.stack(columns, axis=1)
    counts = np.bincount(known, minlength=len(source.classes[0]))
    if (fewest := int(counts.min())) < folds:
        raise InputError(
            f"labels: expected at least {folds} rows of every class, one a fold, found {fewest} of "
            f"{source.class_names[int(counts.argmin())]!r}. Give more rows, or fewer folds. {_WITHOUT}"
        )
    own: NDArray[Any] = source.classes[0][known]
    return own


def cross_validated(
    source: SourceModel, training: Training, evaluation: Evaluation | None
) -> Evaluation:
    """Fit the source model anew on all folds but one and score it on that one, by turns.

    The result is `evaluation` with the scores added; without one, they alone.
    Folds are scikit-learn's of an integer `cv`: in the order of the rows, of a classification with the
    classes in proportion. A random state that is not set is 0, so that the scores are the same again.
    Raises ConversionError for a model that a fold cannot train.
    """
    assert training.truth is not None
    stratified = source.task == "classification" and not source.is_multi_label
    with one_job(training.unfitted), translated("cross-validation", advice=_WITHOUT):
        found = cross_validate(
            training.unfitted,
            _columns(source, training.given),
            training.truth,
            cv=(StratifiedKFold if stratified else KFold)(training.folds),
            scoring=_r2 if source.task == "regression" else _accuracy,
            error_score="raise",
        )
    scores = found["test_score"]
    added = CrossValidation(
        metric="r2" if source.task == "regression" else "accuracy",
        inputs=len(training.truth),
        scores=tuple(scores.tolist()),
        mean=float(scores.mean()),
        std=float(scores.std()),
    )
    return msgspec.structs.replace(evaluation or Evaluation(inputs=0), cross_validation=added)


def _fresh(model: Any) -> Any:
    try:
        fresh = clone(model)
        parameters = fresh.get_params(deep=True)
        for each in (fresh, *parameters.values()):
            if type(each).__module__.partition(".")[0] == "catboost":
                each.set_params(allow_writing_files=False)  # it logs into the working directory
        unset = [n for n, v in parameters.items() if v is None and n.split("__")[-1] == "random_state"]
        return fresh.set_params(**dict.fromkeys(unset, 0)) if unset else fresh
    except Exception as error:  # clone raises what the model's own methods raise
        raise ConversionError(
            f"cross-validation: expected a model that scikit-learn can clone and fit anew; "
            f"{type(model).__name__} is none: {told(error).rstrip('.')}. {_WITHOUT}"
        ) from error


def _columns(source: SourceModel, given: Any) -> Any:
    """As the model was fitted: of a DataFrame the columns that it knows."""
    known = getattr(source.model, "feature_names_in_", None)
    if not hasattr(given, "columns"):
        return np.asarray(given)
    return given if known is None else given[list(known)]


def _accuracy(model: Any, inputs: Any, truth: NDArray[Any]) -> float:
    return float((np.asarray(model.predict(inputs)).reshape(truth.shape) == truth).mean())


def _r2(model: Any, inputs: Any, truth: NDArray[Any]) -> float:
    return float(r2_score(truth, np.asarray(model.predict(inputs)).reshape(truth.shape)))
