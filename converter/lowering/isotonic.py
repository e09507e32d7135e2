"""Isotonic regression: straight lines between its thresholds."""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from converter.lowering.registry import Array, regresses, transforms


@transforms(IsotonicRegression)
@regresses(IsotonicRegression)
def isotonic(model: IsotonicRegression, x: Array) -> Array:
    """(n,) for x (n, 1) or (n,): linear between the thresholds, in their dtype.

    Outside them `out_of_bounds` decides: "clip" takes the nearest; "nan" answers NaN, and so does
    "raise", where the source refuses the row and a graph cannot. A single threshold is a
    constant everywhere.
    """
    at = model.X_thresholds_.astype(np.float64)
    values = model.y_thresholds_.astype(np.float64)
    dtype = model.X_thresholds_.dtype
    x = (x[:, 0] if x.ndim == 2 else x).astype(dtype).astype(np.float64)
    if len(at) == 1:
        return np.zeros_like(x).astype(dtype) + values[0].astype(dtype)
    found = np.interp(x, at, values)
    if model.out_of_bounds != "clip":
        found = np.where((x < at[0]) | (x > at[-1]), np.nan, found)
    return found.astype(dtype)
