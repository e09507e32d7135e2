"""The trained model as its author left it: what the variant must agree with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, RFECV
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.validation import check_is_fitted

from converter.foreign import translated, without_name_warnings
from edge_runtime.errors import ConversionError, UnsupportedModelError

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Answer:
    """What a model says about n inputs.

    tensors: by output name. `label` int64 (n,), an index into the classes; `probabilities` (n, k);
        `value` (n,) or (n, m). Of a classifier the first and perhaps the second, else the third.
    margin: (n,), how far the two best class scores lie apart; empty where that is not known.
    """

    tensors: Tensors
    margin: NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """A fitted scikit-learn estimator, its steps in order, and what it predicts.

    classes: as in scikit-learn (any dtype), empty for regression.
    """

    model: Any
    steps: tuple[tuple[str, Any], ...]
    task: Literal["classification", "regression"]
    classes: NDArray[Any]
    has_probabilities: bool

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.classes.tolist())

    def describe(self) -> str:
        """Such as `scikit-learn Pipeline(StandardScaler, SVC)`."""
        names = [type(step).__name__ for _, step in self.steps]
        whole = type(self.model).__name__
        return f"scikit-learn {whole}" + (f"({', '.join(names)})" if [whole] != names else "")

    def run(self, rows: NDArray[np.float32]) -> Answer:
        """Ask the model about every row. Raises ConversionError when it refuses them."""
        return run(self, self.model, rows)


def run(source: Source, model: Any, rows: NDArray[np.float32]) -> Answer:
    """Ask `model`, the source's or the last steps of it; a copy of `rows` is given."""
    # A step with copy=False writes into its input, so each call gets its own.
    what = f"the source model {source.describe()} refuses inputs of shape {rows.shape}"
    with translated(what), without_name_warnings(), np.errstate(all="ignore"), _one_job(model):
        predicted = np.asarray(model.predict(rows.copy()))
        if source.task == "regression":
            return Answer({"value": predicted.astype(np.float64)}, np.empty(0))
        if predicted.ndim != 1:
            raise UnsupportedModelError(
                f"{source.describe()} predicts {predicted.shape[1]} labels for one input; "
                "expected a classifier with one label. Convert one model a label."
            )
        index = {name: i for i, name in enumerate(source.classes.tolist())}
        tensors: Tensors = {"label": np.array([index[name] for name in predicted.tolist()], np.int64)}
        if source.has_probabilities:
            tensors["probabilities"] = np.asarray(model.predict_proba(rows.copy()), np.float64)
            return Answer(tensors, _margin(tensors["probabilities"]))
        if hasattr(model, "decision_function"):
            return Answer(tensors, _margin(np.asarray(model.decision_function(rows.copy()))))
        return Answer(tensors, np.empty(0))


def read_source(model: Any) -> Source:
    """Look at a fitted scikit-learn estimator or Pipeline; a finished search is its best estimator.

    Raises UnsupportedModelError for anything else, ConversionError when it is not fitted.
    """
    model = _unwrapped(model)
    if not isinstance(model, BaseEstimator) or not hasattr(model, "predict"):
        found = model.__name__ + " itself" if isinstance(model, type) else type(model).__name__
        raise UnsupportedModelError(
            "model: expected a fitted scikit-learn classifier, regressor or a Pipeline that ends in "
            f"one; found {found}."
        )
    steps = tuple(_flat("model", model))
    for name, step in steps:
        _check_fitted(name, step)
    if is_classifier(model):
        return Source(model, steps, "classification", _classes(model), hasattr(model, "predict_proba"))
    if is_regressor(model):
        return Source(model, steps, "regression", np.empty(0), False)
    raise UnsupportedModelError(
        f"model: expected a classifier or a regressor, found {type(steps[-1][1]).__name__}, which is "
        "neither."
    )


def _flat(name: str, model: Any, *, is_last: bool = True) -> Iterator[tuple[str, Any]]:
    """Steps of a Pipeline, nested ones too, without those that do nothing or only wrap another."""
    model = _unwrapped(model)
    if isinstance(model, Pipeline):
        for inner, step in model.steps:
            if step is not None and step != "passthrough":
                yield from _flat(inner, step, is_last=is_last and step is model.steps[-1][1])
        return
    yield name, model
    if is_last and type(model) in (RFE, RFECV) and hasattr(model, "estimator_"):
        yield from _flat(f"{name} estimator", model.estimator_)  # fitted on the columns it chose


def _unwrapped(model: Any) -> Any:
    """What a fitted search, a frozen estimator or self-training ends up asking, whatever the input."""
    while True:
        if isinstance(getattr(model, "best_estimator_", None), BaseEstimator):
            model = model.best_estimator_
        elif type(model) is SelfTrainingClassifier and hasattr(model, "estimator_"):
            model = model.estimator_
        elif _is_frozen(model):
            model = model.estimator
        else:
            return model


def _is_frozen(model: Any) -> bool:
    """FrozenEstimator, which scikit-learn has since 1.6."""
    kind = type(model)
    return kind.__name__ == "FrozenEstimator" and kind.__module__.startswith("sklearn.")


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


def _classes(model: Any) -> NDArray[Any]:
    classes = model.classes_
    if isinstance(classes, list):
        raise UnsupportedModelError(
            f"model: {type(model).__name__} predicts {len(classes)} labels for one input; expected a "
            "classifier with one label. Convert one model a label."
        )
    classes = np.asarray(classes)
    if len(classes) < 2:
        raise UnsupportedModelError(
            f"model: expected at least two classes, found {classes.tolist()}: it was trained on one."
        )
    return classes


def _margin(scores: NDArray[Any]) -> NDArray[np.float64]:
    if scores.ndim == 1:  # a binary decision function: the score of one class against the other
        return np.abs(scores.astype(np.float64))
    best = np.partition(scores.astype(np.float64), -2, axis=1)
    margin: NDArray[np.float64] = best[:, -1] - best[:, -2]
    return margin


@contextmanager
def _one_job(model: Any) -> Iterator[None]:
    """Run in one thread: forests add their trees in the order threads finish, and sums differ."""
    given = {
        name: value
        for name, value in model.get_params(deep=True).items()
        if name.rsplit("__", 1)[-1] == "n_jobs" and value not in (None, 1)
    }
    model.set_params(**dict.fromkeys(given, 1))
    try:
        yield
    finally:
        model.set_params(**given)
