"""A wrong lowering is found where it is wrong, not where its fault comes out."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import converter
from converter.lowering import catalogue, registry
from edge_runtime.errors import ParityError

ROWS, SPECIES = load_iris(return_X_y=True)
catalogue.load()


@pytest.fixture
def broken(request: pytest.FixtureRequest) -> Iterator[None]:
    """One lowering, (method, type), is off by a thousandth."""
    method, kind = request.param
    right = registry._known[method, kind]

    def wrong(estimator: Any, x: Any) -> Any:
        found = right.function(estimator, x)
        if method == "transform":
            return found + 0.001
        return registry.Scores(found.label, found.probabilities * 0.999, found.decision)

    registry._known[method, kind] = registry._Lowering(wrong, right.reads)
    yield
    registry._known[method, kind] = right


MODELS = {
    "in a row": make_pipeline(MinMaxScaler(), PCA(3), LogisticRegression()),
    "side by side": make_pipeline(
        ColumnTransformer([("left", StandardScaler(), [0, 1]), ("right", PCA(1), [2, 3])]),
        LogisticRegression(),
    ),
    "voting": make_pipeline(
        StandardScaler(),
        VotingClassifier([("bayes", GaussianNB()), ("linear", LogisticRegression())], voting="soft"),
    ),
}


@pytest.mark.parametrize(
    ("broken", "model", "named"),
    [
        (("transform", PCA), "in a row", r"'pca' \(PCA\), node node_add_\d+\."),
        (("scores", LogisticRegression), "in a row", r"'logisticregression' \(LogisticRegression\)"),
        (("transform", PCA), "side by side", r"'columntransformer.right' \(PCA\)"),
        (("scores", GaussianNB), "voting", r"'votingclassifier' \(GaussianNB\)"),
    ],
    indirect=["broken"],
)
def test_the_part_and_its_node_are_named(broken: None, model: str, named: str) -> None:
    fitted = MODELS[model].fit(ROWS, SPECIES)
    with pytest.raises(ParityError, match="output 'probabilities', input ") as caught:
        converter.convert(fitted, ROWS, name="some", version="1.0.0")
    said = str(caught.value)
    assert re.search(f"They first part in {named}", said), said
    assert said.endswith("The model was not converted.")


@pytest.mark.parametrize("broken", [("transform", PCA)], indirect=True)
def test_features_in_front_of_trees_are_named_as_well(broken: None) -> None:
    model = make_pipeline(PCA(3), RandomForestClassifier(5, random_state=0)).fit(ROWS, SPECIES)
    with pytest.raises(ParityError, match=r"'pca' \(PCA\)|edge row"):
        converter.convert(model, ROWS, name="some", version="1.0.0")
