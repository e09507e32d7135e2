"""Functions of numpy along the axes that are not the rows, on numbers where kernels differ from it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from converter.tracing import ops
from converter.tracing.errors import TracingError
from tests.converter.tracing.traced import check, run

INF, NAN = np.inf, np.nan
PLAIN = np.array(
    [[3.0, 1.0, 2.0, 3.0], [-1.5, 0.0, -0.0, 2.5], [7.0, 7.0, 7.0, 7.0], [1e3, -1e3, 0.5, 1.0]]
)
HOLES = np.array(
    [[NAN, 1.0, 2.0, NAN], [5.0, NAN, INF, -INF], [NAN, NAN, NAN, NAN], [1.0, 2.0, 3.0, 3.0]]
)
CUBE = np.arange(24.0).reshape(2, 3, 4) % 7 - 3
WIDE = np.random.default_rng(0).normal(size=(5, 33)).round(1)  # ties

ARRAYS = {
    "plain": PLAIN,
    "holes": HOLES,
    "cube": CUBE,
    "wide": WIDE,
    "one row": PLAIN[:1],
    "one column": HOLES[:, :1],
}
Along = Callable[[Any], Any]

EXACT: dict[str, Along] = {
    "max": lambda x: np.max(x, axis=1),
    "min": lambda x: x.min(axis=-1),
    "amax": lambda x: np.amax(x, axis=1),
    "max keeps": lambda x: x.max(axis=1, keepdims=True),
    "ptp": lambda x: np.ptp(x, axis=1),
    "argmax": lambda x: np.argmax(x, axis=1),
    "argmin": lambda x: x.argmin(axis=-1),
    "argmax keeps": lambda x: np.argmax(x, axis=1, keepdims=True),
    "any": lambda x: np.any(x > 0, axis=1),
    "all": lambda x: (x > 0).all(axis=-1),
    "all of numbers": lambda x: np.all(x, axis=1),
    "count": lambda x: np.count_nonzero(x, axis=1),
    "prod of one": lambda x: np.prod(x[:, :1], axis=1),
    "sort": lambda x: np.sort(x, axis=1),
    "sort last": np.sort,
    "argsort": lambda x: np.argsort(x, axis=1, kind="stable"),
    "diff": lambda x: np.diff(x, axis=1),
    "flip": lambda x: np.flip(x, axis=1),
    "roll": lambda x: np.roll(x, 2, axis=1),
    "roll back": lambda x: np.roll(x, -1, axis=-1),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "take": lambda x: np.take(x, [0, -1], axis=1),
    "take one": lambda x: np.take(x, 0, axis=-1),
    "tile": lambda x: np.tile(x, (1, 2) + (1,) * (x.ndim - 2)),
    "clip": lambda x: np.clip(x, -1, 2.5),
    "clip low": lambda x: x.clip(0),
    "clip high": lambda x: x.clip(max=1),
    "round": np.round,
    "round 1": lambda x: np.round(x, 1),
    "round -1": lambda x: x.round(-1),
    "where": lambda x: np.where(x > 0, x, 0),
    "where bool": lambda x: np.where(x > 0, x < 2, True),
    "where whole": lambda x: np.where(x > 0, 1, -1),
    "where promotes": lambda x: np.where(x > 0, x.astype(np.float32), np.float64(1)),
    "where given numbers": lambda x: np.where(x, x, -1.0),
    "select": lambda x: np.select([x > 2, x > 0], [x * 2, -x], default=9),
    "piecewise": lambda x: np.piecewise(x, [x < 0, x > 1], [lambda v: -v, 5, 0.25]),
    "nan to num": np.nan_to_num,
    "nan to one": lambda x: np.nan_to_num(x, nan=1.0, posinf=2),
    "is close": lambda x: np.isclose(x, 3.0),
    "is close nan": lambda x: np.isclose(x, x, equal_nan=True),
    "isin": lambda x: np.isin(x, [3.0, 7.0]),
    "posinf": lambda x: np.isposinf(x) | np.isneginf(x),
    "nanmax": lambda x: np.nanmax(x, axis=1),
    "nanmin": lambda x: np.nanmin(x, axis=1),
    "zeros": np.zeros_like,
    "ones": lambda x: np.ones_like(x, dtype=bool),
    "full": lambda x: np.full_like(x, 7),
    "empty": lambda x: np.empty_like(x, dtype=bool) & False,
    "full of whole": lambda x: np.full_like(x, 3, dtype=np.int64),
    "concatenate": lambda x: np.concatenate([x, x * 2], axis=1),
    "append": lambda x: np.append(x, x, axis=1),
    "concatenate promotes": lambda x: np.concatenate([x > 0, x], axis=-1),
    "hstack": lambda x: np.hstack([x, x]),
    "stack": lambda x: np.stack([x, x + 1, x], axis=-1),
    "stack 1": lambda x: np.stack([x, -x], axis=1),
    "stack first": lambda x: np.moveaxis(np.stack([x, -x]), 0, 1),
    "stack constant": lambda x: np.stack([x, np.zeros_like(x)], axis=1),
    "column stack": lambda x: np.column_stack([x[..., 0], x[..., 0] > 0]) if x.ndim == 2 else x * 1,
    "reshape": lambda x: x.reshape(
        -1, x[:1].size if isinstance(x, np.ndarray) else int(np.prod(x.shape[1:]))
    ),
    "ravel of one": lambda x: x[..., :1].reshape(-1) if x.ndim == 2 else x * 1,
    "transpose": lambda x: np.transpose(np.transpose(x) * 2),
    "T": lambda x: (x.T + 1).T,
    "swapaxes": lambda x: np.swapaxes(np.swapaxes(x, 0, 1), 0, -1).swapaxes(0, -1).swapaxes(0, 1),
    "moveaxis": lambda x: np.moveaxis(np.moveaxis(x, 0, -1) * 1, -1, 0),
    "expand": lambda x: np.expand_dims(x, 1),
    "expand two": lambda x: np.expand_dims(x, (1, -1)),
    "squeeze": lambda x: np.squeeze(x[:, :1], axis=1),
    "squeeze expanded": lambda x: x[:, None].squeeze(1),
    "atleast": np.atleast_2d,
    "copy": lambda x: np.copy(x).copy(),
    "broadcast arrays": lambda x: np.broadcast_arrays(x, x[:, :1])[1] * 1,
    "split": lambda x: np.split(x, x.shape[1], axis=1)[0],
    "array split": lambda x: np.array_split(x, 2, axis=1)[0],
    "hsplit": lambda x: np.hsplit(x, [1])[0],
    "astype": lambda x: (x > 0).astype(np.float32),
    "astype same": lambda x: x.astype(float),
    "flatten": lambda x: x[..., 0].reshape(-1, 1).flatten() if x.ndim == 2 else x * 1,
    "searchsorted": lambda x: np.searchsorted(np.array([-1.0, 0.0, 0.5, 3.0, 7.0]), x),
    "searchsorted right": lambda x: np.searchsorted([-1.0, 0.0, 3.0, 3.0, 7.0], x, side="right"),
    "searchsorted one": lambda x: np.searchsorted(np.array([0.5]), x),
    "searchsorted none": lambda x: np.searchsorted(np.array([]), x),
    "searchsorted whole": lambda x: np.searchsorted(np.array([0, 2, 3]), x),
    "digitize": lambda x: np.digitize(x, [0.0, 1.0, 3.0]),
    "digitize right": lambda x: np.digitize(x, [0.0, 1.0, 3.0], right=True),
    "digitize down": lambda x: np.digitize(x, [3.0, 1.0, 0.0]),
    "take along": lambda x: np.take_along_axis(x, np.argsort(x, axis=1, kind="stable"), axis=1),
    "take along constant": lambda x: (
        np.take_along_axis(x, np.zeros((1,) * x.ndim, int), axis=1) if x.ndim == 2 else x * 1
    ),
    "take of constant": lambda x: ops.take(
        np.array([[1.0, 2], [3, 4], [5, 6]]), np.argmax(x, axis=1) % 3, axis=0
    ),
    "take flat": lambda x: ops.take(np.array([5, 7, 9]), np.argmax(x, axis=1) % 3),
    "norm 1": lambda x: np.linalg.norm(x, ord=np.inf, axis=1),
    "norm 0": lambda x: np.linalg.norm(x, 0, axis=1),
    "max of truths": lambda x: np.max(x > 0, axis=1),
    "argmax of truths": lambda x: np.argmax(x > 0, axis=1),
    "sort truths": lambda x: np.sort(x > 0, axis=1),
    "sum of truths": lambda x: np.sum(x > 0, axis=1),
    "cumsum of truths": lambda x: np.cumsum(x > 0, axis=1),
    "no axes": lambda x: x.sum(axis=()),
}
CLOSE: dict[str, Along] = {  # numpy adds in pairs, the kernel in its own order
    "sum": lambda x: np.sum(x, axis=1),
    "sum keeps": lambda x: x.sum(axis=-1, keepdims=True),
    "sum two": lambda x: x.sum(axis=tuple(range(1, x.ndim))),
    "mean": lambda x: np.mean(x, axis=1),
    "mean of truths": lambda x: np.mean(x > 0, axis=-1),
    "std": lambda x: np.std(x, axis=1),
    "var": lambda x: x.var(axis=-1, ddof=1),
    "prod": lambda x: np.prod(x, axis=1),
    "average": lambda x: np.average(x, axis=1),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "average weighted": lambda x: np.average(x, axis=1, weights=np.arange(1, x.shape[1] + 1)),
    "cumprod": lambda x: np.cumprod(x, axis=1),
    "nansum": lambda x: np.nansum(x, axis=1),
    "nanmean": lambda x: np.nanmean(x, axis=1),
    "nanstd": lambda x: np.nanstd(x, axis=1),
    "nanvar": lambda x: np.nanvar(x, axis=1, ddof=1),
    "nanprod": lambda x: np.nanprod(x, axis=1),
    "median": lambda x: np.median(x, axis=1),
    "median keeps": lambda x: np.median(x, axis=-1, keepdims=True),
    "quantile": lambda x: np.quantile(x, 0.3, axis=1),
    "percentiles": lambda x: np.moveaxis(np.percentile(x, [0, 25, 50, 99, 100], axis=1), 0, 1),
    "norm": lambda x: np.linalg.norm(x, axis=1),
    "norm 1": lambda x: np.linalg.norm(x, 1, axis=-1, keepdims=True),
    "gradient": lambda x: np.gradient(x, axis=1) if x.shape[1] > 1 else x * 1,
    "interp": lambda x: np.interp(x, [-1.0, 0.0, 2.0, 7.0], [5.0, 1.0, 4.0, -2.0]),
    "interp beyond": lambda x: np.interp(x, [0.0, 2.0], [1.0, 4.0], left=-9, right=NAN),
}


@pytest.mark.filterwarnings("ignore")  # numpy's own, of nan and of nothing
@pytest.mark.parametrize("given", ARRAYS)
@pytest.mark.parametrize("name", EXACT)
def test_to_the_bit(name: str, given: str) -> None:
    check(EXACT[name], ARRAYS[given])
    check(EXACT[name], ARRAYS[given].astype(np.float32))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("given", ARRAYS)
@pytest.mark.parametrize("name", CLOSE)
def test_to_the_last_digits(name: str, given: str) -> None:
    array = ARRAYS[given]
    check(CLOSE[name], array, rtol=1e-14, atol=1e-14)
    check(CLOSE[name], array.astype(np.float32), rtol=1e-6, atol=1e-5)


WHOLE = (
    "max",
    "min",
    "argmax",
    "argmin",
    "sort",
    "argsort",
    "diff",
    "clip high",
    "where",
    "where whole",
    "isin",
    "concatenate",
    "zeros",
    "round",
    "searchsorted",
    "take along",
    "ptp",
    "all of numbers",
    "nan to num",
    "count",
    "select",
    "nanmax",
    "flip",
)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("name", WHOLE)
def test_of_whole_numbers(name: str, dtype: str) -> None:
    check(EXACT[name], np.array([[5, 1, 7, 7], [0, 250, 3, 3]]).astype(dtype))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize(
    "name", ["sum", "mean", "std", "prod", "cumsum", "nanmean", "cumprod", "nansum"]
)
def test_sums_of_whole_numbers(name: str, dtype: str) -> None:
    if dtype == "uint8" and name in ("sum", "prod", "cumsum", "cumprod", "nansum"):
        with pytest.raises(TracingError, match="uint64"):
            run(CLOSE[name], np.array([[5, 1]], np.uint8))
        return
    check(CLOSE[name], np.array([[5, 1, 7, 7], [0, 50, 3, 3]]).astype(dtype), rtol=1e-15)


MATRIX = np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 3.0], [2.0, 2.0]])
PRODUCTS: list[Along] = [
    lambda x: x @ MATRIX,
    lambda x: x @ MATRIX[:, 0],
    lambda x: np.matmul(x, MATRIX),
    lambda x: x.dot(MATRIX),
    lambda x: np.dot(x, MATRIX),
    lambda x: np.inner(x, MATRIX.T),
    lambda x: (MATRIX.T @ x.T).T,
    lambda x: np.einsum("ij,jk->ik", x, MATRIX),
    lambda x: np.einsum("ij,ij->i", x, x),
    lambda x: np.einsum("ij,kj", x, MATRIX.T),
    lambda x: np.tensordot(x, MATRIX, axes=1),
    lambda x: np.tensordot(x, MATRIX, axes=([1], [0])),
    lambda x: x[:, None, :] @ MATRIX,
    lambda x: (x[:, None, :] @ x[:, :, None])[:, 0, 0],
    lambda x: np.dot(x, 2.0),
    lambda x: (x > 0) @ (MATRIX > 0),
    lambda x: (x > 0).astype(np.int64) @ np.ones((4, 2), np.int64),
    lambda x: x @ np.ones((4, 2), np.float32),
    lambda x: np.array([1.0, 2.0, 3.0, 4.0]) @ x.T,
]


@pytest.mark.parametrize("place", range(len(PRODUCTS)))
def test_products(place: int) -> None:
    check(PRODUCTS[place], PLAIN[:3], rtol=1e-15)
    check(PRODUCTS[place], PLAIN[:3].astype(np.float32), rtol=1e-6)


MIXES_ROWS: list[Along] = [
    lambda x: x.mean(axis=0),
    np.sum,
    lambda x: np.max(x, axis=(0, 1)),
    lambda x: np.sort(x, axis=0),
    lambda x: np.cumsum(x, axis=0),
    lambda x: np.concatenate([x, x]),
    lambda x: np.vstack([x, x]),
    lambda x: np.flip(x, 0),
    lambda x: np.roll(x, 1),
    np.ravel,
    lambda x: x.reshape(2, -1),
    lambda x: x.T @ x,
    lambda x: x[:, None] - x[None],
    lambda x: x - x[:, 0],
    lambda x: x @ x.T,
    lambda x: np.median(x, axis=0),
    lambda x: np.einsum("ij,ij->j", x, x),
    lambda x: np.einsum("ij,kj->ik", x, x),
    lambda x: np.tile(x, (2, 1)),
    lambda x: np.argsort(x, axis=None),
    lambda x: np.hstack([x[:, 0], x[:, 1]]),
    lambda x: np.take(x, [0], axis=0),
    lambda x: np.split(x, 2)[0],
    lambda x: x + np.ones((4, 1)),
    lambda x: np.concatenate([x, np.ones((4, 1))], axis=1),
    lambda x: np.append(x, 1.0),
]


@pytest.mark.parametrize("place", range(len(MIXES_ROWS)))
def test_what_mixes_rows_is_refused(place: int) -> None:
    with pytest.raises(TracingError):
        run(MIXES_ROWS[place], PLAIN)


def test_errors_that_numpy_would_raise_are_numpys() -> None:
    for wrong in (
        lambda x: x + np.ones(3),
        lambda x: x.sum(axis=2),
        lambda x: np.squeeze(x, axis=1),
        lambda x: x @ np.ones((3, 2)),
        lambda x: np.max(x[:, :0], axis=1),
        lambda x: np.expand_dims(x, 5),
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            wrong(PLAIN)
        with pytest.raises(ValueError):  # noqa: PT011
            run(wrong, PLAIN)


def test_nothing_along_an_axis() -> None:
    for function in (
        lambda x: x[:, :0].sum(axis=1),
        lambda x: np.any(x[:, :0], axis=1),
        lambda x: np.all(x[:, :0], axis=1),
        lambda x: np.concatenate([x[:, :0], x], axis=1),
        lambda x: x[:, :0] + 1,
        lambda x: np.prod(x[:, 2:2], axis=1),
    ):
        check(function, PLAIN)


def test_options_without_a_form_are_refused() -> None:
    for function in (
        lambda x: np.sum(x, axis=1, initial=3),
        lambda x: np.quantile(x, 0.5, axis=1, method="lower"),
        lambda x: np.reshape(x, (-1, 2, 2), order="F"),
        lambda x: np.diff(x, axis=1, prepend=0),
        lambda x: np.linalg.norm(x, ord="fro"),
        lambda x: np.average(x, axis=1, weights=x, returned=True),
        lambda x: np.where(x > 0),
        lambda x: ops.take(np.ones(3), x),
        lambda x: np.searchsorted(x[:, 0], 3.0),
        np.linalg.inv,
        np.unique,
        lambda x: np.interp(1.0, x[:, 0], x[:, 1]),
        lambda x: np.sum(x, axis=1, where=x > 0),
    ):
        with pytest.raises((TracingError, TypeError)):
            run(function, PLAIN)


def test_extremes_of_numbers_are_one_node() -> None:
    for array in (PLAIN.astype(np.float32), CUBE):
        check(lambda x: ops.largest(x, axis=1), array)
        check(lambda x: ops.smallest(x, axis=-1, keepdims=True), array)


def test_whole_numbers_are_divided_towards_zero() -> None:
    limits = np.iinfo(np.int64)
    whole = np.array([[7, -7, 0, 86_399], [limits.max, limits.min, -1, 1]])
    check(lambda x: ops.truncated(x, 7), whole)
    check(lambda x: ops.truncated(x, np.array([1, 2, 3, 86_400])), whole)
    assert ops.truncated(np.array([-7, 7]), 2).tolist() == [-3, 3]
