"""Parts of arrays, read and written; what numpy makes a view of, and what it copies."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from converter.tracing import ops
from converter.tracing.errors import TracingError
from tests.converter.tracing.traced import check, run

X = np.array([[1.0, -2.0, 3.0, np.nan], [5.0, 6.0, -7.0, 8.0], [0.5, 0.0, -0.0, 9.0]])
CUBE = np.arange(60.0).reshape(3, 4, 5)
ODD = np.array([True, False, True, False])

READS: dict[str, Callable[[Any], Any]] = {
    "one column": lambda x: x[:, 1],
    "last column": lambda x: x[:, -1],
    "columns": lambda x: x[:, 1:3],
    "every other": lambda x: x[:, ::2],
    "reversed": lambda x: x[:, ::-1],
    "from the end": lambda x: x[:, -2:],
    "none": lambda x: x[:, 2:2],
    "list": lambda x: x[:, [2, 0, 0]],
    "negative list": lambda x: x[:, [-1, 1]],
    "array": lambda x: x[:, np.array([[0, 1], [2, 3]])],
    "mask": lambda x: x[:, ODD],
    "numpy number": lambda x: x[:, np.int64(2)],
    "all": lambda x: x[:] * 1,
    "dots": lambda x: x[..., 0],
    "new axis": lambda x: x[:, None],
    "new last": lambda x: x[..., np.newaxis],
    "new first": lambda x: x[None][0],
    "column kept": lambda x: x[:, 1, None],
    "middle new": lambda x: x[:, None, 1:3],
    "transposed row": lambda x: x.T[1],
    "transposed rows": lambda x: x.T[1:3].T,
    "unpacked": lambda x: [*x.T][2],
    "transposed list": lambda x: x.T[[2, 0]].T,
}
CUBE_READS: dict[str, Callable[[Any], Any]] = {
    "one": lambda x: x[:, 1, 2],
    "row": lambda x: x[:, 1],
    "both slices": lambda x: x[:, 1:3, ::2],
    "slice and list": lambda x: x[:, 1:, [0, 4]],
    "pairs": lambda x: x[:, [0, 1], [2, 3]],
    "grid": lambda x: x[:, np.array([[0], [1]]), np.array([2, 3])],
    "int and list": lambda x: x[:, 1, [0, 2]],
    "mask of both": lambda x: x[:, np.arange(20).reshape(4, 5) % 3 == 0],
    "dots": lambda x: x[..., -1],
    "all new": lambda x: x[:, None, :, None, 2],
    "upper": lambda x: x[(slice(None), *np.triu_indices(4, 1, 5))],
    "new before rows": lambda x: x[None, :, 1][0],
}


@pytest.mark.parametrize("name", READS)
def test_reading(name: str) -> None:
    check(READS[name], X)
    check(READS[name], X[:1].astype(np.float32))


@pytest.mark.parametrize("name", CUBE_READS)
def test_reading_three_axes(name: str) -> None:
    check(CUBE_READS[name], CUBE)
    check(CUBE_READS[name], CUBE.astype(np.int64))


def test_texts_and_conditions_are_read_as_well() -> None:
    texts = np.array([["a", "b"], ["c", "d"]], dtype=object)
    check(lambda x: x[:, [1, 0]], texts)
    check(lambda x: np.where(x[:, :1] == "a", x[:, 1:], "none"), texts)
    check(lambda x: (x > 0)[:, 1:], X)


ROWS: list[Callable[[Any], Any]] = [
    lambda x: x[0],
    lambda x: x[:2],
    lambda x: x[::-1],
    lambda x: x[[0, 1]],
    lambda x: x[0, 1],
    lambda x: x[-1:],
    lambda x: x[np.array([True, False, True])],
    lambda x: x.T[:, 0],
    lambda x: x[..., 0][1],
    lambda x: x[x > 0],
    lambda x: x[:, 0][x[:, 1] > 0],
    lambda x: x[np.argmax(x, axis=1)],
]


@pytest.mark.parametrize("place", range(len(ROWS)))
def test_picking_rows_is_refused(place: int) -> None:
    with pytest.raises(TracingError, match=r"rows|depends on data"):
        run(ROWS[place], X)


def test_an_index_out_of_bounds_is_numpys_error() -> None:
    for wrong in (lambda x: x[:, 4], lambda x: x[:, [0, 9]], lambda x: x[:, 0, 0], lambda x: x[:, "a"]):
        with pytest.raises(IndexError):
            wrong(X)
        with pytest.raises(IndexError):
            run(wrong, X)


def written(*statements: str, then: str = "x") -> Callable[[Any], Any]:
    """A function that runs statements on its argument, copied first, and returns an expression."""

    def function(x: Any) -> Any:
        names: dict[str, Any] = {"x": x.copy(), "np": np}
        for statement in statements:
            exec(statement, names)
        return eval(then, names)

    return function


WRITES = {
    "a column": written("x[:, 0] = 7"),
    "a column of data": written("x[:, 0] = x[:, 1] * 2"),
    "columns": written("x[:, 1:3] = x[:, :2]"),
    "a list": written("x[:, [3, 0]] = x[:, [0, 3]]"),
    "a mask of columns": written("x[:, np.arange(x.shape[1]) % 2 == 0] = -1"),
    "twice the same": written("x[:, [0, 0]] = np.array([1.0, 2.0])"),
    "everything": written("x[:] = x * 2"),
    "dots": written("x[...] = 1"),
    "a row of constants": written("x[:, 1:3] = [5, 6]"),
    "through a mask": written("x[x < 0] = 0"),
    "nan away": written("x[np.isnan(x)] = -1"),
    "by rows": written("x[x[:, 0] > 1] = 3"),
    "a row by rows": written("x[x[:, 0] > 1] = np.arange(4)"),
    "in place": written("x += 1"),
    "in place, a column": written("x[:, 0] += x[:, 1]"),
    "in place, columns": written("x[:, [0, 2]] *= 2"),
    "a power": written("x **= 2"),
    "out": written("np.add(x, 1, out=x)"),
    "clip out": written("np.clip(x, 0, 1, out=x)"),
    "through a view": written("v = x[:, 1]", "v += 10"),
    "through a view of a view": written("v = x[:, 1:]", "w = v[:, 0]", "w[:] = 3"),
    "through the transpose": written("x.T[1] = 4"),
    "through an axis": written("x[:, None][:, :, 2] = 4"),
    "seen by a view": written("v = x[:, 0]", "x[:, 0] = 9", then="v"),
    "seen by an older view": written("v = x[:, 1:]", "w = v[:, 0]", "x += 1", then="w"),
    "seen by the transpose": written("v = x.T", "x[:, 0] = 9", then="v.T"),
    "unseen by a copy": written("v = x[:, 0].copy()", "x[:, 0] = 9", then="v"),
    "unseen by a list": written("v = x[:, [0]]", "x[:, 0] = 9", then="v"),
    "unseen by a result": written("v = x + 0", "x += 1", then="v"),
    "a copy is another": written("y = x.copy()", "y[:, 0] = 0"),
    "a reshaped copy": written("y = x.reshape(-1, 2, 2).copy()", "y[:, 0, 1] = 0", then="y"),
    "a reshaped one alone": written("y = x.reshape(-1, 2, 2)", "y[:, 0, 1] = 0", then="y"),
    "swap": written("t = x[:, 0].copy()", "x[:, 0] = x[:, 1]", "x[:, 1] = t"),
    "filled": written("out = np.zeros_like(x)", "out[:, 0] = x[:, 1]", "out[:, 2] = 1", then="out"),
    "cast": written("out = np.zeros_like(x, dtype=np.int64)", "out[:, 1] = x[:, 0]", then="out"),
}


@pytest.mark.parametrize("name", WRITES)
def test_writing(name: str) -> None:
    check(WRITES[name], X)
    if name != "cast":
        check(WRITES[name], X[:1].astype(np.float32))


CUBE_WRITES = [
    written("x[:, 0, 1] = 5"),
    written("x[:, 1:3, ::2] = -1"),
    written("x[:, :, 0] = x[:, :, 1]"),
    written("x[:, [0, 1], [2, 3]] = 0"),
    written("x[:, 1, [0, 2]] = x[:, 2, :2]"),
    written("x[:, 1] = np.arange(5)"),
    written("x[x > 30] = 0"),
    written("x[x[:, :, 0] > 30] = 0"),
    written("v = x[:, 1]", "v[:, 0] = 1", "v[:, 1:] *= 2"),
    written("x.transpose(1, 0, 2)[0] = 3"),
    written("x[..., 0] = 3"),
    written("x[:, None, 2] = x[:, None, 1]"),
]


@pytest.mark.parametrize("place", range(len(CUBE_WRITES)))
def test_writing_three_axes(place: int) -> None:
    check(CUBE_WRITES[place], CUBE)


UNCLEAR = [
    written("y = x.reshape(-1, 2, 2)", "y[:, 0, 1] = 0"),
    written("y = x.reshape(-1, 4)", "x[:, 0] = 0", then="y"),
    written("y = x[:, :1].ravel()", "y += 1"),
    written("v = x[:, 1:]", "y = v.reshape(-1, 3, 1)", "y += 1", then="x"),
    written("v = x[:, 1:]", "y = x.reshape(-1, 2, 2)", "y += 1", then="v"),
]


@pytest.mark.parametrize("place", range(len(UNCLEAR)))
def test_what_may_or_may_not_be_a_view_is_refused(place: int) -> None:
    with pytest.raises(TracingError, match="may or may not be a copy"):
        run(UNCLEAR[place], X)


def test_data_through_a_mask_is_refused() -> None:
    for wrong in (
        written("x[x < 0] = x[x < 0] * 2"),
        written("x[x < 0] = x[:, 0]"),
        written("x[0] = 1"),
        written("x[np.argmax(x, axis=1)] = 1"),
        written("x[:2, 0] = 1"),
    ):
        with pytest.raises(TracingError):
            run(wrong, X)
    for wrong in (written("x[:, :2] = np.ones(3)"), written("x[:] = np.ones((3, 5))")):
        with pytest.raises(ValueError, match="broadcast"):
            run(wrong, X)
    with pytest.raises(TypeError, match="Cannot cast"):
        run(written("x //= 2.5"), np.array([[1, 2]]))


def test_lookup_finds_the_place_of_texts() -> None:
    texts = np.array([["b", "a"], ["", "zz"]], dtype=object)
    check(lambda x: ops.lookup(x, ["a", "b", "c"]), texts)
    check(lambda x: ops.lookup(x, ["zz"], default=7), texts)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_top_k_takes_the_first_of_equals(largest: bool, k: int) -> None:
    given = np.array([[2.0, 1, 2, np.nan, 1], [3, 3, 3, 3, 3], [0, -0.0, np.inf, -np.inf, 1]])
    check(lambda x: ops.top_k(x, k, largest)[0], given)
    check(lambda x: ops.top_k(x, k, largest)[1], given)
    check(
        lambda x: ops.top_k(x, k, largest)[1], np.nan_to_num(given, posinf=9, neginf=-9).astype(np.int64)
    )


def test_a_constant_row_for_every_row() -> None:
    for row in ([1.0, 2.0], np.array([1, 2, 3]), np.array(["a", "b"], dtype=object), np.array([])):
        check(lambda x, row=row: ops.constant_like(x, row), X)
