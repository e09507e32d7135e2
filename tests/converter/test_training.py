"""Cross-validation of the source model on its training data, against scikit-learn's own."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from converter.inputs import as_rows
from converter.source import read_source
from converter.training import read_training
from edge_runtime.bundle.manifest import CrossValidation
from edge_runtime.errors import ConversionError, InputError

ROWS, SPECIES = load_iris(return_X_y=True)
NAMED = {"name": "a", "version": "1.0.0"}


def scores(model: object, inputs: object, *training: object, folds: int = 5) -> CrossValidation:
    bundle = converter.convert(model, inputs, training=training, cross_validation=folds, **NAMED)
    assert bundle.manifest.evaluation is not None
    found = bundle.manifest.evaluation.cross_validation
    assert found is not None
    return found


def test_a_classifiers_folds_score_as_in_scikit_learn() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, SPECIES)
    found = scores(model, ROWS, ROWS, SPECIES)
    expected = cross_validate(clone(model), ROWS, SPECIES, cv=5)["test_score"]
    assert found.metric == "accuracy"
    assert found.inputs == 150
    assert found.scores == pytest.approx(expected)
    assert (found.mean, found.std) == pytest.approx((expected.mean(), expected.std()))


@pytest.mark.parametrize("is_inside", [False, True])
def test_fitting_anew_leaves_no_file_behind(
    is_inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CatBoost writes a log into the working directory unless it is told not to."""
    model = CatBoostClassifier(iterations=3, verbose=False)
    model = make_pipeline(StandardScaler(), model) if is_inside else model
    monkeypatch.chdir(tmp_path)
    model.fit(ROWS, SPECIES)
    assert [path.name for path in tmp_path.iterdir()] == ["catboost_info"]
    shutil.rmtree(tmp_path / "catboost_info")
    assert scores(model, ROWS, ROWS, SPECIES, folds=2).mean > 0.3
    assert list(tmp_path.iterdir()) == []


def test_a_regressions_score_is_r2() -> None:
    rows, truth = load_diabetes(return_X_y=True)
    model = LinearRegression().fit(rows, truth)
    found = scores(model, rows, rows, truth, folds=3)
    assert found.metric == "r2"
    assert found.scores == pytest.approx(cross_validate(model, rows, truth, cv=3)["test_score"])


def test_several_labels_score_by_the_share_of_single_ones() -> None:
    rows, labels = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    model = RandomForestClassifier(5, random_state=0).fit(rows, labels)
    found = scores(model, rows, rows, labels, folds=2)
    again = clone(model).fit(rows[30:], labels[30:])
    assert found.scores[0] == pytest.approx((again.predict(rows[:30]) == labels[:30]).mean())


def test_a_table_is_fitted_anew_on_the_columns_that_the_model_knows() -> None:
    frame = pd.DataFrame(ROWS, columns=list("abcd"))
    model = LogisticRegression(max_iter=500).fit(frame, SPECIES)
    found = scores(model, frame, frame.assign(noise=SPECIES), SPECIES)
    assert found.scores == pytest.approx(cross_validate(model, frame, SPECIES)["test_score"])


def test_labels_of_a_file_are_the_models_own_classes() -> None:
    model = LogisticRegression(max_iter=500).fit(ROWS, SPECIES)
    assert scores(model, ROWS, ROWS, SPECIES.astype(str)) == scores(model, ROWS, ROWS, SPECIES)


def test_a_model_without_random_state_scores_the_same_again_and_is_left_as_it_was() -> None:
    model = RandomForestClassifier(3, n_jobs=2).fit(ROWS, SPECIES)
    before = model.predict_proba(ROWS)
    assert scores(model, ROWS, ROWS, SPECIES) == scores(model, ROWS, ROWS, SPECIES)
    assert model.random_state is None
    assert np.array_equal(before, model.predict_proba(ROWS))


def test_the_report_tells_it_with_and_without_held_out_labels() -> None:
    model = LogisticRegression(max_iter=500).fit(ROWS, SPECIES)
    told = "cross-validation of 5 folds of 150 training inputs: accuracy 0.973, standard deviation 0.025"
    trained = {"training": (ROWS, SPECIES), **NAMED}
    assert told in converter.convert(model, ROWS, SPECIES, **trained).report()
    without = converter.convert(model, ROWS, **trained).report()
    assert told in without
    assert "accuracy not measured on held-out inputs" in without


class Stubborn(ClassifierMixin, BaseEstimator):
    """Its constructor changes what it is given, so that it cannot be cloned."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = list(names)

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Stubborn":
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.full(len(X), self.classes_[0])


def test_a_model_that_cannot_be_cloned_is_told_before_any_work() -> None:
    rows = as_rows(ROWS)
    source = read_source(Stubborn(("a",)).fit(ROWS, SPECIES), rows)
    with pytest.raises(ConversionError, match=r"Stubborn is none: .* Give cross_validation=0"):
        read_training(source, rows, (ROWS, SPECIES), None, rows_of=as_rows, folds=5)


def test_a_fold_that_cannot_be_fitted_is_one_clear_error() -> None:
    model = LogisticRegression(max_iter=500).fit(ROWS, SPECIES)
    model.C = -1.0
    with pytest.raises(ConversionError, match=r"cross-validation: .*'C' parameter.*cross_validation=0"):
        scores(model, ROWS, ROWS, SPECIES)


@pytest.mark.parametrize(
    ("training", "folds", "what"),
    [
        (ROWS, 5, "training: expected a pair, found ndarray"),
        ((ROWS, None), 5, "training: expected labels, which cross-validation needs, found none"),
        ((ROWS, SPECIES[:9]), 5, "training: labels: expected 150"),
        ((ROWS[:, :2], SPECIES), 5, "training: expected rows of shape"),
        ((ROWS[:52], SPECIES[:52]), 5, "5 rows of every class, one a fold, found 0 of '2'"),
        ((ROWS, np.full(150, "rose")), 5, "training: labels: row 0: expected one of"),
        ((ROWS, SPECIES), 1, "cross_validation: expected 0 or 2 to 100 folds, found 1"),
        ((ROWS, SPECIES), "5", "cross_validation: expected 0 or 2 to 100 folds, found '5'"),
    ],
)
def test_training_data_that_does_not_fit_is_refused(training: object, folds: object, what: str) -> None:
    model = LogisticRegression(max_iter=500).fit(ROWS, SPECIES)
    with pytest.raises(InputError, match=what):
        converter.convert(model, ROWS, training=training, cross_validation=folds, **NAMED)


def test_fewer_rows_than_folds_are_refused() -> None:
    model = LinearRegression().fit(ROWS, SPECIES)
    with pytest.raises(InputError, match="at least 5 rows, one a fold, found 3"):
        scores(model, ROWS, ROWS[:3], SPECIES[:3])


def test_what_has_no_truth_has_no_folds() -> None:
    model = KMeans(3, random_state=0, n_init=1).fit(ROWS)
    with pytest.raises(InputError, match="training: labels: expected none for clustering"):
        scores(model, ROWS, ROWS, SPECIES)
