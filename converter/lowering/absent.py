"""What a sparse matrix does not hold, for a model that takes it for missing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from converter.lowering.registry import Array, transforms


class AbsentIsMissing(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Goes between a step that gives a sparse matrix and XGBoost, which sends a number that such a
    matrix does not hold where it sends NaN (src/data/adapter.h: a CSR row has only what is stored).
    In a graph, and in an array of the same numbers, those are zeros.
    """

    def fit(self, _x: Any, _y: Any = None) -> "AbsentIsMissing":
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, x: NDArray[Any]) -> NDArray[Any]:
        """x: (n, features), dense."""
        return np.where(x == 0, np.nan, x)


@transforms(AbsentIsMissing)
def absent_is_missing(_: AbsentIsMissing, x: Array) -> Array:
    """NaN for each zero of float64: a tiny number is held, and XGBoost makes it a zero of float32."""
    return np.where(x == 0, np.nan, x)
