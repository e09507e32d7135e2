"""What a model of each task answers, of every dtype."""

from pathlib import Path

import numpy as np
import pytest

import edge_runtime
from edge_runtime.errors import (
    EngineError,
    InputError,
)
from tests.support.graphs import LABELS as TWO_LABELS
from tests.support.graphs import (
    anomaly_windows,
    casting,
    doubling_regression,
    label_passing,
    passing,
    two_labels,
)


@pytest.mark.parametrize(("columns", "shape"), [(1, (3,)), (2, (3, 2))])
def test_a_regression_gives_values_shaped_as_scikit_learns(
    tmp_path: Path, columns: int, shape: tuple[int, ...]
) -> None:
    rows = np.arange(3 * columns, dtype=np.float32).reshape(3, columns)

    path = doubling_regression(tmp_path / "double.edge", columns=columns)
    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert model.predict(rows).shape == shape
        assert np.array_equal(model.predict(rows), (2 * rows).reshape(shape))
        assert np.array_equal(model.predict(rows[1:2]), (2 * rows[1:2]).reshape(1, *shape[1:]))
        assert model.infer(rows).labels is None
        assert model.classes == ()
        assert model.replay_goldens().max_abs_error == 0
        with pytest.raises(EngineError, match="this regression model has no probabilities; use predict"):
            model.predict_proba(rows)


def test_missing_values_pass_where_the_manifest_says_so(tmp_path: Path) -> None:
    path = doubling_regression(tmp_path / "double.edge", allow_nan=True)
    rows = np.array([[np.nan, 1]], np.float32)

    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert np.isnan(model.predict(rows)).tolist() == [[True, False]]
        with pytest.raises(InputError, match="found inf"):
            model.predict([[np.inf, 1]])


def test_a_classifier_without_probabilities_says_so(tmp_path: Path) -> None:
    with edge_runtime.load(label_passing(tmp_path / "pass.edge"), allow_unsigned=True) as model:
        assert model.predict([2, 0]).tolist() == ["c", "a"]
        assert model.infer([2, 0]).probabilities is None
        with pytest.raises(EngineError, match="this classification model has no probabilities"):
            model.predict_proba([2, 0])


@pytest.mark.parametrize("rows", [[3], [-1], [0, -1, 2]])
def test_a_label_that_is_no_class_is_an_error(tmp_path: Path, rows: list[int]) -> None:
    with (
        edge_runtime.load(label_passing(tmp_path / "pass.edge"), allow_unsigned=True) as model,
        pytest.raises(EngineError, match="expected an index below 3"),
    ):
        model.predict(rows)


def test_several_labels_are_named_and_their_probabilities_have_an_axis(tmp_path: Path) -> None:
    with edge_runtime.load(two_labels(tmp_path / "two.edge"), allow_unsigned=True) as model:
        rows = np.array([[0, 2], [1, 1]], np.float32)
        expected = [["red", "L"], ["blue", "M"]]

        assert (model.classes, model.labels) == ((), TWO_LABELS)
        assert model.predict(rows).tolist() == expected
        assert [model.predict(rows[at : at + 1]).tolist() for at in (0, 1)] == [
            [row] for row in expected
        ]
        assert model.predict_proba(rows).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]]]
        assert model.predict(rows[:0]).shape == (0, 2)
        assert model.predict_proba(rows[:0]).shape == (0, 2, 3)
        assert model.replay_goldens().label_disagreements == 0
        with pytest.raises(EngineError, match="label 'size': expected an index below 3"):
            model.predict([[0, 3]])


@pytest.mark.parametrize("count", [1, 2])
def test_an_anomaly_model_gives_labels_and_a_score(tmp_path: Path, count: int) -> None:
    windows = np.zeros((2, 4, 2), np.float32) + np.float32([[[2]], [[1]]])

    with edge_runtime.load(anomaly_windows(tmp_path / "anomaly.edge"), allow_unsigned=True) as model:
        found = model.infer(windows[:count])

        assert found.labels is not None
        assert found.labels.tolist() == ["anomaly", "normal"][:count]
        assert found.values is not None
        assert found.values.tolist() == [-1, 0][:count]
        assert model.predict(windows).tolist() == ["anomaly", "normal"]
        assert model.replay_goldens().count == 2
        with pytest.raises(EngineError, match="this anomaly model has no probabilities"):
            model.predict_proba(windows)


def test_a_clustering_names_its_clusters(tmp_path: Path) -> None:
    path = passing(
        tmp_path / "clusters.edge", {"label": np.array([0, 1])}, task="clustering", classes=("0", "1")
    )
    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert model.predict([1, 1, 0]).tolist() == ["1", "1", "0"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_a_transformation_passes_arrays_of_every_dtype_by_row_and_by_batch(
    tmp_path: Path, dtype: str
) -> None:
    path = casting(tmp_path / "cast.edge", dtype)
    rows = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)

    with edge_runtime.load(path, allow_unsigned=True) as model:
        assert model.predict(rows).tolist() == rows.tolist()
        assert model.predict(rows[:1]).tolist() == rows[:1].tolist()
        assert model.predict(rows[:1]).dtype == np.float64
        assert model.infer(rows[:1]).labels is None
        assert model.replay_goldens().count == 1


def test_numbers_beyond_float32_are_the_same_by_row_and_by_batch(tmp_path: Path) -> None:
    for dtype, value in (("float64", 1e300), ("float64", 1 + 2**-52), ("int64", 2**53)):
        with edge_runtime.load(casting(tmp_path / "cast.edge", dtype), allow_unsigned=True) as model:
            row = np.full((1, 3), value, dtype)
            assert model.predict(row).tolist() == [[value] * 3]
            assert model.predict(row.repeat(2, axis=0)).tolist() == [[value] * 3] * 2
