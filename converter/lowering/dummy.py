"""Models that look at no feature."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor

from converter.lowering.labels import several
from converter.lowering.registry import Array, Scores, classifies, regresses
from converter.lowering.table import Table
from converter.tracing.ops import constant_like
from edge_runtime.errors import UnsupportedModelError


@regresses(DummyRegressor, reads="table")
def dummy_regressor(model: DummyRegressor, x: Table) -> Array:
    """The constant that `fit` found; (n,) of one target, (n, m) of several."""
    found = constant_like(x.blocks[0], np.asarray(model.constant_, dtype=np.float64).ravel())
    return found[:, 0] if model.n_outputs_ == 1 else found


@classifies(DummyClassifier, reads="table")
def dummy_classifier(model: DummyClassifier, x: Table) -> Scores:
    """The same class and the same probabilities for every row, of each label."""
    strategy = model._strategy  # what `fit` used
    if strategy not in ("constant", "most_frequent", "prior"):
        raise UnsupportedModelError(
            f"DummyClassifier with strategy={strategy!r} answers at random: fit it with "
            "strategy='prior'."
        )
    if model.sparse_output_:
        raise UnsupportedModelError(
            "DummyClassifier fitted on a sparse y answers with a sparse matrix: fit it on y.toarray()."
        )
    if model.n_outputs_ == 1:
        return _always(x, *_answer(model, model.classes_, model.class_prior_, model.constant))
    constants = [None] * model.n_outputs_ if model.constant is None else np.ravel(model.constant)
    answers = zip(model.classes_, model.class_prior_, constants, strict=True)
    return several([_always(x, *_answer(model, *answer)) for answer in answers])


def _answer(model: Any, classes: Any, prior: Any, constant: Any) -> tuple[int, NDArray[np.float64]]:
    """The class's index and the probabilities."""
    if model._strategy == "constant":
        (found,) = np.nonzero(np.asarray(classes) == constant)
        index = int(found[0])
    else:
        index = int(np.argmax(prior))
    if model._strategy == "prior":
        return index, np.asarray(prior, dtype=np.float64)
    return index, np.eye(len(classes))[index]


def _always(x: Table, index: int, probabilities: NDArray[np.float64]) -> Scores:
    rows = x.blocks[0]
    return Scores(constant_like(rows, np.array([index]))[:, 0], constant_like(rows, probabilities))
