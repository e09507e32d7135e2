"""Isotonic regression: straight lines between its thresholds."""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from converter.lowering.registry import Array, refuse, regresses, transforms


@transforms(IsotonicRegression)
@regresses(IsotonicRegression)
def isotonic(model: IsotonicRegression, x: Array) -> Array:
    """(n,) for x (n, 1) or (n,): linear between the thresholds, in their dtype.

    Outside them `out_of_bounds` decides: "clip" takes the nearest, "nan" answers NaN, "raise" refuses
    the row. A single threshold is a constant everywhere.
    """
    at = model.X_thresholds_.astype(np.float64)
    values = model.y_thresholds_.astype(np.float64)
    dtype = model.X_thresholds_.dtype
    x = (x[:, 0] if x.ndim == 2 else x).astype(dtype).astype(np.float64)
    if len(at) == 1:
        return np.zeros_like(x).astype(dtype) + values[0].astype(dtype)
    found = np.interp(x, at, values)
    outside = (x < at[0]) | (x > at[-1])
    if model.out_of_bounds == "raise":
        refuse(outside, "IsotonicRegression: a number beyond those of training")
    if model.out_of_bounds == "nan":
        found = np.where(outside, np.nan, found)
    return found.astype(dtype)
