"""An author's own code: what converts as it stands, and what an error says of what does not."""

import math
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy import asarray
from scipy import special
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from converter.graph import Graph
from converter.tracing.errors import TracingError
from converter.tracing.tensor import Tensor
from converter.tracing.trace import trace
from edge_runtime.errors import UnsupportedModelError
from tests.converter.tracing.traced import check

X = np.array([[1.0, -2.0, 3.0], [5.0, 6.0, -7.0], [0.5, 0.0, 9.0], [2.0, 2.0, 2.0]])


def traced(function: Callable[[Any], Any], **options: Any) -> Callable[[Any], Any]:
    return lambda x: trace(function, x, **options)


class Ratios(TransformerMixin, BaseEstimator):
    """As people write them."""

    def __init__(self, floor: float = 1e-3) -> None:
        self.floor = floor

    def fit(self, X: Any, y: Any = None) -> "Ratios":
        X = validate_data(self, X, dtype=np.float64)
        self.mean_ = X.mean(axis=0)
        self.calls_ = 0
        return self

    def transform(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        self.calls_ += 1
        self.last_ = X
        safe = np.maximum(np.abs(self.mean_), self.floor)
        self.mean_[:] = 0
        return np.hstack([X / safe, np.log1p(np.abs(X[:, :1]))])


class Scaled(StandardScaler):
    def transform(self, X: Any, copy: Any = None) -> Any:
        return np.tanh(super().transform(X, copy))


class FillsAnArray(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> "FillsAnArray":
        return self

    def transform(self, X: Any) -> Any:
        X = check_array(X, dtype="numeric", ensure_all_finite="allow-nan")
        n, m = X.shape
        out = np.zeros((n, m + 1), dtype=X.dtype)
        out[:, 0] = X.sum(axis=1)
        for j in range(m):
            out[:, j + 1] = X[:, j] - X[:, 0] if j else X[:, j]
        out[np.isnan(out)] = 0
        return np.where(out > 5, np.ones((len(self.__dict__) + 1,)), out)


def logs(X: Any) -> Any:
    X = X.copy()
    X[:, 0] = np.log(X[:, 0])
    X[X < 0] = 0
    X += 1
    return np.add(X, 1, out=X)


def many_helpers(X: Any) -> Any:
    X = asarray(np.array(X, dtype=float, copy=True))
    a, b, c = X.T
    radius = np.sqrt(a**2 + b**2)
    columns = [radius, np.arctan2(b, a), special.expit(c), np.full(X.shape[0], 2.5)]
    return np.c_[np.array(columns).T, special.softmax(X, axis=1), np.ones((X.shape[0], 1))]


STEPS = [
    Ratios().fit(X).transform,
    Scaled().fit(X).transform,
    FillsAnArray().fit(X).transform,
    logs,
    many_helpers,
    np.log1p,
    np.abs,
    StandardScaler().fit(X).transform,
    MinMaxScaler((-1, 1)).fit(X).transform,
    lambda x: np.column_stack([x.mean(axis=1), x.std(axis=1), np.median(x, axis=1), np.ptp(x, axis=1)]),
    lambda x: np.asarray(x)[:, [0]] * np.asarray([1.0, 2.0]),
    lambda x: x.reshape(x.shape[0], -1, 1),
    lambda x: np.vstack([x[:, 0], x[:, 1]]).T,
    lambda x: np.asarray([x[:, 0], x[:, 2]]).transpose(),
    lambda x: special.logsumexp(x, axis=1, keepdims=True),
    lambda x: np.empty(x.shape) * 0 + x,
    lambda x: np.nan_to_num(np.ascontiguousarray(x)).astype("float32"),
    lambda x: x,
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("place", range(len(STEPS)))
def test_numpy_code_converts_as_it_stands(place: int) -> None:
    step, array = STEPS[place], np.abs(X) + 1

    def both(x: Any) -> Any:
        return trace(step, x) if isinstance(x, Tensor) else _fresh(step)(x.copy())

    check(both, array, rtol=1e-14, atol=1e-14)
    check(both, array[:1], rtol=1e-14, atol=1e-14)


def _fresh(step: Any) -> Any:
    """A method of an object that later calls do not change."""
    owner = getattr(step, "__self__", None)
    if not isinstance(owner, BaseEstimator):
        return step
    from copy import deepcopy

    return getattr(deepcopy(owner), step.__name__)


def tensor(columns: int = 3) -> Tensor:
    return Tensor.input(Graph(), "rows", np.float64, (None, columns))


def test_what_was_fitted_and_the_input_stay_as_they_were() -> None:
    step, given = Ratios().fit(X), tensor()
    mean = step.mean_.copy()
    trace(step.transform, given)
    assert np.array_equal(step.mean_, mean)
    assert step.calls_ == 0
    assert not hasattr(step, "last_")
    name = given.name
    trace(logs, given)
    assert given.name == name


def test_on_arrays_it_only_calls() -> None:
    assert np.array_equal(trace(np.square, X), X**2)
    frame = trace(lambda table: table["b"] + 1, X, names=("a", "b", "c"))
    assert np.array_equal(frame, X[:, 1] + 1)


def test_numpy_is_itself_again_afterwards() -> None:
    before = np.asarray, np.array, np.zeros, np.c_, asarray, check_array
    for function in (np.log, lambda x: x[0]):
        with suppress(TracingError):
            trace(function, tensor())
        assert before == (np.asarray, np.array, np.zeros, np.c_, asarray, check_array)


def test_other_threads_do_not_notice() -> None:
    wrong: list[Any] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            if (
                np.asarray([1, 2]).sum() != 3
                or np.zeros((2, 2)).any()
                or np.c_[[1, 2], [3, 4]].shape != (2, 2)
            ):
                wrong.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    results = [trace(many_helpers, tensor()).shape for _ in range(5)]
    stop.set()
    thread.join()
    assert not wrong
    assert set(results) == {(None, 8)}


# what cannot be traced


def branches(X: Any) -> Any:
    if X[:, 0] > 3:
        return X
    return -X


def chained(X: Any) -> Any:
    return X[:, 0] * (0 < X[:, 1] < 2)


def loops(X: Any) -> Any:
    return np.array([row.sum() for row in X])


def one_number(X: Any) -> Any:
    return X * float(X[:, 0])


def square_root(X: Any) -> Any:
    return math.sqrt(X[:, 0])


def centred(X: Any) -> Any:
    return X - X.mean(axis=0)


def counts(X: Any) -> Any:
    return X / len(X)


def counts_shape(X: Any) -> Any:
    return X.sum(axis=1) / X.shape[0]


def counts_range(X: Any) -> Any:
    return np.array([X[i] for i in range(X.shape[0])])


def decomposes(X: Any) -> Any:
    return np.linalg.svd(X)[0]


def chance(X: Any) -> Any:
    return X + np.random.normal(size=X.shape)


GENERATOR = np.random.default_rng(0)


def kept_chance(X: Any) -> Any:
    return X + GENERATOR.normal(size=X.shape)


def filters(X: Any) -> Any:
    return X[X[:, 0] > 0]


def writes_into_constants(X: Any) -> Any:
    out = np.zeros((4, 3))
    out[:, 0] = X[:, 0]
    return out


def rolls(X: Any) -> Any:
    return X.rolling(3)


def raises(X: Any) -> Any:
    raise KeyError("colour")


def recurses(X: Any) -> Any:
    return recurses(X)


def not_an_array(X: Any) -> Any:
    return [X, X]


def constant(X: Any) -> Any:
    return np.arange(3.0)


def transposed(X: Any) -> Any:
    return X.T


def by_pandas(X: Any) -> Any:
    return pd.DataFrame(X).rank()


def no_return(X: Any) -> None:
    X = X + 1


def inner(X: Any) -> Any:
    return centred(X) * 2


MESSAGES = {
    branches: ["if X[:, 0] > 3:", "a decision on data", "np.where(condition, a, b)"],
    chained: ["(0 < X[:, 1] < 2)", "a decision on data", "& | ~"],
    loops: ["for row in X", "a loop over rows", "np.sum(X, axis=1)"],
    one_number: ["X * float(X[:, 0])", "needs one number"],
    square_root: ["math.sqrt(X[:, 0])", "the numpy function of the same name"],
    centred: ["X - X.mean(axis=0)", "np.mean over axis 0, which are the rows", "Compute it in `fit`"],
    counts: ["len(X)", "counts the rows"],
    counts_shape: ["X.shape[0]", "number of rows", "reshape(X.shape[0], -1)"],
    counts_range: ["range(X.shape[0])", "number of rows"],
    decomposes: ["np.linalg.svd(X)", "np.linalg.svd has no ONNX form", "docs/custom-steps.md"],
    chance: ["np.random.normal(size=X.shape)", "chance has no ONNX form"],
    kept_chance: ["GENERATOR.normal", "number of rows"],
    filters: ["X[X[:, 0] > 0]", "an index that depends on data"],
    writes_into_constants: ["out[:, 0] = X[:, 0]", "np.zeros_like"],
    rolls: ["X.rolling(3)", "`.rolling` of an array has no ONNX form"],
    raises: ['raise KeyError("colour")', "it raises KeyError: 'colour'"],
    recurses: ["it calls itself without an end"],
    not_an_array: ["it returns a list", "np.column_stack"],
    constant: ["it returns a constant array of shape (3,)"],
    transposed: ["an array of shape (3, rows)", "first axis must be the rows"],
    by_pandas: ["pd.DataFrame(X)", ", in pandas: ", "counts the rows"],
    no_return: ["it returns None"],
    inner: ["X - X.mean(axis=0)"],
}


@pytest.mark.parametrize("function", MESSAGES, ids=lambda f: f.__name__)
def test_an_error_names_function_line_and_way_out(function: Callable[[Any], Any]) -> None:
    with pytest.raises(TracingError) as caught:
        trace(function, tensor())
    message = str(caught.value)
    assert message.startswith(function.__name__)
    for part in MESSAGES[function]:
        assert part in message, message
    if "returns" not in message and "without an end" not in message:
        assert re.search(r"\(test_trace\.py, line \d+: `", message), message
        assert "/" not in message.split("line", maxsplit=1)[0]  # the base name only
    assert isinstance(caught.value, UnsupportedModelError)


def test_a_method_is_named_with_its_class_and_a_wrapped_function_by_its_own_name() -> None:
    class Odd(TransformerMixin, BaseEstimator):
        def transform(self, X: Any) -> Any:
            return X.mean()

    with pytest.raises(
        TracingError, match=r"^Odd\.transform \(test_trace.py, line \d+: `return X.mean\(\)`\)"
    ):
        trace(Odd().transform, tensor(), code=Odd.transform)
    with pytest.raises(TracingError, match=r"^centred \("):
        trace(centred, tensor(), code=centred)
    with pytest.raises(TracingError, match=r"^np\.linalg\.\w+|^inv"):
        trace(np.linalg.inv, tensor())


# data frames

NAMES = ("a", "b", "c")


def features(table: Any) -> Any:
    table = table.copy()
    table["ratio"] = table["a"] / (table["b"] + 1)
    table["a"] = np.log1p(table["a"])
    return table[["ratio", "a", "c"]].to_numpy()


FRAMES = [
    features,
    lambda t: t.to_numpy()[:, :2],
    lambda t: t.values * 2,
    lambda t: np.log1p(t[["c", "a"]]),
    lambda t: np.column_stack([t["a"] + t["b"], t["c"].clip(0, 3)]),
    lambda t: t * 2,
    lambda t: t[list(t.columns)],
    lambda t: t["a"].to_numpy().reshape(-1, 1),
    lambda t: np.asarray(t) + 1,
    lambda t: np.asarray(t["b"])[:, None],
]


@pytest.mark.parametrize("place", range(len(FRAMES)))
def test_columns_have_names_where_training_had_them(place: int) -> None:
    check(lambda x: trace(FRAMES[place], x, names=NAMES), np.abs(X), rtol=1e-15)


def test_what_a_data_frame_does_otherwise_than_an_array_is_refused() -> None:
    for wrong in (
        lambda t: t.mean(axis=1),
        lambda t: t.std(axis=1),
        lambda t: t[t["a"] > 0],
        lambda t: t["nope"],
        lambda t: t.iloc[:, 0],
        lambda t: t.apply(np.log),
        lambda t: np.std(t, axis=1),
    ):
        with pytest.raises(TracingError):
            trace(wrong, tensor(), names=NAMES)


def of_arrays_alone(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return x * 2
    return x


def of_either(x: Any) -> Any:
    if isinstance(x, pd.DataFrame):
        return x[["b", "a"]].to_numpy()
    return x[:, [2]]


def test_code_that_asks_for_the_type_goes_the_way_that_it_goes_with_numbers() -> None:
    check(traced(of_arrays_alone), X)
    check(traced(of_either), X)
    check(traced(of_either, names=("a", "b", "c")), X)


def caught(x: Any) -> Any:
    try:
        if float(np.abs(x).max()) > 50:
            return x * 0
    except Exception:  # noqa: BLE001 -- as people write it
        pass
    return x


def caught_in_a_step_inside(x: Any) -> Any:
    with suppress(TypeError, UnsupportedModelError):
        return np.asarray([math.sqrt(row[0]) for row in x])[:, None]
    return x


@pytest.mark.parametrize("function", [caught, caught_in_a_step_inside])
def test_an_error_that_numbers_do_not_raise_is_not_passed_over(function: Callable[[Any], Any]) -> None:
    with pytest.raises(TracingError, match=r"\(test_trace.py, line \d+: .* The code catches this error"):
        trace(function, Tensor.input(Graph(), "x", np.float64, (None, 3)))


def test_to_ask_whether_there_is_an_attribute_is_no_error() -> None:
    check(traced(lambda x: (x.toarray() if hasattr(x, "toarray") else x) + 1), X)
