"""The trained model as its author left it: what the variant must agree with."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier, is_outlier_detector, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, LabelBinarizer, LabelEncoder
from sklearn.utils.validation import check_is_fitted

from converter.blocks import Block
from converter.foreign import translated, without_name_warnings
from converter.inputs import Rows
from converter.lowering.absent import AbsentIsMissing
from converter.lowering.clusters import cluster_labels
from converter.lowering.composition import innermost, steps_of
from edge_runtime.bundle.manifest import Label, Output, Task
from edge_runtime.errors import ConversionError, InputError, UnsupportedModelError

Tensors = dict[str, NDArray[Any]]
_LIKE_TRAINING = "Give inputs like those that the model was trained on."
_BOOSTERS = {"catboost", "lightgbm", "xgboost"}
ANOMALY_CLASSES = ("anomaly", "normal")
_OF_TARGETS = (LabelBinarizer, LabelEncoder)  # their `transform` takes one column, as (n,)


MEANINGS = frozenset({"label", "probabilities", "refused", "score", "value"})


@dataclass(frozen=True)
class Answer:
    """What a model says about n inputs.

    tensors: by meaning. `label` int64 (n,), an index into the classes, or (n, m) of m labels;
        `probabilities` (n, k), or (n, m, k) filled up with 0; `score` (n,) of an anomaly model; `value`
        (n,) or (n, …), and where several outputs are values each by its own name, which is none of the
        other meanings. Those that the model's task has.
    margin: (n,), how far the two best class scores lie apart (of several labels, where they lie
        closest); empty where that is not known.
    """

    tensors: Tensors
    margin: NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """A fitted model, its steps in order, as a graph has them, and what it predicts.

    classes: one array of classes a label, in the source's dtype: one for a classification, a clustering
        or an anomaly model, m for a model of m labels, none for values.
    """

    model: Any
    steps: tuple[tuple[str, Any], ...]
    task: Task
    classes: tuple[NDArray[Any], ...] = ()
    is_multi_label: bool = False
    has_probabilities: bool = False

    @property
    def lowered(self) -> Any:
        """What a graph is made of: `model`, or that of its steps where they are not its own alone."""
        own = len(self.steps) == len(steps_of(self.model))
        return self.model if own else Pipeline(list(self.steps))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of a model of one label; else empty."""
        if self.task == "anomaly":
            return ANOMALY_CLASSES
        return () if self.is_multi_label or not self.classes else _names(self.classes[0])

    @property
    def labels(self) -> tuple[Label, ...]:
        """Of a model of several labels; else empty."""
        if not self.is_multi_label:
            return ()
        return tuple(Label(name=str(j), classes=_names(found)) for j, found in enumerate(self.classes))

    @property
    def value_names(self) -> tuple[str, ...]:
        """See `SourceModel`."""
        return () if self.classes else ("value",)

    @property
    def libraries(self) -> tuple[str, ...]:
        """The distributions that it was trained with."""
        used = {type(step).__module__.partition(".")[0] for _, step in self.steps}
        return ("scikit-learn", *sorted(used & _BOOSTERS))

    def describe(self) -> str:
        """Such as `scikit-learn Pipeline(StandardScaler, SVC)`."""
        names = [type(step).__name__ for _, step in steps_of(self.model)]
        whole = type(self.model).__name__
        library = type(self.steps[-1][1]).__module__.partition(".")[0]
        library = {"sklearn": "scikit-learn"}.get(library, library)
        return f"{library} {whole}" + (f"({', '.join(names)})" if [whole] != names else "")

    def run(self, rows: Rows) -> Answer:
        """Ask the model about every row. Raises ConversionError when it refuses them."""
        what = f"the source model {self.describe()} refuses inputs of shape {(len(rows), *rows.shape)}"
        with translated(what, advice=_LIKE_TRAINING):
            answer = self._asked(rows)
        for name, tensor in answer.tensors.items():
            if tensor.shape[:1] != (len(rows),):
                raise ConversionError(
                    f"the source model {self.describe()}: expected a {name} for each of {len(rows)} "
                    f"inputs, found an array of shape {tensor.shape}."
                )
        return answer

    def _asked(self, rows: Rows) -> Answer:
        try:
            return self.ask(self.model, rows.for_source)
        except ValueError as error:
            # KMeans that was fitted in float64 takes float64 alone: the same numbers, then.
            if "Buffer dtype mismatch" not in str(error) or rows.is_table:
                raise
            return self.ask(self.model, lambda: rows.for_source().astype(np.float64))

    def ask(self, model: Any, given: Callable[[], Any]) -> Answer:
        """The answer of `model`, this source's own or its last steps; raises what the library raises.

        given: makes its input, anew for every question: a step with copy=False writes into it.
        """
        with without_name_warnings(), np.errstate(all="ignore"), one_job(model):
            if self.task == "transformation":
                return Answer({"value": _transformed(model, given())}, np.empty(0))
            predicted = np.asarray(model.predict(given()))
            if self.task == "regression":
                return Answer({"value": predicted.astype(np.float64)}, np.empty(0))
            if self.task == "anomaly":
                score = np.asarray(model.decision_function(given()), dtype=np.float64)
                label = (predicted > 0).astype(np.int64)
                return Answer({"label": label, "score": score}, np.abs(score))
            tensors: Tensors = {"label": self._indices(predicted)}
            if self.has_probabilities:
                tensors["probabilities"] = self._probabilities(model.predict_proba(given()))
            return Answer(tensors, self._margin(model, given, tensors))

    def _indices(self, predicted: NDArray[Any]) -> NDArray[np.int64]:
        if not self.is_multi_label:
            return _index(predicted, self.classes[0])
        columns = [_index(predicted[:, j], found) for j, found in enumerate(self.classes)]
        return np.stack(columns, axis=1)

    def _probabilities(self, given: Any) -> NDArray[np.float64]:
        if not self.is_multi_label:
            return np.asarray(given, dtype=np.float64)
        if not isinstance(given, list):  # of each label only how likely its second class is
            given = [np.stack([1 - column, column], axis=1) for column in np.asarray(given).T]
        width = max(member.shape[1] for member in given)
        filled = [np.pad(member, ((0, 0), (0, width - member.shape[1]))) for member in given]
        return np.stack(filled, axis=1).astype(np.float64)

    def _margin(self, model: Any, given: Callable[[], Any], tensors: Tensors) -> NDArray[np.float64]:
        if "probabilities" in tensors:
            far = apart(tensors["probabilities"])
        elif hasattr(model, "decision_function"):
            decision = np.asarray(model.decision_function(given()), dtype=np.float64)
            each = self.is_multi_label or decision.ndim == 1
            far = np.abs(decision) if each else apart(decision)
        else:
            return np.empty(0)
        margin: NDArray[np.float64] = far.reshape(len(far), -1).min(axis=1)
        return margin


def read_source(model: Any, rows: Rows) -> Source:
    """Look at a fitted scikit-learn-like model; `rows` are what it will be asked about.

    Raises UnsupportedModelError for anything else, ConversionError when it is not fitted or refuses
    the first of `rows`, InputError when their shape is not the model's.
    """
    answers = hasattr(model, "predict") or hasattr(model, "transform")
    # CatBoost's models have scikit-learn's methods without its base class.
    if isinstance(model, type) or not hasattr(model, "get_params") or not answers:
        raise UnsupportedModelError(_no_model(model))
    model = innermost(model)
    trained = steps_of(model)
    for name, step in trained:
        _check_fitted(name, step)
    _check_shape(trained[0][1], rows.shape)
    steps = _as_lowered(trained, rows)
    task = _task(model)
    if task in ("regression", "transformation"):
        return Source(model, steps, task)
    if task == "anomaly":
        return Source(model, steps, task, (np.array([-1, 1]),))
    if task == "clustering":
        known = (cluster_labels(steps[-1][1]),)
        return Source(model, steps, task, known, has_probabilities=hasattr(model, "predict_proba"))
    classes, several = _classes(model, rows)
    proba = hasattr(model, "predict_proba")
    return Source(model, steps, task, classes, is_multi_label=several, has_probabilities=proba)


def _no_model(found: Any) -> str:
    """Why this is nothing to convert."""
    if hasattr(found, "get_params") and not isinstance(found, type):
        return (
            f"model: {type(found).__name__} neither predicts nor transforms rows that it was not fitted "
            "on, so a device could ask it nothing. Convert a model that does."
        )
    is_class = isinstance(found, type)
    kind = f"the class {found.__name__}" if is_class else f"an object of type {type(found).__name__}"
    return (
        "model: expected a fitted scikit-learn estimator or a Pipeline that predicts or transforms; "
        f"found {kind}. Give the fitted model itself."
    )


def _task(model: Any) -> Task:
    if is_classifier(model):
        return "classification"
    if is_regressor(model):
        return "regression"
    if is_outlier_detector(model):
        return "anomaly"
    # Clusterers have classes to predict; so have mixtures, which scikit-learn calls density estimators.
    return "clustering" if hasattr(model, "predict") else "transformation"


def _classes(model: Any, rows: Rows) -> tuple[tuple[NDArray[Any], ...], bool]:
    """The classes of each label, and whether there are several labels."""
    found = model.classes_
    if isinstance(found, list):
        return tuple(np.asarray(each) for each in found), True
    what = f"the source model {type(model).__name__} refuses its first input"
    with translated(what, advice=_LIKE_TRAINING), without_name_warnings(), np.errstate(all="ignore"):
        predicted = np.asarray(model.predict(rows.take(slice(1)).for_source()))
    if predicted.ndim == 2 and predicted.shape[1] > 1:  # indicators, a column a label
        return (np.array([0, 1]),) * predicted.shape[1], True
    classes = np.asarray(found)
    if len(classes) < 2:
        raise UnsupportedModelError(
            f"model: expected at least two classes, found {classes.tolist()}: it was trained on one."
        )
    return (classes,), False


def _check_fitted(name: str, step: Any) -> None:
    try:
        check_is_fitted(step)
    except NotFittedError as error:
        raise ConversionError(
            f"step {name!r} ({type(step).__name__}) is not fitted. Call fit on the model first."
        ) from error
    except TypeError as error:
        raise UnsupportedModelError(
            f"step {name!r}: expected a scikit-learn estimator, found {type(step).__name__}."
        ) from error


def _check_shape(first: Any, shape: tuple[int, ...]) -> None:
    """Whether the first step takes inputs of `shape`, (features,) or (samples, axes)."""
    if isinstance(first, Block):
        first.check_shape(shape)
        return
    known = getattr(first, "n_features_in_", None)
    if known is None or isinstance(first, FunctionTransformer):  # the author's own code may take any
        return
    if len(shape) != 1:
        raise InputError(
            f"inputs: expected rows of shape (inputs, features), found {len(shape) + 1} dimensions. "
            "Windows need a block, such as converter.blocks.WindowFeatures, as the first step."
        )
    if known != shape[0]:
        raise InputError(f"inputs: expected {known} features, as in training; found {shape[0]}.")


def _as_lowered(steps: Sequence[tuple[str, Any]], rows: Rows) -> tuple[tuple[str, Any], ...]:
    """The steps as a graph takes them: XGBoost reads a sparse matrix otherwise than its numbers."""
    *before, (name, final) = steps
    if not before or not type(final).__module__.startswith("xgboost"):
        return tuple(steps)
    given = rows.take(slice(1)).for_source()
    with translated("the steps before the model refuse the first input", advice=_LIKE_TRAINING):
        for _, step in before:
            given = step.transform(given)
    between = [("absent", AbsentIsMissing())] if issparse(given) else []
    return (*before, *between, (name, final))


def _transformed(model: Any, given: Any) -> NDArray[np.float64]:
    if isinstance(model, _OF_TARGETS):
        given = np.asarray(given)[:, 0]
    found = model.transform(given)
    dense = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    return dense.astype(np.float64)


def keys_of(outputs: Sequence[Output]) -> dict[str, str]:
    """Under which name `Answer.tensors` has each of a manifest's outputs."""
    several = sum(output.meaning == "value" for output in outputs) > 1
    return {
        output.name: output.name if several and output.meaning == "value" else output.meaning
        for output in outputs
    }


def _names(classes: NDArray[Any]) -> tuple[str, ...]:
    return tuple(str(name) for name in classes.tolist())


def _index(predicted: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    index = {name: i for i, name in enumerate(classes.tolist())}
    found = predicted.reshape(-1).tolist()
    if unknown := [name for name in found if name not in index]:
        raise ConversionError(
            f"the source model answers {unknown[0]!r}, which is none of its classes_: {_listed(index)}. "
            "Let `predict` give what stands in `classes_`."
        )
    return np.array([index[name] for name in found], dtype=np.int64)


def _listed(classes: Iterable[Any]) -> str:
    known = list(classes)
    return ", ".join(map(repr, known[:5])) + (", …" if len(known) > 5 else "")


def apart(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the best two scores on the last axis lie apart; 1 where there is one only."""
    if scores.shape[-1] < 2:
        return np.ones(scores.shape[:-1])
    best = np.partition(scores, -2, axis=-1)
    between: NDArray[np.float64] = best[..., -1] - best[..., -2]
    return between


@contextmanager
def one_job(model: Any) -> Iterator[None]:
    """Run in one thread: forests add their trees in the order threads finish, and sums differ."""
    given = {
        name: value
        for name, value in model.get_params(deep=True).items()
        if name.rsplit("__", 1)[-1] == "n_jobs" and value not in (None, 1)
    }
    if not given:  # CatBoost takes no parameters once it is fitted, not even none
        yield
        return
    model.set_params(**dict.fromkeys(given, 1))
    try:
        yield
    finally:
        model.set_params(**given)
