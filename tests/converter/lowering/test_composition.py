from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFE, RFECV
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC

from converter.graph import Graph
from converter.lowering import catalogue, registry
from converter.lowering.composition import steps_of
from converter.lowering.table import Table, matrix
from converter.tracing.tensor import Tensor
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check, in_onnx

catalogue.load()
ROWS, SPECIES = load_iris(return_X_y=True)
BODIES, PROGRESS = load_diabetes(return_X_y=True)
CELLS, ILL = load_breast_cancer(return_X_y=True)


class TestPipelines:
    def test_steps_are_those_that_do_something_nested_ones_too(self) -> None:
        inner = Pipeline([("scale", StandardScaler()), ("nothing", "passthrough"), ("none", None)])
        model = Pipeline([("front", inner), ("search", GridSearchCV(Ridge(), {"alpha": [1]}))])
        assert [name for name, _ in steps_of(model)] == ["scale", "search"]

    def test_what_cannot_be_converted_is_named_with_its_path(self) -> None:
        step = FunctionTransformer(lambda x: x - x.mean(axis=0))
        union = FeatureUnion([("centred", step)])
        model = make_pipeline(union, Ridge()).fit(ROWS, SPECIES)
        with pytest.raises(UnsupportedModelError, match=r"^step 'featureunion': step 'centred': "):
            in_onnx(model, ROWS)

    def test_scalers_in_the_middle_fold_into_trees_behind_float32(self) -> None:
        model = make_pipeline(
            StandardScaler(), RobustScaler(), RandomForestClassifier(5, random_state=0)
        ).fit(ROWS, SPECIES)
        with registry.recording() as made:
            registry.scores(model, ROWS.astype(np.float32))
        assert not any(type(call.estimator) is StandardScaler for call in made.calls)
        with registry.recording() as made:
            registry.scores(model, ROWS)
        assert any(type(call.estimator) is StandardScaler for call in made.calls)


class TestSideBySide:
    frame = pd.DataFrame(
        {
            "age": [31, 44, 27, 60], "weight": [70.5, 62.0, 81.0, 55.5],
            "site": ["north", "south", "north", "east"], "extra": [1.0, 2.0, 3.0, 4.0],
        }
    )  # fmt: skip

    def table(self) -> Table:
        blocks = [np.asarray(self.frame[[name]]) for name in self.frame.columns]
        return Table(tuple(blocks), tuple(self.frame.columns))

    @pytest.mark.parametrize("remainder", ["drop", "passthrough", MinMaxScaler()])
    def test_columns_by_name_number_mask_or_slice(self, remainder: Any) -> None:
        for columns in (["age", "weight"], [0, 1], [True, True, False, False], slice(0, 2)):
            model = ColumnTransformer(
                [
                    ("texts", OneHotEncoder(sparse_output=False), ["site"]),
                    ("numbers", StandardScaler(), columns),
                    ("none", "drop", []),
                ],
                remainder=remainder,
            ).fit(self.frame)
            found = registry.transform(model, self.table())
            assert isinstance(found, Table)
            np.testing.assert_array_equal(found.matrix(), model.transform(self.frame))

    def test_a_union_weighs_its_parts(self) -> None:
        model = FeatureUnion(
            [
                ("one", StandardScaler()),
                ("two", MinMaxScaler()),
                ("gone", "drop"),
                ("same", "passthrough"),
            ],
            transformer_weights={"two": 3.0},
        ).fit(ROWS)
        np.testing.assert_array_equal(registry.transform(model, ROWS).matrix(), model.transform(ROWS))

    def test_texts_and_numbers_are_no_matrix(self) -> None:
        with pytest.raises(UnsupportedModelError, match="encode the texts"):
            self.table().matrix()
        with pytest.raises(UnsupportedModelError, match="reads numbers is given texts"):
            matrix(Tensor(Graph(), "texts", object, (None, 1)), np.float64)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: GridSearchCV(model, {"C": [0.1, 1.0]}, cv=2),
        lambda model: RandomizedSearchCV(model, {"C": [0.1, 1.0]}, n_iter=2, cv=2, random_state=0),
        lambda model: RFE(model, n_features_to_select=5),
        lambda model: RFECV(model, min_features_to_select=5, cv=2),
        SelfTrainingClassifier,
        lambda model: FixedThresholdClassifier(model, threshold=0.3),
        lambda model: FixedThresholdClassifier(model, threshold=0.9, pos_label=0),
        lambda model: FixedThresholdClassifier(model, response_method="decision_function"),
        lambda model: TunedThresholdClassifierCV(model, scoring="recall", cv=2),
    ],
)
@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples")
def test_what_asks_another_model(wrap: Any) -> None:
    rows = StandardScaler().fit_transform(CELLS)
    check(wrap(LogisticRegression()).fit(rows, ILL), rows)


def test_a_threshold_on_the_decision_of_a_class() -> None:
    rows = StandardScaler().fit_transform(CELLS)
    for positive in (0, 1):
        model = FixedThresholdClassifier(
            LinearSVC(), threshold=0.4, pos_label=positive, response_method="decision_function"
        )
        check(model.fit(rows, ILL), rows)


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(), MinMaxScaler((-1, 3)), MaxAbsScaler(), RobustScaler(), PowerTransformer(),
        PowerTransformer("box-cox", standardize=False), QuantileTransformer(n_quantiles=50),
        QuantileTransformer(n_quantiles=50, output_distribution="normal"),
        FunctionTransformer(np.sqrt, np.square), FunctionTransformer(),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("targets", [1, 2])
def test_targets_come_back_through_their_transformation(transformer: Any, targets: int) -> None:
    truth = PROGRESS if targets == 1 else np.column_stack([PROGRESS, PROGRESS[::-1]])
    model = TransformedTargetRegressor(Ridge(), transformer=transformer, check_inverse=False)
    check(model.fit(BODIES, truth), BODIES)


def test_targets_with_two_functions() -> None:
    model = TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp).fit(BODIES, PROGRESS)
    check(model, BODIES)
