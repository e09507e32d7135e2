"""Rows where rounding decides, and a model of a boosting library held against its lowering there."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converter.graph import Graph
from converter.lowering import boosters
from converter.lowering.registry import Scores, scores
from converter.lowering.table import Table
from converter.lowering.thresholds import from_ordered, ordered
from converter.lowering.trees import Forest, ensemble, leaves, sum_of_leaves
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import MISSING_TEXT
from tests.converter.onnx_run import run_onnx

CATEGORICAL = (3, 4)  # columns of `data` that hold codes: 40 categories, 3 categories


def data(count: int = 600, missing: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """float32 (count, 5), of which two columns hold codes, and a truth of three classes."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(count, 5)).astype(np.float32)
    table[:, 3] = rng.integers(0, 40, count)
    table[:, 4] = rng.integers(0, 3, count)
    truth = (table[:, 0] > 0) * 1 + (table[:, 3] % 3 == 1)
    table[rng.random(table.shape) < missing] = np.nan
    return table, truth


def forest_of(model: Any) -> Forest:
    assert boosters.register(model)
    return ensemble(model).forest


def beside_thresholds(model: Any, table: np.ndarray, count: int = 20_000) -> np.ndarray:
    """Rows of the table, each with one feature within 3 ulp, in its dtype, of one of its thresholds."""
    rng = np.random.default_rng(0)
    forest = forest_of(model)
    node = rng.choice(np.flatnonzero(forest.inner & np.isfinite(forest.threshold)), count)
    rows = table[rng.integers(0, len(table), count)]
    steps = rng.integers(-3, 4, count)
    if rows.dtype == np.float32:
        near = from_ordered(ordered(forest.threshold[node].astype(np.float32)) + steps)
    else:
        near = forest.threshold[node]
        for step in range(3):
            next_one = np.nextafter(near, np.where(steps > 0, np.inf, -np.inf))
            near = np.where(np.abs(steps) > step, next_one, near)
    rows[np.arange(count), forest.feature[node]] = near
    return rows


def with_odd_codes(rows: np.ndarray) -> np.ndarray:
    """Codes that training never saw among them: negative, fractional, too large, missing."""
    rng = np.random.default_rng(1)
    odd = [
        -1e9,
        -2,
        -1,
        -0.5,
        -0.0,
        0.5,
        2.7,
        39.5,
        40,
        41,
        63,
        64,
        1000,
        2.0**24 - 1,
        2.0**24,
        3e9,
        np.nan,
    ]
    for column in CATEGORICAL:
        chosen = rng.random(len(rows)) < 0.3
        rows[chosen, column] = rng.choice(odd, chosen.sum())
    return rows


def frame_of(table: np.ndarray) -> Any:
    """A DataFrame of one column of numbers and two of categories, texts and whole numbers."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(2)
    names = np.array([f"c{code:02}" for code in range(40)], dtype=object)
    known = np.where(np.isnan(table[:, 3]), 0, table[:, 3]).astype(int)
    texts = np.where(np.isnan(table[:, 3]), None, names[known])
    numbers = 10 * rng.integers(-2, 5, len(table))
    return pandas.DataFrame(
        {
            "size": table[:, 0],
            "kind": pandas.Categorical(texts),
            "grade": pandas.Categorical(numbers),
        }
    )


def in_another_order(frame: Any) -> Any:
    """The same rows, whose categories have other codes."""
    kinds, grades = (list(frame[name].cat.categories) for name in ("kind", "grade"))
    return frame.assign(
        kind=frame["kind"].cat.reorder_categories(kinds[::-1]),
        grade=frame["grade"].cat.reorder_categories(grades[2:] + grades[:2]),
    )


def with_categories_never_seen(frame: Any) -> Any:
    kind, grade = frame["kind"].astype(object), frame["grade"].astype(int)
    kind[::7], grade[::5] = "never seen", 15
    return frame.assign(kind=kind.astype("category"), grade=grade.astype("category"))


def of_known_categories(frame: Any, trained: Any) -> Any:
    """The same in the dtypes of training, as XGBoost insists: other categories are missing ones."""
    known = {name: trained[name].cat.categories for name in ("kind", "grade")}
    return frame.assign(**{name: frame[name].cat.set_categories(known[name]) for name in known})


def assert_same_of_frame(model: Any, frame: Any, given: Any = None) -> None:
    """Probabilities and labels of a DataFrame's rows, which our lowering is `given` in another dtype."""
    assert boosters.register(model)
    given = frame if given is None else given
    texts = np.where(given["kind"].isna(), MISSING_TEXT, given["kind"].astype(object)).astype(object)
    columns = (np.asarray(given["size"]), texts, np.asarray(given["grade"].astype(int)))
    table = Table(tuple(column[:, None] for column in columns), names=tuple(given))
    answer = scores(model, table)
    _assert_close(answer.probabilities, model.predict_proba(frame))
    np.testing.assert_array_equal(np.asarray(model.classes_)[answer.label], model.predict(frame))


def walked(model: Any, rows: np.ndarray) -> np.ndarray:
    """(rows, trees): the node within its tree in which our walk ends, by numpy and by ONNX alike."""
    forest, rows = forest_of(model), rows.astype(_read(model, rows))
    found = forest.node[leaves(forest, rows)]
    np.testing.assert_array_equal(_leaves_in_onnx(forest, rows), found)
    return found


def assert_same_answers(model: Any, rows: np.ndarray) -> None:
    """Numbers within 1e-5 of their scale; labels the same but where the two best lie within 1e-6."""
    assert boosters.register(model)
    read = ensemble(model)
    answer = read.answer(sum_of_leaves(read.forest, rows.astype(_read(model, rows))))
    if not isinstance(answer, Scores):
        _assert_close(answer, model.predict(rows))
        return
    wanted = model.predict_proba(rows)
    _assert_close(answer.probabilities, wanted)
    assert (answer.decision is not None) == hasattr(model, "decision_function")
    if answer.decision is not None:
        _assert_close(answer.decision, model.decision_function(rows))
    best = np.sort(wanted, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-6
    labels = np.asarray(model.classes_)[answer.label]
    assert answer.label.dtype == np.int64
    np.testing.assert_array_equal(labels[clear], np.asarray(model.predict(rows)).reshape(-1)[clear])


def _read(model: Any, rows: np.ndarray) -> type:
    """float32 rows are compared as they are; others in the dtype that the library rounds them to."""
    return np.float32 if rows.dtype == np.float32 else ensemble(model).reads


def _assert_close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


def _leaves_in_onnx(forest: Forest, rows: np.ndarray) -> np.ndarray:
    """By a graph whose leaves hold their own numbers, one output a tree."""
    numbers = np.zeros((len(forest.node), forest.n_trees))
    numbers[np.arange(len(numbers)), forest.tree] = forest.node
    graph = Graph()
    name = graph.input("rows", rows.dtype.name, (None, forest.n_features))
    found = sum_of_leaves(
        replace(forest, values=numbers), Tensor(graph, name, rows.dtype, (None, forest.n_features))
    )
    raw = graph.to_bytes({"node": (found.name, "float32", (None, forest.n_trees))})
    return run_onnx(raw, rows)[0].astype(int)
