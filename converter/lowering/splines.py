"""B-splines of each feature as piecewise polynomials."""

from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import SplineTransformer

from converter.lowering.registry import Array, refuse, transforms
from converter.lowering.scaling import as_floating
from edge_runtime.errors import UnsupportedModelError


@transforms(SplineTransformer, reads="given")
def spline_transformer(step: SplineTransformer, x: Array) -> Array:
    """The value of every basis spline at every feature, computed in float64, in the dtype of x.

    With extrapolation="error", rows beyond the knots are refused. A missing value stays one, or is 0 in
    all splines of its feature with handle_missing="zeros".
    """
    x = as_floating(x)
    zeros = getattr(step, "handle_missing", "error") == "zeros"  # since scikit-learn 1.9
    if zeros and step.sparse_output:
        raise UnsupportedModelError(
            "SplineTransformer with handle_missing='zeros' and sparse_output=True cannot be converted: "
            "scikit-learn itself answers a missing value by the other rows it is asked about. Set "
            "sparse_output=False."
        )
    if step.extrapolation == "error":
        first, last = (np.array(ends) for ends in zip(*map(_ends, step.bsplines_), strict=True))
        refuse(np.any((x < first) | (x > last), axis=1), "SplineTransformer: a number beyond the knots")
    degree, blocks = step.degree, []
    for at, spline in enumerate(step.bsplines_):
        column = x[:, at].astype(np.float64)
        if step.extrapolation == "linear":
            # scikit-learn raises a low degree in each feature anew, and so narrows the next one's range.
            reach = degree + 1 if degree <= 1 else degree
            values = _continued(spline, column, degree, reach, linearly=True)
            degree = reach
        elif step.extrapolation == "constant":
            values = _continued(spline, column, degree, degree, linearly=False)
        else:
            values = _evaluated(spline, _in_period(step, spline, column))
        if zeros:
            values = np.where(np.isnan(column)[:, None], 0.0, values)
        blocks.append((values if step.include_bias else values[:, :-1]).astype(x.dtype))
    return np.concatenate(blocks, axis=1)


def _ends(spline: Any, degree: int | None = None) -> tuple[float, float]:
    """The first and the last base knot: `degree` knots lie beyond each."""
    degree = spline.k if degree is None else degree
    return float(spline.t[degree]), float(spline.t[-degree - 1])


def _in_period(step: SplineTransformer, spline: Any, x: Array) -> Array:
    """x moved by whole periods to between the base knots; of a constant feature 0."""
    if step.extrapolation != "periodic":
        return x
    first, last = _ends(spline)
    return first + (x - first) % (last - first) if last > first else np.zeros_like(x)


def _evaluated(spline: Any, x: Array) -> Array:
    """All splines (m) at x (n,): (n, m). Beyond the knots the outermost polynomials go on.

    The polynomial of each interval is its Taylor expansion at the interval's first knot.
    """
    count = len(spline.t) - spline.k - 1
    knots = np.asarray(spline.t[spline.k : count], np.float64)
    interval = np.searchsorted(knots[1:], x, side="right")
    away = (x - np.take(knots, interval))[:, None]
    values: Array = np.take(_taylor(spline, knots, spline.k), interval, axis=0)
    for order in range(spline.k - 1, -1, -1):
        values = values * away + np.take(_taylor(spline, knots, order), interval, axis=0)
    return values


def _taylor(spline: Any, knots: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """The coefficients (intervals, m) of one power."""
    return np.asarray(spline(knots, nu=order), np.float64) / factorial(order)


def _continued(spline: Any, x: Array, degree: int, reach: int, *, linearly: bool) -> Array:
    """The splines between the knots; beyond, the first or last `reach` of them constant or linear."""
    first, last = _ends(spline, degree)
    values = _evaluated(spline, np.clip(x, first, last))
    lowest, highest = np.zeros((2, spline.c.shape[1]), np.bool_)
    lowest[:reach] = True
    highest[-reach:] = True  # all of degree 0, as scikit-learn's slice has it
    for end, kept in ((first, lowest), (last, highest)):
        level = np.where(kept, spline(end), 0.0)
        if linearly:
            level = level + (x - end)[:, None] * np.where(kept, spline(end, nu=1), 0.0)
        beyond = x < end if end is first else x > end
        values = np.where(beyond[:, None], level, values)
    return values
