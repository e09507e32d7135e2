"""The way back through a transformation of targets, for TransformedTargetRegressor."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import erf
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from converter.lowering.registry import Array
from converter.tracing.trace import trace
from edge_runtime.errors import UnsupportedModelError


def inverse_transform(step: Any, y: Array) -> Array:
    """What `step.inverse_transform` makes of y (n, m), float64. Raises UnsupportedModelError."""
    inverse = _INVERSES.get(type(step))
    if inverse is None:
        raise UnsupportedModelError(
            f"{type(step).__name__} cannot be converted as the transformer of a target: no way back is "
            "known. Use one of scikit-learn's scalers or a FunctionTransformer."
        )
    return inverse(step, y)


def _function(step: FunctionTransformer, y: Array) -> Array:
    if step.inverse_func is None:
        return y
    arguments = step.inv_kw_args or {}
    return trace(lambda given: step.inverse_func(given, **arguments), y, code=step.inverse_func)


def _standard(step: StandardScaler, y: Array) -> Array:
    y = y * step.scale_ if step.with_std else y
    return y + step.mean_ if step.with_mean else y


def _min_max(step: MinMaxScaler, y: Array) -> Array:
    return (y - step.min_) / step.scale_


def _max_abs(step: MaxAbsScaler, y: Array) -> Array:
    return y * step.scale_


def _robust(step: RobustScaler, y: Array) -> Array:
    y = y * step.scale_ if step.with_scaling else y
    return y + step.center_ if step.with_centering else y


def _power(step: PowerTransformer, y: Array) -> Array:
    if step.standardize:
        y = _standard(step._scaler, y)
    back = _box_cox if step.method == "box-cox" else _yeo_johnson
    return np.stack([back(y[:, i], power) for i, power in enumerate(step.lambdas_)], axis=1)


def _box_cox(y: Array, power: float) -> Array:
    return np.exp(y) if power == 0 else np.exp(np.log1p(power * y) / power)


def _yeo_johnson(y: Array, power: float) -> Array:
    """Both branches see only numbers on their own side of 0: the other would give NaN."""
    tiny = np.spacing(1.0)
    above, below = np.maximum(y, 0.0), np.minimum(y, 0.0)
    positive = np.exp(above) - 1 if abs(power) < tiny else np.power(above * power + 1, 1 / power) - 1
    other = 2 - power
    negative = 1 - (np.exp(-below) if abs(other) <= tiny else np.power(1 - other * below, 1 / other))
    return np.where(y >= 0, positive, negative)


def _quantile(step: QuantileTransformer, y: Array) -> Array:
    normal = step.output_distribution == "normal"
    columns = []
    for i in range(int(y.shape[1])):
        quantiles, given = step.quantiles_[:, i], y[:, i]
        share = 0.5 * (1 + erf(given / np.sqrt(2.0))) if normal else given
        back = np.interp(share, step.references_, quantiles)
        bound = 1e-7 if normal else 0.0  # scikit-learn's BOUNDS_THRESHOLD
        back = np.where(share + bound > 1 if normal else share == 1, quantiles[-1], back)
        columns.append(np.where(share - bound < 0 if normal else share == 0, quantiles[0], back))
    return np.stack(columns, axis=1)


_INVERSES: dict[type, Callable[[Any, Array], Array]] = {
    FunctionTransformer: _function,
    MaxAbsScaler: _max_abs,
    MinMaxScaler: _min_max,
    PowerTransformer: _power,
    QuantileTransformer: _quantile,
    RobustScaler: _robust,
    StandardScaler: _standard,
}
