"""B-splines of each feature as piecewise polynomials."""

from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import SplineTransformer

from converter.lowering.intervals import places, taken
from converter.lowering.registry import Array, refuse, transforms
from converter.lowering.scaling import as_floating
from edge_runtime.errors import UnsupportedModelError

Numbers = NDArray[np.float64]


@transforms(SplineTransformer, reads="given")
def spline_transformer(step: SplineTransformer, x: Array) -> Array:
    """The value of every basis spline at every feature, computed in float64, in the dtype of x.

    With extrapolation="error", rows beyond the knots are refused. A missing value stays one, or is 0 in
    all splines of its feature with handle_missing="zeros".
    """
    zeros = getattr(step, "handle_missing", "error") == "zeros"  # since scikit-learn 1.9
    if zeros and step.sparse_output:
        raise UnsupportedModelError(
            "SplineTransformer with handle_missing='zeros' and sparse_output=True cannot be converted: "
            "scikit-learn itself answers a missing value by the other rows it is asked about. Set "
            "sparse_output=False."
        )
    x = as_floating(x)
    exact, splines = x.astype(np.float64), step.bsplines_
    if step.extrapolation in ("constant", "linear"):
        values = _continued(step, exact)
    else:
        first, last = _ends(splines, [step.degree] * len(splines))
        if step.extrapolation == "error":
            refuse(
                np.any((x < first) | (x > last), axis=1), "SplineTransformer: a number beyond the knots"
            )
        if step.extrapolation == "periodic":
            period = last - first
            within = first + (exact - first) % np.where(period > 0.0, period, 1.0)
            exact = np.where(period > 0.0, within, 0.0)  # of a constant feature, as scikit-learn
        values = _evaluated(splines, exact)
    if zeros:
        values = np.where(np.isnan(x)[:, :, None], 0.0, values)
    values = values if step.include_bias else values[:, :, :-1]
    return values.reshape(-1, int(values.shape[1]) * int(values.shape[2])).astype(x.dtype)


def _ends(splines: list[Any], degrees: list[int]) -> tuple[Numbers, Numbers]:
    """The first and the last base knot of each feature: `degree` knots lie beyond each."""
    pairs = list(zip(splines, degrees, strict=True))
    first = np.array([spline.t[degree] for spline, degree in pairs], np.float64)
    return first, np.array([spline.t[-degree - 1] for spline, degree in pairs], np.float64)


def _evaluated(splines: list[Any], x: Array) -> Array:
    """All splines (m) of each feature at x (n, features): (n, features, m).

    The polynomial of each interval is its Taylor expansion at the interval's first knot. Beyond the
    knots the outermost polynomials go on.
    """
    degree, count = splines[0].k, len(splines[0].t) - splines[0].k - 1
    knots = np.stack([np.asarray(spline.t[degree:count], np.float64) for spline in splines])
    interval = places(x, list(knots[:, 1:]), "right")
    away = (x - taken(knots, interval))[:, :, None]
    values = taken(_taylor(splines, knots, degree), interval)
    if not degree:
        return np.where(np.isnan(away), np.nan, values)
    for order in range(degree - 1, -1, -1):
        values = values * away + taken(_taylor(splines, knots, order), interval)
    return values


def _taylor(splines: list[Any], knots: Numbers, order: int) -> Numbers:
    """The coefficients (features, intervals, m) of one power."""
    found = [spline(own, nu=order) for spline, own in zip(splines, knots, strict=True)]
    return np.asarray(found, np.float64) / factorial(order)


def _continued(step: SplineTransformer, x: Array) -> Array:
    """The splines between the knots; beyond, the outermost of them constant or linear.

    reach: how many at each end, of each feature.
    """
    splines, linearly = step.bsplines_, step.extrapolation == "linear"
    degrees, reach = [step.degree] * len(splines), [step.degree] * len(splines)
    if linearly:
        # scikit-learn raises a low degree in each feature anew, and so narrows the next one's range.
        reach = [max(step.degree, min(step.degree + 1 + at, 2)) for at in range(len(splines))]
        degrees = [step.degree, *reach[:-1]]
    first, last = _ends(splines, degrees)
    values = _evaluated(splines, np.minimum(np.maximum(x, first), last))
    for ends, is_first in ((first, True), (last, False)):
        kept = _outermost(splines[0].c.shape[1], reach, is_first=is_first)
        level: Array = np.where(kept, _at(splines, ends, 0), 0.0)
        if linearly:
            level = level + (x - ends)[:, :, None] * np.where(kept, _at(splines, ends, 1), 0.0)
        beyond = x < ends if is_first else x > ends
        values = np.where(beyond[:, :, None], level, values)
    return values


def _outermost(count: int, reach: list[int], *, is_first: bool) -> NDArray[np.bool_]:
    """Which splines (features, m) go on beyond an end."""
    kept = np.zeros((len(reach), count), np.bool_)
    for row, many in zip(kept, reach, strict=True):
        row[slice(many) if is_first else slice(-many, None)] = (
            True  # of degree 0 none, and at the end all
        )
    return kept


def _at(splines: list[Any], ends: Numbers, order: int) -> Numbers:
    """Values or slopes (features, m) at one number a feature."""
    return np.array([spline(end, nu=order) for spline, end in zip(splines, ends, strict=True)])
