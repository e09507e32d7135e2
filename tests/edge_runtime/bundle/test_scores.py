"""The scores of an evaluation, in words and tables."""

import pytest
from scipy.stats import binomtest

from edge_runtime.bundle.manifest import ClassScore, Evaluation
from edge_runtime.bundle.scores import score_lines, wilson_interval


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (39, 40), (500, 1000), (12, 12)])
def test_the_interval_of_an_accuracy_is_that_of_wilson(hits: int, count: int) -> None:
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson_interval(hits / count, count) == pytest.approx((expected.low, expected.high))


def test_a_regression_is_told_in_a_line() -> None:
    found = Evaluation(inputs=7, mean_squared_error=0.25, mean_absolute_error=0.5, r2=0.75)
    line = "mean squared error 0.25, mean absolute error 0.5, R² 0.75 on 7 labelled inputs"
    assert list(score_lines(found, ())) == [line]


def test_classes_come_in_the_order_of_indices_and_both_tables_have_titles() -> None:
    score = ClassScore(precision=1.0, recall=0.5, f1=2 / 3, support=2)
    found = Evaluation(
        inputs=4, accuracy=0.75, per_class={"b": score, "a": score}, confusion=((1, 1), (0, 2))
    )
    assert list(score_lines(found, ("b", "a"))) == [
        "accuracy 0.750 on 4 labelled inputs, 95 % interval 0.301 to 0.954",
        "",
        "class  precision  recall     f1  inputs",
        "b          1.000   0.500  0.667       2",
        "a          1.000   0.500  0.667       2",
        "",
        "is \\ called  b  a",
        "b            1  1",
        "a            0  2",
    ]


@pytest.mark.parametrize(("accuracy", "inputs"), [(1e9, 4), (-0.5, 4), (0.5, 0), (0.5, -3)])
def test_what_is_no_accuracy_is_shown_without_an_interval(accuracy: float, inputs: int) -> None:
    found = list(score_lines(Evaluation(inputs=inputs, accuracy=accuracy), ()))

    assert found[-1] == f"accuracy {accuracy:.3f} on {inputs} labelled inputs"
