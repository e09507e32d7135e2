"""Files of skl2onnx: a label beside probabilities, perhaps as maps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import edge_runtime
from edge_runtime.errors import InputError
from tests.converter.frontends.onnx.models import ROWS, by_skl2onnx, converted, graph_of, operators

PLACES = np.arange(40) % 3
NAMES = np.array(["run", "still", "walk"])[PLACES]
ESTIMATORS = [
    LogisticRegression(),
    RandomForestClassifier(5, random_state=0),
    GaussianNB(),
    KNeighborsClassifier(3),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("truth", [PLACES, NAMES, PLACES * 10 - 5], ids=["places", "names", "numbers"])
def test_a_classifier_keeps_its_classes_and_probabilities(
    estimator: Any, zipmap: bool, truth: Any, tmp_path: Path
) -> None:
    bundle = converted(by_skl2onnx(estimator, ROWS, truth, zipmap=zipmap), ROWS, truth)
    assert bundle.manifest.classes == tuple(str(each) for each in np.unique(truth).tolist())
    assert [output.name for output in bundle.manifest.outputs] == ["label", "probabilities"]
    assert "ZipMap" not in operators(bundle)
    assert bundle.manifest.evaluation is not None
    assert bundle.manifest.evaluation.accuracy == (estimator.predict(ROWS) == truth).mean()
    with edge_runtime.load(bundle.save(tmp_path / "net.edge"), allow_unsigned=True) as device:
        assert device.predict(ROWS).tolist() == [str(each) for each in estimator.predict(ROWS)]
        np.testing.assert_allclose(device.predict_proba(ROWS), estimator.predict_proba(ROWS), atol=1e-5)


def test_scores_that_are_no_probabilities_are_left_out() -> None:
    bundle = converted(by_skl2onnx(SVC(), ROWS, NAMES, zipmap=False), ROWS, NAMES)
    assert [output.name for output in bundle.manifest.outputs] == ["label"]


def test_clusters_are_classes_by_number() -> None:
    manifest = converted(by_skl2onnx(KMeans(3, n_init=1, random_state=0), ROWS)).manifest
    assert manifest.classes == ("0", "1", "2")


def test_a_regressor_gives_values() -> None:
    manifest = converted(by_skl2onnx(LinearRegression(), ROWS, ROWS[:, 0])).manifest
    assert (manifest.task, manifest.outputs[0].shape) == ("regression", (None,))


def test_classes_rename_those_of_the_file() -> None:
    net = by_skl2onnx(GaussianNB(), ROWS, PLACES, zipmap=False)
    assert converted(net, ROWS, PLACES, classes=["a", "b", "c"]).manifest.classes == ("a", "b", "c")
    with pytest.raises(
        InputError, match=r"classes: expected 3, as many as the model's \[0, 1, 2\]; found 2"
    ):
        converted(net, classes=["a", "b"])


def test_a_classifier_in_its_own_operators_has_no_variant_for_tensorrt() -> None:
    bundle = converted(
        by_skl2onnx(LogisticRegression(), ROWS, PLACES, zipmap=False), boards=["orin-nano"]
    )
    assert [variant.engine for variant in bundle.manifest.variants] == ["onnxruntime"]
    assert "LinearClassifier of ai.onnx.ml has no form in standard operators" in bundle.notes[0]
    assert "LinearClassifier" in operators(bundle)
    assert graph_of(bundle).graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
