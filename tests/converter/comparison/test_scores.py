"""Scores and their differences, against the evaluation that the manifest has and scikit-learn's own."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from converter.comparison.metrics import METRICS
from converter.comparison.scores import Score, scored
from converter.evaluate import classification, regression
from edge_runtime.bundle.scores import wilson_interval
from edge_runtime.errors import InputError

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 3, 200)


def answers(seed: int, right: float, classes: int = 3) -> dict[str, Any]:
    """Labels that are right so often, and probabilities with many ties."""
    random = np.random.default_rng(seed)
    truth = TRUTH % classes
    raw = random.random((200, classes)).round(1) + 0.05
    raw[np.arange(200), truth] += right
    probabilities = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    return {"label": probabilities.argmax(axis=1), "probabilities": probabilities}


def of(metric: str, found: dict[str, Any], truth: np.ndarray = TRUTH) -> Score:
    return scored(METRICS[metric], truth, found)


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_of_a_classification_are_those_of_the_manifest(classes: int) -> None:
    truth, found = TRUTH % classes, answers(1, 0.3, classes)
    known = classification(truth, found["label"], tuple("abc"[:classes]), found["probabilities"])
    assert of("accuracy", found, truth).value == pytest.approx(known.accuracy)
    assert of("f1", found, truth).value == pytest.approx(known.macro_f1)
    assert of("roc-auc", found, truth).value == pytest.approx(known.roc_auc)
    assert of("log-loss", found, truth).value == pytest.approx(known.log_loss)


@pytest.mark.parametrize("shape", [(50,), (50, 3)])
def test_scores_of_a_regression_are_those_of_the_manifest(shape: tuple[int, ...]) -> None:
    truth = RANDOM.normal(1000, 1, shape)
    found = {"value": truth + RANDOM.normal(scale=0.3, size=shape)}
    known = regression(truth, found["value"])
    assert of("r2", found, truth).value == pytest.approx(known.r2)
    assert of("mae", found, truth).value == pytest.approx(known.mean_absolute_error)
    assert of("mse", found, truth).value == pytest.approx(known.mean_squared_error)


def test_r2_of_a_truth_that_does_not_vary_is_1_or_0_as_in_the_manifest() -> None:
    same = np.full(4, 0.1)
    assert of("r2", {"value": same}, same).value == 1
    assert of("r2", {"value": same + 1}, same).value == 0


@pytest.mark.parametrize("metric", ["accuracy", "f1", "roc-auc", "log-loss"])
def test_an_input_that_counts_twice_scores_as_if_it_were_there_twice(metric: str) -> None:
    weights = np.random.default_rng(2).integers(0, 3, 200)
    found = answers(1, 0.3)
    rows = np.repeat(np.arange(200), weights)
    twice = of(metric, {name: each[rows] for name, each in found.items()}, TRUTH[rows]).value
    scale = len(rows) / 200  # a resample has as many inputs as there are; this one has not
    weighted = of(metric, found).statistic(weights[None].astype(float))[0]
    assert weighted / (scale if metric in ("accuracy", "log-loss") else 1) == pytest.approx(twice)


@pytest.mark.parametrize("metric", ["r2", "mae", "mse"])
def test_values_that_count_twice_do_so_too(metric: str) -> None:
    truth = RANDOM.normal(size=60)
    found = truth + RANDOM.normal(scale=0.5, size=60)
    rows = RANDOM.integers(0, 60, 60)
    weights = np.bincount(rows, minlength=60).astype(float)
    whole = of(metric, {"value": found}, truth).statistic(weights[None])[0]
    assert whole == pytest.approx(of(metric, {"value": found[rows]}, truth[rows]).value)


def test_the_interval_of_an_accuracy_is_wilsons() -> None:
    score = of("accuracy", answers(1, 0.3))
    assert score.interval() == wilson_interval(score.value, 200)


@pytest.mark.parametrize("metric", ["f1", "roc-auc", "log-loss"])
def test_other_intervals_hold_the_score_and_are_the_same_every_time(metric: str) -> None:
    score = of(metric, answers(1, 0.3))
    low, high = score.interval()
    assert low < score.value < high
    assert (low, high) == score.interval()


@pytest.mark.parametrize("metric", ["accuracy", "f1", "roc-auc", "log-loss"])
def test_the_better_one_is_ahead_whichever_way_the_metric_points(metric: str) -> None:
    good, bad = of(metric, answers(1, 0.9)), of(metric, answers(2, 0.1))
    ahead, behind = good.ahead_of(bad), bad.ahead_of(good)
    assert ahead.low > 0
    assert behind.high < 0
    assert ahead.by == pytest.approx(-behind.by)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "roc-auc", "log-loss"])
def test_a_score_is_within_noise_of_itself(metric: str) -> None:
    score = of(metric, answers(1, 0.5))
    assert score.ahead_of(score).is_noise


def test_pairs_tell_apart_what_two_intervals_cannot() -> None:
    """One model is right wherever the other is, and on 8 inputs of 200 more: their intervals overlap."""
    found = answers(1, 0.3)
    better = np.where(np.arange(200) < 16, TRUTH, found["label"])
    first, second = of("accuracy", {"label": better}), of("accuracy", found)
    assert second.interval()[1] > first.interval()[0]
    assert first.ahead_of(second).low > 0


def test_classes_that_a_resample_has_not_drawn_do_not_count_in_its_area() -> None:
    found = answers(1, 0.3)
    weights = (TRUTH != 2).astype(float)[None]
    area = of("roc-auc", found).statistic(weights)[0]
    rows = np.flatnonzero(TRUTH != 2)
    columns = [
        sklearn_metrics.roc_auc_score(TRUTH[rows] == i, found["probabilities"][rows, i]) for i in (0, 1)
    ]
    assert area == pytest.approx(np.mean(columns))
    assert np.isnan(of("roc-auc", found).statistic((TRUTH == 2).astype(float)[None])[0])


def test_of_several_labels_the_share_of_right_ones_counts() -> None:
    truth = np.array([[0, 1], [1, 1], [0, 0]])
    score = of("accuracy", {"label": np.array([[0, 1], [0, 1], [1, 1]])}, truth)
    assert score.value == pytest.approx(3 / 6)
    assert score.right is not None
    assert score.right.tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("metric", ["roc-auc", "log-loss"])
def test_labels_alone_have_no_score_of_probabilities(metric: str) -> None:
    with pytest.raises(InputError, match=f"metric {metric}: expected a model of probabilities, found"):
        of(metric, {"label": TRUTH})


def test_probabilities_that_are_no_numbers_have_no_score() -> None:
    found = answers(1, 0.3)
    found["probabilities"][3, 1] = np.nan
    with pytest.raises(InputError, match="expected probabilities, found some that are no numbers"):
        of("log-loss", found)


def test_an_area_needs_labels_of_every_class() -> None:
    found, truth = answers(1, 0.3), np.where(TRUTH == 1, 0, TRUTH)
    with pytest.raises(InputError, match="labels of each of the 3 classes, found none of 1 of them"):
        of("roc-auc", found, truth)
