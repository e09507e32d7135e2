"""Settings that skl2onnx converts wrongly or not at all: right here, or refused by name."""

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import FactorAnalysis, FastICA, SparsePCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import RFE, SequentialFeatureSelector
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsOneClassifier
from sklearn.neighbors import RadiusNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier

import converter
from edge_runtime.errors import ConversionError, ParityError, UnsupportedModelError

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(200, 5)).astype(np.float32)
VALUE = ROWS @ np.arange(5.0) + RNG.normal(size=200)
CLASS = np.searchsorted([-3.0, 3.0], VALUE)
MISSING = np.where(RNG.random(ROWS.shape) < 0.1, np.float32("nan"), ROWS)
CATEGORIES = RNG.integers(0, 4, (200, 5)).astype(np.float32)


def convert(model: Any, rows: np.ndarray = ROWS) -> Any:
    """The variant's parity, which `convert` has measured against scikit-learn on all rows."""
    bundle = converter.convert(model, rows, name="some", version="1.0.0")
    return bundle.manifest.variants[0].parity


@pytest.mark.parametrize(
    "model",
    [
        OneVsOneClassifier(LogisticRegression()),
        RFE(LogisticRegression(), n_features_to_select=2),
        VotingClassifier(
            [("linear", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=3))],
            voting="soft",
        ),
        make_pipeline(KMeans(3, random_state=0), LogisticRegression()),
        make_pipeline(KBinsDiscretizer(4), LogisticRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_classifier_that_needs_help_agrees(model: Any) -> None:
    parity = convert(model.fit(ROWS, CLASS))
    assert parity.label_disagreements == parity.near_ties


def test_self_training_is_the_classifier_it_ends_with() -> None:
    known = np.where(np.arange(200) % 4 == 0, -1, CLASS)  # -1: not labelled
    assert convert(SelfTrainingClassifier(LogisticRegression()).fit(ROWS, known)).inputs == 200


@pytest.mark.parametrize(
    "step",
    [
        FactorAnalysis(2, random_state=0),
        FastICA(2, random_state=0),
        SparsePCA(2, random_state=0),
        SequentialFeatureSelector(LinearRegression(), n_features_to_select=2, cv=2),
    ],
    ids=lambda step: type(step).__name__,
)
@pytest.mark.parametrize("far", [0.0, 100.0])
def test_affine_steps_agree_also_far_from_zero(step: Any, far: float) -> None:
    rows = ROWS + np.float32(far)
    convert(make_pipeline(step, Ridge()).fit(rows, VALUE), rows)


def test_categories_convert_though_the_source_knows_no_number_in_between() -> None:
    assert (
        convert(make_pipeline(OneHotEncoder(), Ridge()).fit(CATEGORIES, VALUE), CATEGORIES).inputs == 200
    )


@pytest.mark.parametrize(
    ("model", "rows", "words"),
    [
        (RadiusNeighborsRegressor(30.0), ROWS, "RadiusNeighborsRegressor.*outside the radius"),
        (make_pipeline(LinearDiscriminantAnalysis(), LogisticRegression()), ROWS, "only its prediction"),
        (make_pipeline(SimpleImputer(add_indicator=True), Ridge()), MISSING, "add_indicator=True"),
        (make_pipeline(OrdinalEncoder(min_frequency=60), Ridge()), CATEGORIES, "infrequent"),
    ],
)
def test_what_would_be_wrong_is_refused_by_name(model: Any, rows: np.ndarray, words: str) -> None:
    with pytest.raises(UnsupportedModelError, match=words):
        convert(model.fit(rows, CLASS), rows)


def test_missing_values_in_trees_inside_others_are_stopped_by_the_parity_gate() -> None:
    trees = BaggingClassifier(DecisionTreeClassifier(random_state=0), 5, random_state=0)
    forest = VotingClassifier([("forest", RandomForestClassifier(5, random_state=0))], voting="soft")
    for model in (trees, forest):
        with pytest.raises(ParityError, match="The model was not converted"):
            convert(model.fit(MISSING, CLASS), MISSING)


def test_an_estimator_without_a_conversion_is_named_alone() -> None:
    from sklearn.kernel_ridge import KernelRidge

    with pytest.raises(ConversionError, match=r"KernelRidge has no conversion\.$"):
        convert(KernelRidge().fit(ROWS, VALUE))
