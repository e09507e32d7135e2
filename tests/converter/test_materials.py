"""`bom.json` is a CycloneDX ML-BOM by the strict validator of CycloneDX' own library."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import converter
from edge_runtime.bundle.manifest import canonical_json

ROWS, SPECIES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "<script>", "virginica \u202e"])


def forest(**options: Any) -> "converter.ConvertedBundle":
    model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0))
    labels = NAMES[SPECIES]
    named = {"name": "iris", "version": "1.0.0", **options}
    return converter.convert(model.fit(ROWS, labels), ROWS, labels, **named)


def several() -> "converter.ConvertedBundle":
    rows, labels = make_multilabel_classification(60, 5, random_state=0)
    model = RandomForestClassifier(3, random_state=0).fit(rows, labels)
    return converter.convert(model, rows, labels, name="several", version="1.0.0")


def regression() -> "converter.ConvertedBundle":
    rows, truth = load_diabetes(return_X_y=True)
    return converter.convert(
        LinearRegression().fit(rows, truth), rows, truth, name="progress", version="1.0.0"
    )


def without_labels(model: Any, rows: Any = ROWS) -> "converter.ConvertedBundle":
    return converter.convert(model.fit(rows), rows, name="a", version="1.0.0-rc.1")


MADE = {
    "classification, with all there is": lambda: forest(
        training=(ROWS, NAMES[SPECIES]), boards=["orin-nano", "pi4"]
    ),
    "several labels": several,
    "regression": regression,
    "clustering": lambda: without_labels(KMeans(3, random_state=0, n_init=1), ROWS.astype(np.float32)),
    "anomaly": lambda: without_labels(IsolationForest(n_estimators=5, random_state=0)),
    "transformation of texts": lambda: without_labels(
        OneHotEncoder(handle_unknown="ignore"), pd.DataFrame({"site": ["a", "b"], "kind": ["x", "y"]})
    ),
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE.keys())
def test_it_is_valid(made: Any) -> None:
    raw = made().artifacts["bom.json"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(raw.decode()) is None
    assert canonical_json(json.loads(raw)) == raw


def test_it_lists_the_model_its_files_its_data_and_its_libraries() -> None:
    bundle = forest(reference=ROWS)
    bill = json.loads(bundle.artifacts["bom.json"])
    assert bill["metadata"]["component"]["name"] == "iris"
    graph, held_out, training, *libraries = bill["components"]
    file = bundle.manifest.files["variants/fp32/model.onnx"]
    assert graph["hashes"] == [{"alg": "SHA-256", "content": file.sha256}]
    assert held_out["hashes"][0]["content"] == bundle.manifest.provenance.inputs_sha256
    assert training["name"] == "training inputs"
    assert {each["name"]: each["version"] for each in libraries} == bundle.manifest.provenance.libraries
    assert {each["name"] for each in libraries if each["scope"] == "required"} == {
        "numpy",
        "onnxruntime",
    }
    (of_model,) = (each for each in bill["dependencies"] if each["ref"] == "model")
    assert of_model["dependsOn"] == [each["bom-ref"] for each in bill["components"]]


def test_its_model_card_has_the_scores_with_their_interval_and_the_steps() -> None:
    bundle = forest(training=(ROWS, NAMES[SPECIES]))
    card = json.loads(bundle.artifacts["bom.json"])["metadata"]["component"]["modelCard"]
    accuracy, *others = card["quantitativeAnalysis"]["performanceMetrics"]
    assert bundle.manifest.evaluation is not None
    assert accuracy["value"] == f"{bundle.manifest.evaluation.accuracy:.6g}"
    assert float(accuracy["confidenceInterval"]["lowerBound"]) < float(accuracy["value"])
    assert {"macro_f1", "roc_auc", "log_loss"} < {each["type"] for each in others}
    assert {each["slice"] for each in others if "slice" in each} == {*NAMES, "5 folds of training data"}
    assert card["modelParameters"]["approach"] == {"type": "supervised"}
    (step,) = card["properties"]
    assert step["value"] == "StandardScaler (folded into the trees' thresholds)"


def test_it_has_no_clock_and_its_serial_number_follows_from_its_content() -> None:
    first, again, other = (
        json.loads(each.artifacts["bom.json"]) for each in (forest(), forest(), forest(version="1.0.1"))
    )
    assert "timestamp" not in first["metadata"]
    assert first == again
    assert first["serialNumber"] != other["serialNumber"]
