"""Fitted models of many kinds through the whole of `convert`, which compares each with its source."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.cluster import DBSCAN, KMeans, MiniBatchKMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import NMF, PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import converter
from converter.blocks import WindowFeatures
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.errors import ConversionError, InputError, UnsupportedModelError

ROWS, SPECIES = load_iris(return_X_y=True)
ROWS = ROWS.astype(np.float32)
BODIES, PROGRESS = load_diabetes(return_X_y=True)
BODIES = BODIES.astype(np.float32)
LABELS = {
    "whole": SPECIES,
    "other whole": SPECIES * 3 - 1,
    "text": np.array(["setosa", "versicolor", "virginica"])[SPECIES],
    "boolean": SPECIES == 1,
    "binary text": np.where(SPECIES == 2, "yes", "no"),
    "float": SPECIES / 1.0,
}


def converted(model: Any, inputs: np.ndarray, labels: Any = None) -> Manifest:
    return converter.convert(model, inputs, labels, name="some", version="1.0.0").manifest


def windows() -> tuple[np.ndarray, np.ndarray]:
    """60 noisy waves of two frequencies, (60, 32, 2) float32, and which."""
    rng = np.random.default_rng(0)
    which = np.arange(60) % 2
    wave = np.sin(np.arange(32) * (0.4 + 0.5 * which[:, None]))
    both = np.stack([wave, -2 * wave], axis=2) + rng.normal(scale=0.3, size=(60, 32, 2))
    return both.astype(np.float32), np.array(["slow", "fast"])[which]


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(10, random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(10, min_samples_leaf=3, random_state=0)),
        make_pipeline(RobustScaler(), MaxAbsScaler(), ExtraTreesClassifier(10, random_state=0)),
        make_pipeline(MinMaxScaler(clip=True), DecisionTreeClassifier(random_state=0)),
    ],
    ids=["forest", "scaled forest", "two scalers", "clipped tree"],
)
def test_trees_are_exact_with_any_scalers_and_any_classes(model: Any, labels: str) -> None:
    manifest = converted(model.fit(ROWS, LABELS[labels]), ROWS, LABELS[labels])
    (variant,) = manifest.variants
    assert variant.exact == "leaves"
    assert variant.parity.label_disagreements == variant.parity.rounded_splits == 0
    assert variant.parity.max_abs_error < 1e-7
    assert manifest.classes == tuple(str(name) for name in np.unique(LABELS[labels]).tolist())
    assert manifest.evaluation is not None
    assert manifest.evaluation.accuracy == pytest.approx(model.score(ROWS, LABELS[labels]))


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=500),
        make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=400, random_state=0, tol=1e-3)),
        make_pipeline(StandardScaler(), SVC()),
        GaussianNB(),
        KNeighborsClassifier(),
    ],
    ids=["logistic", "network", "SVM", "naive Bayes", "neighbours"],
)
def test_other_classifiers_agree_with_any_classes(model: Any, labels: str) -> None:
    manifest = converted(model.fit(ROWS, LABELS[labels]), ROWS, LABELS[labels])
    assert manifest.variants[0].exact == ""
    assert manifest.variants[0].parity.label_disagreements == 0
    has_probabilities = hasattr(model, "predict_proba")
    names = [output.name for output in manifest.outputs]
    assert names == (["label", "probabilities"] if has_probabilities else ["label"])


def test_a_classifier_without_probabilities_has_a_label_only() -> None:
    for model in (LinearSVC(), make_pipeline(StandardScaler(), SVC(kernel="linear"))):
        manifest = converted(model.fit(ROWS, LABELS["text"]), ROWS)
        assert [output.meaning for output in manifest.outputs] == ["label"]
        assert len(manifest.golden.outputs) == 1


@pytest.mark.filterwarnings("ignore:.*probability.*:FutureWarning")
def test_a_support_vector_machine_keeps_its_own_label_beside_probabilities() -> None:
    """Its label comes from votes and need not be the likeliest class."""
    for labels in ("text", "binary text"):
        model = SVC(probability=True, random_state=0).fit(ROWS, LABELS[labels])
        manifest = converted(model, ROWS)
        assert [output.meaning for output in manifest.outputs] == ["label", "probabilities"]
        assert manifest.variants[0].parity.label_disagreements == 0


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), RandomForestRegressor(10, random_state=0)),
        DecisionTreeRegressor(random_state=0, max_depth=5),
        ExtraTreesRegressor(10, random_state=0, min_samples_leaf=4),
        make_pipeline(StandardScaler(), Ridge()),
        LinearRegression(),
    ],
    ids=["forest", "tree", "extra trees", "ridge", "linear"],
)
def test_regressors_keep_the_shape_of_their_prediction(model: Any, columns: int) -> None:
    truth = PROGRESS if columns == 1 else np.stack([PROGRESS, -PROGRESS], axis=1)
    manifest = converted(model.fit(BODIES, truth), BODIES, truth)
    assert manifest.task == "regression"
    assert manifest.outputs[0].shape == ((None,) if columns == 1 else (None, 2))
    assert manifest.classes == ()
    assert manifest.evaluation is not None
    assert manifest.evaluation.r2 == pytest.approx(model.score(BODIES, truth), abs=1e-5)


@pytest.mark.parametrize(
    "final",
    [
        [StandardScaler(), RandomForestClassifier(10, random_state=0)],
        [StandardScaler(), LogisticRegression()],
        [PCA(4), ExtraTreesClassifier(10, random_state=0)],
        [StandardScaler(), SVC()],
    ],
    ids=["forest", "logistic", "PCA and trees", "SVM"],
)
def test_a_block_converts_with_whatever_follows_it(final: list[Any]) -> None:
    inputs, labels = windows()
    model = make_pipeline(WindowFeatures(), *final).fit(inputs, labels)
    manifest = converted(model, inputs, labels)
    assert manifest.inputs[0].name == "windows"
    assert manifest.inputs[0].shape == (None, 32, 2)
    assert manifest.window is not None
    assert (manifest.window.length, manifest.window.stride) == (32, 32)
    assert manifest.preprocessing[0].name == "WindowFeatures"
    assert manifest.preprocessing[0].parameters["spectrum_bins"] == 16
    assert manifest.variants[0].parity.label_disagreements == 0


def test_steps_in_front_of_trees_that_do_not_fold_are_converted_too() -> None:
    model = make_pipeline(StandardScaler(), PCA(3), RandomForestClassifier(10, random_state=0))
    manifest = converted(model.fit(ROWS, SPECIES), ROWS)
    assert manifest.variants[0].exact == ""
    assert [step.name for step in manifest.preprocessing] == ["StandardScaler", "PCA"]


def test_missing_numbers_are_allowed_where_the_inputs_have_some() -> None:
    rows = ROWS.copy()
    rows[::5, 2] = np.nan
    forest = RandomForestClassifier(10, random_state=0).fit(rows, SPECIES)
    imputed = make_pipeline(SimpleImputer(), LogisticRegression(max_iter=500)).fit(rows, SPECIES)
    for model in (forest, imputed):
        assert converted(model, rows).inputs[0].allow_nan
        assert not converted(model, ROWS).inputs[0].allow_nan


def test_a_finished_search_is_its_best_estimator_and_pipelines_may_nest() -> None:
    inner = Pipeline([("scale", StandardScaler()), ("nothing", "passthrough"), ("none", None)])
    model = Pipeline([("front", inner), ("tree", DecisionTreeClassifier(random_state=0))])
    search = GridSearchCV(model, {"tree__max_depth": [2, 3]}, cv=2).fit(ROWS, LABELS["text"])
    manifest = converted(search, ROWS)
    assert manifest.variants[0].exact == "leaves"
    assert manifest.provenance.source == "scikit-learn Pipeline(StandardScaler, DecisionTreeClassifier)"


def test_a_source_that_writes_into_its_input_does_not_disturb_the_comparison() -> None:
    model = make_pipeline(StandardScaler(copy=False), RandomForestClassifier(10, random_state=0))
    given = ROWS.copy()
    converted(model.fit(ROWS.copy(), SPECIES), given)
    assert np.array_equal(given, ROWS)


def test_a_forest_keeps_its_own_number_of_jobs() -> None:
    model = RandomForestClassifier(10, random_state=0, n_jobs=2).fit(ROWS, SPECIES)
    converted(model, ROWS)
    assert model.n_jobs == 2


class Squared(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> "Squared":
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) ** 2


class Contrary(ClassifierMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> "Contrary":
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[-1])


class Decided(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> "Decided":
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        if X.max() > 3:
            return X
        return -X


UNSUPPORTED = {
    "a classifier of one's own": (Contrary(), "Contrary cannot be converted: nobody has written"),
    "an iterative step": (
        make_pipeline(NMF(2, max_iter=50), LogisticRegression()), "step 'nmf': NMF cannot be converted",
    ),
    "a decision on data": (
        make_pipeline(Decided(), LogisticRegression()),
        r"step 'decided': .*test_sklearn.py.*if X.max\(\) > 3",
    ),
    "a random answer": (DummyClassifier(strategy="uniform"), "DummyClassifier"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_has_no_conversion_is_refused_by_step_and_class(name: str) -> None:
    model, what = UNSUPPORTED[name]
    with pytest.raises(UnsupportedModelError, match=what):
        converted(model.fit(ROWS, SPECIES == 1), ROWS)


def test_the_authors_own_steps_are_traced() -> None:
    root = FunctionTransformer(np.sqrt)
    for step in (Squared(), root):
        manifest = converted(
            make_pipeline(step, LogisticRegression(max_iter=500)).fit(ROWS, SPECIES), ROWS
        )
        assert manifest.variants[0].parity.label_disagreements == 0
    inputs, labels = windows()
    centred = FunctionTransformer(lambda windows: windows - windows.mean(axis=1, keepdims=True))
    model = make_pipeline(centred, WindowFeatures(), RandomForestClassifier(5, random_state=0))
    assert converted(model.fit(inputs, labels), inputs).variants[0].exact == ""


@pytest.mark.parametrize(
    ("model", "task", "outputs"),
    [
        (KMeans(3, n_init=1, random_state=0), "clustering", ["label"]),
        (GaussianMixture(3, random_state=0), "clustering", ["label", "probabilities"]),
        (IsolationForest(n_estimators=20, random_state=0), "anomaly", ["label", "score"]),
        (
            make_pipeline(StandardScaler(), EllipticEnvelope(random_state=0)),
            "anomaly",
            ["label", "score"],
        ),
        (make_pipeline(StandardScaler(), PCA(2)), "transformation", ["value"]),
    ],
    ids=["clusters", "mixture", "isolation forest", "envelope", "projection"],
)
def test_models_that_neither_classify_nor_regress(model: Any, task: str, outputs: list[str]) -> None:
    manifest = converted(model.fit(ROWS), ROWS)
    assert manifest.task == task
    assert [output.name for output in manifest.outputs] == outputs
    assert manifest.classes == {
        "clustering": ("0", "1", "2"), "anomaly": ("anomaly", "normal"), "transformation": (),
    }[task]  # fmt: skip
    with pytest.raises(InputError, match=f"labels: expected none for {task}"):
        converted(model, ROWS, SPECIES)


def test_models_that_are_no_models_are_refused() -> None:
    for thing, found in (
        (RandomForestClassifier, "the class RandomForestClassifier"),
        ("model.joblib", "an object of type str"),
        ({"model": 1}, "an object of type dict"),
    ):
        with pytest.raises(UnsupportedModelError, match=f"expected a fitted.*found {found}"):
            converted(thing, ROWS)


def test_a_model_of_one_class_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="at least two classes"):
        converted(DecisionTreeClassifier().fit(ROWS, np.zeros(150)), ROWS)


def test_several_labels_are_evaluated_label_by_label() -> None:
    both = np.column_stack([LABELS["text"], LABELS["binary text"]])
    model = MultiOutputClassifier(LogisticRegression(max_iter=500)).fit(ROWS, both)
    manifest = converted(model, ROWS, both)
    assert [label.classes for label in manifest.labels] == [
        ("setosa", "versicolor", "virginica"), ("no", "yes"),
    ]  # fmt: skip
    assert manifest.evaluation is not None
    assert manifest.evaluation.accuracy == pytest.approx((model.predict(ROWS) == both).mean())
    with pytest.raises(InputError, match="labels: expected 2 an input"):
        converted(model, ROWS, both[:, 0])


@pytest.mark.parametrize(
    ("model", "step"),
    [
        (RandomForestClassifier(), "'model' .RandomForestClassifier"),
        (make_pipeline(StandardScaler(), SVC()), "'standardscaler' .StandardScaler"),
        (make_pipeline(WindowFeatures(), SVC()), "'windowfeatures' .WindowFeatures"),
        (GridSearchCV(SVC(), {"C": [1]}), "'model' .GridSearchCV"),
    ],
)
def test_an_unfitted_model_names_the_step(model: Any, step: str) -> None:
    with pytest.raises(ConversionError, match=f"{step}.*is not fitted"):
        converted(model, ROWS)


def test_inputs_that_do_not_fit_the_model_are_refused() -> None:
    forest = RandomForestClassifier(3).fit(ROWS, SPECIES)
    inputs, labels = windows()
    block = make_pipeline(WindowFeatures(), RandomForestClassifier(3)).fit(inputs, labels)
    for model, wrong, what in (
        (forest, ROWS[:, :3], "4 features"),
        (forest, inputs, "need a block"),
        (block, inputs[:, :30], r"\(32, 2\)"),
        (block, ROWS, r"\(32, 2\)"),
        (block, np.full_like(inputs, np.nan), "finite number, found nan"),
        (forest, np.full_like(ROWS, 1e39, dtype=np.float64), "within float32"),
        (forest, np.full_like(ROWS, "a", dtype=object), "refuses its first input"),
        (forest, ROWS[0], "shape"),
        (forest, ROWS[:0], "shape"),
    ):
        with pytest.raises((InputError, ConversionError), match=what):
            converted(model, wrong)
    gaps = ROWS.copy()
    gaps[7, 2] = np.nan
    for missing, place in ((gaps, "row 7.*column 2"), (np.full_like(ROWS, np.nan), "row 0.*column 0")):
        with pytest.raises(InputError, match=f"{place}, and the model takes none. Put an imputer"):
            converted(LogisticRegression().fit(ROWS, SPECIES), missing)


@pytest.mark.parametrize(
    "model",
    [KMeans(3, n_init=1, random_state=0), make_pipeline(StandardScaler(), MiniBatchKMeans(3, n_init=1))],
    ids=["alone", "behind a scaler"],
)
def test_clusters_of_float64_are_asked_about_float32_although_scikit_learn_refuses_it(
    model: Any,
) -> None:
    rows = ROWS.astype(np.float64)
    assert converted(model.fit(rows), rows).inputs[0].dtype == "float32"


class Answering(RegressorMixin, BaseEstimator):
    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def fit(self, X: Any, y: Any) -> "Answering":
        self.fitted_ = True
        return self

    def predict(self, X: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("answer", [None, 3.0, np.zeros(7)])
def test_a_model_that_gives_no_answer_for_each_input_is_refused(answer: Any) -> None:
    told = "expected a value for each of 150 inputs, found an array of shape"
    with pytest.raises(ConversionError, match=told):
        converted(Answering(answer).fit(ROWS, SPECIES), ROWS)


def test_an_answer_that_is_no_class_is_named() -> None:
    model = Contrary().fit(ROWS, LABELS["text"])
    model.classes_ = np.array([0, 1, 2])
    model.predict = lambda x: np.full(len(x), "setosa")
    with pytest.raises(
        ConversionError, match="answers 'setosa', which is none of its classes_: 0, 1, 2"
    ):
        converted(model, ROWS)


def test_a_model_that_cannot_be_asked_about_new_rows_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="DBSCAN neither predicts nor transforms rows"):
        converted(DBSCAN().fit(ROWS), ROWS)


def test_gradient_boosting_behind_a_block() -> None:
    inputs, labels = windows()
    model = make_pipeline(WindowFeatures(), GradientBoostingClassifier(n_estimators=10))
    assert converted(model.fit(inputs, labels), inputs).variants[0].parity.label_disagreements == 0
