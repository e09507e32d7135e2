"""Scalers and element-wise transformers, in the input's own float dtype.

scikit-learn computes these in place, so each operation rounds back to the dtype of the rows. The same
operations in the same order give the same float32, and a tree behind them goes the same way.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from converter.lowering.intervals import places, taken
from converter.lowering.registry import Array, refuse, transforms
from converter.tracing import ops

Powers = NDArray[np.float64]

_QUANTILE_BOUND = 1e-7  # scikit-learn's BOUNDS_THRESHOLD: so near to an end is the end


def as_floating(x: Array) -> Array:
    """Rows as scikit-learn's checks convert them: float32 and float64 stay, all else is float64."""
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


@transforms(StandardScaler, reads="given")
def standard_scaler(step: StandardScaler, x: Array) -> Array:
    """(x - mean) / scale, both rounded to the dtype of x first."""
    x = as_floating(x)
    if step.with_mean:
        x = x - step.mean_.astype(x.dtype)
    return x / step.scale_.astype(x.dtype) if step.with_std else x


@transforms(MinMaxScaler, reads="given")
def min_max_scaler(step: MinMaxScaler, x: Array) -> Array:
    """x scale + min, within `feature_range` where `clip` asks for it."""
    x = as_floating(x)
    x = (x * step.scale_).astype(x.dtype)
    x = (x + step.min_).astype(x.dtype)
    return _clipped(x, *step.feature_range) if step.clip else x


@transforms(MaxAbsScaler, reads="given")
def max_abs_scaler(step: MaxAbsScaler, x: Array) -> Array:
    """x / scale, within -1 and 1 where `clip` asks for it."""
    x = as_floating(x)
    x = (x / step.scale_).astype(x.dtype)
    # Since scikit-learn 1.9.
    return _clipped(x, -1.0, 1.0) if getattr(step, "clip", False) else x


@transforms(RobustScaler, reads="given")
def robust_scaler(step: RobustScaler, x: Array) -> Array:
    """(x - center) / scale."""
    x = as_floating(x)
    if step.with_centering:
        x = (x - step.center_).astype(x.dtype)
    return (x / step.scale_).astype(x.dtype) if step.with_scaling else x


@transforms(Normalizer, reads="given")
def normalizer(step: Normalizer, x: Array) -> Array:
    """Each row over its norm; a norm of nearly nothing counts as 1."""
    x = as_floating(x)
    if step.norm == "l1":
        norm = np.sum(np.abs(x), axis=1, keepdims=True)
    elif step.norm == "l2":
        norm = np.sqrt(np.sum(x * x, axis=1, keepdims=True))
    else:
        norm = np.max(np.abs(x), axis=1, keepdims=True)
    nothing = norm < 10 * np.finfo(x.dtype).eps  # as sklearn.preprocessing._data has it
    return x / np.where(nothing, np.ones((), x.dtype), norm)


@transforms(Binarizer, reads="given")
def binarizer(step: Binarizer, x: Array) -> Array:
    """1 above the threshold, else 0, in the dtype of x."""
    return (as_floating(x) > step.threshold).astype(x.dtype)


@transforms(PowerTransformer, reads="given")
def power_transformer(step: PowerTransformer, x: Array) -> Array:
    """Box-Cox or Yeo-Johnson with each feature's own lambda, then standardized. NaN stays NaN."""
    x = as_floating(x)
    if step.method == "box-cox":
        refuse(np.any(x <= 0.0, axis=1), "PowerTransformer: Box-Cox takes numbers above 0 only")
    exact = x.astype(np.float64)
    tiny = np.finfo(np.result_type(x.dtype, step.lambdas_.dtype)).eps
    change = _box_cox if step.method == "box-cox" else _yeo_johnson
    made = change(exact, step.lambdas_.astype(np.float64), float(tiny)).astype(x.dtype)
    return standard_scaler(step._scaler, made) if step.standardize else made


def _box_cox(x: Array, powers: Powers, _: float) -> Array:
    """(x**λ - 1) / λ, the logarithm at 0, as scipy.special.boxcox: not at 0 or below."""
    return _powered(np.log(x), powers, np.abs(powers) < 1e-19)


def _yeo_johnson(x: Array, powers: Powers, tiny: float) -> Array:
    """As scipy.stats.yeojohnson; each branch sees only its own side of 0, and NaN."""
    positive = _powered(np.log1p(np.maximum(x, 0.0)), powers, np.abs(powers) < tiny)
    others = 2.0 - powers
    negative = -_powered(np.log1p(-np.minimum(x, 0.0)), others, np.abs(others) <= tiny)
    return np.where(x >= 0.0, positive, negative)


def _powered(logarithm: Array, powers: Powers, none: NDArray[np.bool_]) -> Array:
    """(exp(λ l) - 1) / λ of each column, and l where λ is 0."""
    powers = np.where(none, 1.0, powers)
    found = np.expm1(powers * logarithm) / powers
    return np.where(none, logarithm, found) if none.any() else found


@transforms(QuantileTransformer, reads="given")
def quantile_transformer(step: QuantileTransformer, x: Array) -> Array:
    """The share of training rows below x, or the normal distribution's value for it. NaN stays NaN."""
    x = as_floating(x)
    first, last = step.quantiles_[0], step.quantiles_[-1]
    share = _share(step, x.astype(np.float64)).astype(x.dtype)
    one, none = np.ones((), x.dtype), np.zeros((), x.dtype)
    if step.output_distribution == "uniform":
        share = np.where(x >= last, step.references_[-1].astype(x.dtype), share)
        return np.where(x <= first, none, share)
    share = np.where(x + _QUANTILE_BOUND > last, one, share)
    share = np.where(x - _QUANTILE_BOUND < first, none, share)
    bound = _QUANTILE_BOUND - np.spacing(1)
    return normal_quantile(np.clip(share.astype(np.float64), bound, 1 - bound)).astype(x.dtype)


def _share(step: QuantileTransformer, x: Array) -> Array:
    """Interpolated from both ends, as np.interp does: of equal quantiles the middle one counts."""
    shares, quantiles = step.references_.astype(np.float64), step.quantiles_.T.astype(np.float64)
    if len(shares) == 1:
        shares, quantiles = np.repeat(shares, 2), np.repeat(quantiles, 2, axis=1)
    widths = np.diff(quantiles, axis=1)
    slopes = np.diff(shares) / np.where(widths > 0.0, widths, np.inf)
    most = len(shares) - 1
    below = np.clip(places(x, list(quantiles), "right") - 1, 0, most - 1)
    up = taken(slopes, below) * (x - taken(quantiles, below)) + ops.take(shares, below)
    above = np.clip(places(x, list(quantiles), "left"), 1, most)
    down = ops.take(shares, above) - taken(slopes, above - 1) * (taken(quantiles, above) - x)
    return 0.5 * (up + down)


# Numerators and denominators of the two rational functions, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip


def normal_quantile(share: Array) -> Array:
    """The inverse of the standard normal distribution's cdf, for shares from 1e-11 to 1 - 1e-11.

    Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988), accurate to about 1e-15; its third
    interval is for shares beyond those.
    """
    from_middle = share - 0.5
    near = np.abs(from_middle) <= 0.425
    squared = 0.180625 - np.where(near, from_middle * from_middle, 0.0)
    centre = from_middle * _ratio(*_CENTRE, squared)
    rest = np.minimum(share, 1.0 - share)
    far = _ratio(*_TAIL, np.sqrt(-np.log(np.where(near, 0.01, rest))) - 1.6)
    return np.where(near, centre, np.sign(from_middle) * far)


def _ratio(above: tuple[float, ...], below: tuple[float, ...], at: Array) -> Array:
    return _polynomial(above, at) / _polynomial(below, at)


def _polynomial(coefficients: tuple[float, ...], at: Array) -> Array:
    value = coefficients[0] * at + coefficients[1]
    for each in coefficients[2:]:
        value = value * at + each
    return value


def _clipped(x: Array, low: float, high: float) -> Array:
    """Within bounds rounded to the dtype of x; NaN stays NaN."""
    return np.minimum(np.maximum(x, np.asarray(low, x.dtype)), np.asarray(high, x.dtype))
