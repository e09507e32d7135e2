"""Several models through `converter.compare`: one bundle, and why it is that one's."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import converter
from edge_runtime.errors import ConfigError, ConversionError, InputError, ManifestError

ROWS, DIGITS = load_digits(return_X_y=True)
TRAIN, TEST = slice(None, None, 2), slice(1, None, 2)
NAMED = {"name": "digits", "version": "1.0.0"}


def fitted(model: Any) -> Any:
    return model.fit(ROWS[TRAIN], DIGITS[TRAIN])


def models() -> dict[str, Any]:
    """The support vectors are the best by a little and the slowest; the tree is not good."""
    return {
        "vectors": fitted(make_pipeline(StandardScaler(), SVC())),
        "linear": fitted(make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))),
        "tree": fitted(DecisionTreeClassifier(random_state=0)),
    }


def compared(given: dict[str, Any], **options: Any) -> "converter.Comparison":
    return converter.compare(given, ROWS[TEST], DIGITS[TEST], **NAMED, **options)


@pytest.fixture(scope="module")
def found() -> "converter.Comparison":
    return compared(models())


def by_name(found: "converter.Comparison") -> dict[str, Any]:
    return {each.name: each for each in found.candidates}


def test_a_fast_model_that_is_as_good_within_noise_is_taken(found: "converter.Comparison") -> None:
    assert [each.name for each in found.candidates] == ["vectors", "linear", "tree"]
    assert found.winner.name == "linear"
    assert found.bundle.manifest.provenance.source.endswith("(StandardScaler, LogisticRegression)")
    vectors, linear, tree = (each.measured for each in found.candidates)
    assert vectors.score > linear.score > tree.score
    assert vectors.latency_us > linear.latency_us
    assert vectors.size_bytes > linear.size_bytes


def test_scores_are_those_of_the_manifest_and_sizes_those_of_the_report(
    found: "converter.Comparison",
) -> None:
    linear = found.winner.measured
    assert linear is not None
    assert found.bundle.manifest.evaluation is not None
    assert linear.score == found.bundle.manifest.evaluation.accuracy
    assert linear.size_bytes == found.bundle.manifest.variants[0].size_bytes


def test_every_candidate_says_why(found: "converter.Comparison") -> None:
    why = {name: each.why for name, each in by_name(found).items()}
    assert why["vectors"] == (
        "the best accuracy, with one other within noise of it, of which linear is faster"
    )
    assert why["linear"].startswith("chosen: within noise of vectors, the best (behind by 0.0")
    assert why["linear"].endswith("; of these 2 it is the fastest")
    assert why["tree"].startswith("worse than vectors (behind by 0.1")


def test_the_report_holds_a_table_the_reasons_the_rule_and_the_bundles_own_report(
    found: "converter.Comparison",
) -> None:
    told = found.report()
    titles, *rows = told.splitlines()
    assert titles.split() == ["candidate", "accuracy", "95", "%", "interval", "size", "one", "row"]
    assert [row.split()[0] for row in rows[:3]] == ["vectors", "linear", "tree"]
    said = " ".join(told.split())
    assert all(f"{each.name}: {each.why}" in said for each in found.candidates)
    assert "the paired 95 % interval of the difference holds 0" in said
    assert max(map(len, told.splitlines())) <= 105
    assert told.endswith(found.bundle.report())


def test_the_card_names_the_candidates_without_any_time(found: "converter.Comparison") -> None:
    card = found.bundle.artifacts["card.md"].decode()
    section = card.partition("## Chosen among candidates\n\n")[2].partition("\n\n## Not known")[0]
    first, *others = section.splitlines()
    assert first == "- One of 3 candidates, chosen by accuracy on 898 labelled inputs."
    assert [line.partition(":")[0] for line in others] == ["- vectors", "- linear", "- tree"]
    assert others[1].endswith(" kB; chosen.")
    assert "µs" not in section


def test_the_same_choice_gives_the_same_bytes(found: "converter.Comparison") -> None:
    """Though no row takes the same time twice."""
    again = compared(models())
    assert again.winner.name == found.winner.name
    assert again.bundle.to_bytes() == found.bundle.to_bytes()


def test_the_bundle_replays_its_goldens(found: "converter.Comparison") -> None:
    found.bundle.replay_goldens()


def test_a_better_score_by_another_metric_is_another_choice() -> None:
    """Vectors without probabilities have no log loss; the forest's is worse than the line's."""
    given = {**models(), "forest": fitted(RandomForestClassifier(20, random_state=0))}
    found = compared(given, metric="log-loss")
    assert found.winner.name == "linear"
    assert found.winner.why == "chosen: the best log loss, ahead of all others by more than noise"
    assert by_name(found)["vectors"].why == (
        "left out: metric log-loss: expected a model of probabilities, found one of labels alone."
    )


def test_a_limit_leaves_out_what_is_over_it() -> None:
    given = models()
    found = compared(given, max_size_bytes=300_000, max_latency_us=1e6)
    vectors = by_name(found)["vectors"]
    assert vectors.measured.exceeds == ("size",)
    assert vectors.why.startswith("over the limit: it has ")
    assert "allowed is at most 300.0 kB and 1,000,000 µs a row" in vectors.why
    assert found.winner.why == "chosen: the best accuracy, ahead of all others by more than noise"
    assert [line.split()[-2:] for line in found.report().splitlines()[:2]] == [
        ["row", "limits"],
        ["size", "over"],
    ]


def test_where_all_are_over_a_limit_each_is_told_with_its_own() -> None:
    with pytest.raises(ConversionError, match=r"at most 10 B, found vectors with .* kB and .* µs a row"):
        compared(models(), max_size_bytes=10)


def test_a_candidate_of_other_inputs_is_told_in_its_line_and_left_out() -> None:
    narrow = DecisionTreeClassifier().fit(ROWS[TRAIN, :10], DIGITS[TRAIN])
    found = compared({"narrow": narrow, **models()})
    assert found.candidates[0].why == (
        "left out: inputs: expected 10 features, as in training; found 64."
    )
    assert found.report().splitlines()[1].split() == ["narrow", "–", "–", "–", "–"]
    card = found.bundle.artifacts["card.md"].decode()
    assert "- narrow: left out, as it does not convert or takes other inputs." in card


class Unknown(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator that nobody has a lowering for."""

    def fit(self, rows: Any, labels: Any) -> "Unknown":
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows: Any) -> Any:
        return np.full(len(rows), self.classes_[0])


def test_a_candidate_that_does_not_convert_leaves_the_only_other_one() -> None:
    found = compared({"unknown": fitted(Unknown()), "linear": models()["linear"]})
    assert found.winner.name == "linear"
    assert found.winner.why == "chosen: no other candidate is left"
    assert "Unknown" in found.candidates[0].why


def test_where_none_converts_each_says_why() -> None:
    narrow = DecisionTreeClassifier().fit(ROWS[TRAIN, :10], DIGITS[TRAIN])
    with pytest.raises(
        ConversionError, match=r"found none\. unknown: .*Unknown.* narrow: inputs: expected"
    ):
        compared({"unknown": fitted(Unknown()), "narrow": narrow})


def test_values_are_compared_by_r2() -> None:
    rows, truth = load_diabetes(return_X_y=True)
    given = {
        "line": LinearRegression().fit(rows[TRAIN], truth[TRAIN]),
        "tree": DecisionTreeRegressor(random_state=0).fit(rows[TRAIN], truth[TRAIN]),
    }
    found = converter.compare(given, rows[TEST], truth[TEST], **NAMED)
    assert found.told.metric.name == "r2"
    assert found.winner.name == "line"
    by_error = converter.compare(given, rows[TEST], truth[TEST], metric="mae", **NAMED)
    assert by_error.winner.name == "line"
    assert by_error.winner.measured.score == pytest.approx(
        np.abs(given["line"].predict(rows[TEST]) - truth[TEST]).mean(), rel=1e-5
    )


def test_a_regression_among_classifications_is_left_out() -> None:
    found = compared({**models(), "values": fitted(LinearRegression())})
    assert by_name(found)["values"].why == (
        "left out: metric: expected r2 or mae or mse, as the model is a regression; found accuracy."
    )


def test_columns_are_found_by_name_whichever_of_them_a_model_knows() -> None:
    frame = pd.DataFrame(ROWS, columns=[f"p{i}" for i in range(64)])
    few = frame.columns[10:40]
    given = {
        "all": LogisticRegression(max_iter=2000).fit(frame[TRAIN], DIGITS[TRAIN]),
        "few": LogisticRegression(max_iter=2000).fit(frame.loc[frame.index[TRAIN], few], DIGITS[TRAIN]),
    }
    found = converter.compare(given, frame[TEST], DIGITS[TEST], **NAMED)
    assert all(each.measured is not None for each in found.candidates)


@pytest.mark.parametrize(
    ("options", "error", "what"),
    [
        ({"metric": "f2"}, ConfigError, "metric: expected one of accuracy, f1, .*, found 'f2'"),
        ({"metric": "r2"}, ConfigError, "as the model is a classification; found r2"),
        ({"max_size_bytes": "500 apples"}, ConfigError, "max_size_bytes: expected a number above 0"),
        ({"max_latency_us": 0}, ConfigError, "max_latency_us: expected a number above 0"),
        ({"version": "1"}, ManifestError, "^version '1': expected a semantic version"),
        ({"labels": DIGITS[:3]}, InputError, "^labels: expected 898, one an input"),
        ({"labels": None}, InputError, "labels: expected the truth .* found none. Give labels"),
        ({"models": {"tree": fitted(LinearSVC())}}, ConfigError, "two models or more, found 1"),
        ({"models": {"a": fitted(KMeans(2)), "b": fitted(KMeans(3))}}, InputError, "for clustering"),
    ],
)
def test_what_is_wrong_with_all_alike_is_one_clear_error(
    options: dict[str, Any], error: type[Exception], what: str
) -> None:
    tree = fitted(DecisionTreeClassifier(max_depth=2))
    given = {"models": {"a": tree, "b": tree}, "inputs": ROWS[TEST], "labels": DIGITS[TEST], **NAMED}
    with pytest.raises(error, match=what):
        converter.compare(**(given | options))
