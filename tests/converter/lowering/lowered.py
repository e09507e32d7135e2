"""Holds a lowering against the estimator it lowers, on the same rows.

The lowering runs on numpy arrays, and in ONNX Runtime as the graph it writes; in float64 and in float32.
A float32 row is also a float64 row, and a lowering that reads float64 must give for it what scikit-learn
gives for that float64 row; scikit-learn itself may compute in the float32 it was given, hence a second,
wider comparison. A test imports the module of the lowering it tests, which registers it.
"""

from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_outlier_detector, is_regressor

from converter.graph import Graph
from converter.lowering import registry
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from tests.converter.onnx_run import run_onnx

Outputs = dict[str, np.ndarray]


def check(
    estimator: Any, rows: Any, *, tolerance: float = 1e-10, float32_tolerance: float = 1e-5
) -> None:
    """Assert that the lowering says what the estimator says of these rows.

    Labels are the same; numbers differ by at most `tolerance` of the largest absolute value of their
    output. `float32_tolerance` bounds the difference to what scikit-learn says of rows in float32.
    """
    rows = np.asarray(rows, np.float64)
    short = rows.astype(np.float32)
    for answer in (computed, in_onnx):
        agree(answer(estimator, rows), expected(estimator, rows), tolerance)
        found = answer(estimator, short)
        if reads(estimator) == "float64":
            agree(found, expected(estimator, short.astype(np.float64)), tolerance)
        agree(found, expected(estimator, short), float32_tolerance)


def agree(found: Outputs, wanted: Outputs, tolerance: float) -> None:
    """Same outputs, same shapes, same labels, numbers within `tolerance` of the output's scale."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].shape == value.shape, (name, found[name].shape, value.shape)
        if name == "label":
            np.testing.assert_array_equal(found[name], value)
            continue
        finite = np.abs(value[np.isfinite(value)])
        scale = finite.max() if finite.size else 1.0
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance * scale, err_msg=name)


def method_of(estimator: Any) -> str:
    """Which of the registry's methods speaks for the estimator."""
    if is_regressor(estimator):
        return "value"
    if is_classifier(estimator) or is_outlier_detector(estimator):
        return "scores"
    return "transform" if hasattr(estimator, "transform") else "scores"


def reads(estimator: Any) -> str:
    return registry._known[method_of(estimator), type(estimator)].reads


def computed(estimator: Any, rows: Any, method: str = "") -> Outputs:
    """What the lowering computes of numpy arrays; labels as the source names them."""
    with np.errstate(all="ignore"):  # ONNX knows no warnings: a lowering may take what np.where drops
        found = _outputs(estimator, rows, method)
    return _named(estimator, {name: np.asarray(value) for name, value in found.items()})


def in_onnx(estimator: Any, rows: Any, method: str = "", *, standard: bool = False) -> Outputs:
    """What ONNX Runtime computes of the graph that the lowering writes, of all rows and of the first."""
    raw, names = graph_of(estimator, rows, method, standard=standard)
    answers = dict(zip(names, run_onnx(raw, rows), strict=True))
    for (name, answer), alone in zip(answers.items(), run_onnx(raw, rows[:1]), strict=True):
        np.testing.assert_allclose(alone, answer[:1], rtol=1e-6, atol=1e-9, err_msg=f"{name} of one row")
    return _named(estimator, answers)


def graph_of(
    estimator: Any, rows: Any, method: str = "", *, standard: bool = False
) -> tuple[bytes, list[str]]:
    """The graph that the lowering writes for such rows, for TensorRT if `standard`; its outputs."""
    graph = StandardGraph() if standard else Graph()
    x = Tensor.input(graph, "x", rows.dtype, (None, *rows.shape[1:]))
    found = _outputs(estimator, x, method)
    assert all(isinstance(value, Tensor) for value in found.values()), "an output has no rows"
    raw = graph.to_bytes(
        {name: (value.name, value.dtype.name, value.sizes) for name, value in found.items()}
    )
    return raw, list(found)


def _outputs(estimator: Any, x: Any, method: str) -> dict[str, Any]:
    method = method or method_of(estimator)
    result = getattr(registry, method)(estimator, x)
    if method != "scores":
        return {method: registry.matrix(result)}
    assert result.label.dtype == np.int64
    given = {"label": result.label, "probabilities": result.probabilities, "decision": result.decision}
    return {name: value for name, value in given.items() if value is not None}


def _named(estimator: Any, found: Outputs) -> Outputs:
    """With labels as the source names them."""
    return {name: named(estimator, value) if name == "label" else value for name, value in found.items()}


def expected(estimator: Any, rows: Any, method: str = "") -> Outputs:
    """What scikit-learn says."""
    method = method or method_of(estimator)
    if method == "transform":
        return {"transform": _dense(estimator.transform(rows))}
    if method == "value":
        return {"value": np.asarray(estimator.predict(rows))}
    wanted = {"label": np.asarray(estimator.predict(rows))}
    if hasattr(estimator, "predict_proba") and not _refuses_probabilities(estimator):
        wanted["probabilities"] = _side_by_side(estimator.predict_proba(rows))
    if hasattr(estimator, "decision_function"):
        wanted["decision"] = np.asarray(estimator.decision_function(rows))
    return wanted


def named(estimator: Any, label: np.ndarray) -> np.ndarray:
    """Indices as the source's labels: its classes, clusters by number, -1 and 1 for outliers."""
    if is_outlier_detector(estimator):
        return np.where(label == 1, 1, -1)
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return label
    if isinstance(classes, list):
        return np.stack([own[label[:, m]] for m, own in enumerate(classes)], axis=1)
    return np.asarray(classes)[label]


def _refuses_probabilities(estimator: Any) -> bool:
    """The one estimator that has `predict_proba` in order to raise."""
    return getattr(estimator, "multi_class", "") == "one_vs_one" and estimator.n_classes_ > 2


def _side_by_side(probabilities: Any) -> np.ndarray:
    """Several labels' probabilities, a list, in one array (n, m, k) filled up with zeros."""
    if not isinstance(probabilities, list):
        return np.asarray(probabilities)
    width = max(each.shape[1] for each in probabilities)
    filled = [np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in probabilities]
    return np.stack(filled, axis=1)


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
