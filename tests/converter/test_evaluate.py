"""Against scikit-learn's own metrics."""

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn import metrics

from converter.evaluate import class_indices, classification, regression, truth_of, values_of
from edge_runtime.bundle.manifest import Label
from edge_runtime.errors import InputError


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    called = np.where(rng.random(200) < 0.7, truth, rng.integers(0, 3, 200))
    found = classification(truth, called, ("a", "b", "c"))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(truth, called)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, called))
    for i, score in enumerate(found.per_class.values()):
        assert (score.precision, score.recall, score.f1, score.support) == pytest.approx(
            (precision[i], recall[i], f1[i], support[i])
        )
    assert found.confusion == tuple(map(tuple, metrics.confusion_matrix(truth, called).tolist()))


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, classes, 300)
    raw = rng.random((300, classes)).round(1) + 0.01  # many ties
    raw[np.arange(300), truth] += 0.3
    given = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    given[0] = np.eye(classes)[truth[0] - 1]  # certain, and wrong
    called = given.argmax(axis=1)
    found = classification(truth, called, tuple("abcd"[:classes]), given)
    areas = given[:, 1] if classes == 2 else given
    assert found.roc_auc == pytest.approx(metrics.roc_auc_score(truth, areas, multi_class="ovr"))
    assert found.log_loss == pytest.approx(metrics.log_loss(truth, given), rel=1e-6)
    assert found.macro_f1 == pytest.approx(metrics.f1_score(truth, called, average="macro"))
    assert found.weighted_f1 == pytest.approx(metrics.f1_score(truth, called, average="weighted"))


def test_where_a_class_does_not_occur_there_is_no_roc_auc() -> None:
    truth, given = np.array([0, 1, 1]), np.full((3, 3), 1 / 3, np.float32)
    found = classification(truth, truth, ("a", "b", "c"), given)
    assert found.roc_auc is None
    assert found.log_loss == pytest.approx(np.log(3))
    assert found.macro_f1 == 1.0


def test_probabilities_that_are_no_numbers_have_no_score() -> None:
    truth, given = np.array([0, 1]), np.array([[np.nan, np.nan], [0.5, 0.5]], np.float32)
    found = classification(truth, truth, ("a", "b"), given)
    assert found.roc_auc is None
    assert found.log_loss is None


def test_a_class_that_is_never_called_or_never_there_scores_0() -> None:
    found = classification(np.array([0, 0, 1]), np.array([0, 2, 2]), ("a", "b", "c", "d"))
    assert found.per_class["b"].recall == found.per_class["b"].precision == 0
    assert found.per_class["c"].precision == found.per_class["c"].f1 == 0
    assert found.per_class["d"].support == 0
    assert found.confusion == ((1, 0, 1, 0), (0, 0, 1, 0), (0, 0, 0, 0), (0, 0, 0, 0))


@pytest.mark.parametrize("columns", [1, 3])
def test_errors_of_a_regression_are_those_of_scikit_learn(columns: int) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(50, columns)).squeeze()
    called = truth + rng.normal(scale=0.2, size=truth.shape)
    found = regression(truth, called)
    assert found.mean_squared_error == pytest.approx(metrics.mean_squared_error(truth, called))
    assert found.mean_absolute_error == pytest.approx(metrics.mean_absolute_error(truth, called))
    assert found.r2 == pytest.approx(metrics.r2_score(truth, called))
    assert found.accuracy is None


def test_r2_of_a_truth_that_does_not_vary_is_1_or_0() -> None:
    same = np.full(4, 2.0)
    assert regression(same, same).r2 == 1
    assert regression(same, same + 1).r2 == 0


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a"], ["a", "b"]),
        ([1, 0], [0, 1]),
        ([1.0, 0.0], [0, 1]),
        (["1", "0"], [0, 1]),
        (["1.0", "0"], [0, 1]),
        ([True, False], [False, True]),
        (["True", "False"], [False, True]),
        ([7, 3], [3.0, 7.0]),
        ([1, 0], ["0", "1"]),
    ],
)
def test_labels_find_their_class_however_a_file_spells_them(labels: list, classes: list) -> None:
    assert class_indices(np.array(labels), np.array(classes)).tolist() == [1, 0]


@pytest.mark.parametrize(("labels", "classes"), [(["a", "x"], ["a", "b"]), (["1", "x"], [1, 2])])
def test_a_label_that_is_no_class_is_named(labels: list, classes: list) -> None:
    with pytest.raises(InputError, match=r"row 1: expected one of .*found 'x'"):
        class_indices(np.array(labels), np.array(classes))


def test_labels_of_the_wrong_shape_or_kind_are_refused() -> None:
    with pytest.raises(InputError, match="one an input"):
        class_indices(np.zeros((2, 2)), np.array([0, 1]))
    for truth, what in ((["a", "b"], "numbers"), (np.zeros((2, 2)), "shape"), ([1, np.nan], "finite")):
        with pytest.raises(InputError, match=what):
            regression(np.array(truth), np.zeros(2))


@dataclass(frozen=True)
class Outputs:
    """Of a source model, what the truth is compared with."""

    task: str = "regression"
    value_names: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    classes: tuple[np.ndarray, ...] = ()
    is_multi_label: bool = False


def test_truth_by_name_lies_side_by_side_as_the_values_do() -> None:
    speed, grid = np.array([1, 2]), np.arange(12.0).reshape(2, 3, 2)
    source = Outputs(value_names=("speed", "grid"))
    truth = truth_of(source, {"grid": grid, "speed": speed})
    assert truth.shape == (2, 7)
    assert np.array_equal(truth, values_of({"speed": speed, "grid": grid}))
    assert regression(truth, values_of({"speed": speed, "grid": grid + 1})).mean_absolute_error == 6 / 7
    with pytest.raises(InputError, match="one an output by its name: 'speed', 'grid'; found 'speed'"):
        truth_of(source, {"speed": speed})
    assert truth_of(Outputs(value_names=("value",)), {"own": grid}).shape == grid.shape


def test_truth_by_name_of_several_labels() -> None:
    labels = tuple(Label(name=name, classes=("0", "1")) for name in ("wet", "cold"))
    classes = (np.arange(2),) * 2
    source = Outputs("classification", labels=labels, classes=classes, is_multi_label=True)
    truth = truth_of(source, {"cold": np.array([0, 1]), "wet": np.array([1, 1])})
    assert truth.tolist() == [[1, 0], [1, 1]]
