"""Support vector machines: decisions, votes and their ties, coupled probabilities."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import make_classification
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR, OneClassSVM

from converter.lowering import registry, svm
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check, computed

KERNELS = ["linear", "poly", "rbf", "sigmoid"]
pytestmark = pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")


def problem(classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, their classes by name, and other rows."""
    rows, truth = make_classification(
        120, 6, n_informative=5, n_redundant=0, n_classes=classes, n_clusters_per_class=1, random_state=0
    )
    names = np.array([f"class {c}" for c in range(classes)])
    return rows[:80], names[truth[:80]], rows[80:]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_svc_agrees(classes: int, name: str) -> None:
    trained, truth, rows = problem(classes)
    check(SVC(kernel=name, degree=2, coef0=0.5).fit(trained, truth), rows)


@pytest.mark.parametrize("classes", [2, 4])
def test_one_decision_a_pair(classes: int) -> None:
    trained, truth, rows = problem(classes)
    check(SVC(decision_function_shape="ovo").fit(trained, truth), rows)


def test_nusvc_and_class_weights_agree() -> None:
    trained, truth, rows = problem(3)
    check(NuSVC(nu=0.2).fit(trained, truth), rows)
    check(SVC(class_weight="balanced", gamma=0.3, C=3).fit(trained, truth), rows)


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_probabilities_are_coupled_as_libsvm_does(classes: int) -> None:
    trained, truth, rows = problem(classes)
    extreme = np.concatenate([rows, rows * 10, trained * 0])
    check(SVC(probability=True, random_state=0).fit(trained, truth), extreme)
    check(NuSVC(nu=0.2, probability=True, random_state=0).fit(trained, truth), extreme)


def test_votes_that_tie_go_to_the_first_class_unless_told_otherwise() -> None:
    """Where three classes win one pair each, libsvm takes the first; break_ties the most confident."""
    trained, truth, _ = problem(3)
    rows = np.random.default_rng(0).normal(size=(4000, 6)) * 2
    plain = SVC(kernel="sigmoid", gamma=0.5).fit(trained, truth)
    broken = SVC(kernel="sigmoid", gamma=0.5, break_ties=True).fit(trained, truth)
    check(plain, rows)
    check(broken, rows)
    assert (plain.predict(rows) != broken.predict(rows)).any()


def test_a_decision_of_exactly_zero_is_the_second_class() -> None:
    model = SVC(kernel="linear").fit(np.array([[-1.0], [1.0]]), [0, 1])
    check(model, np.zeros((1, 1)))
    assert computed(model, np.zeros((1, 1)))["decision"] == 0.0


def test_of_decisions_of_exactly_zero_libsvm_and_scikit_learn_count_differently() -> None:
    """libsvm counts each for the pair's second class, the decision function for the first."""
    trained, truth, rows = problem(3)
    for break_ties, name in ((False, "class 2"), (True, "class 0")):
        model = SVC(break_ties=break_ties).fit(trained, truth)
        model._dual_coef_, model._intercept_ = model._dual_coef_ * 0, model._intercept_ * 0
        check(model, rows)
        assert (computed(model, rows)["label"] == name).all()


def test_rows_far_from_zero_keep_their_digits() -> None:
    trained, truth, rows = problem(3)
    check(SVC(gamma=0.1).fit(trained + 1e4, truth), rows + 1e4)


def test_a_precomputed_kernel_is_the_input() -> None:
    trained, truth, rows = problem(3)
    check(SVC(kernel="precomputed").fit(trained @ trained.T, truth), rows @ trained.T)


def test_a_fit_on_sparse_rows_agrees() -> None:
    trained, truth, rows = problem(3)
    check(SVC().fit(csr_array(trained), truth), rows)


def test_break_ties_between_pairs_is_refused_as_in_scikit_learn() -> None:
    trained, truth, rows = problem(3)
    model = SVC(break_ties=True, decision_function_shape="ovo").fit(trained, truth)
    with pytest.raises(UnsupportedModelError, match=r"^SVC with break_ties"):
        registry.scores(model, rows)


def test_a_kernel_of_the_authors_own_is_refused() -> None:
    trained, truth, rows = problem(2)
    model = SVC(kernel=lambda a, b: a @ b.T).fit(trained, truth)
    with pytest.raises(UnsupportedModelError, match=r"^SVC with the kernel <function"):
        registry.scores(model, rows)


@pytest.mark.parametrize("name", KERNELS)
def test_regression_and_one_class_agree(name: str) -> None:
    trained, _, rows = problem(2)
    target = trained[:, 0] - trained[:, 1] ** 2
    check(SVR(kernel=name, degree=2).fit(trained, target), rows)
    check(NuSVR(kernel=name, degree=2).fit(trained, target), rows)
    check(OneClassSVM(kernel=name, degree=2, nu=0.3).fit(trained), rows)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("parameters", [{}, {"fit_intercept": False}, {"multi_class": "crammer_singer"}])
def test_linear_svc_agrees(classes: int, parameters: dict[str, Any]) -> None:
    trained, truth, rows = problem(classes)
    check(LinearSVC(random_state=0, **parameters).fit(trained, truth), rows)


@pytest.mark.parametrize("has_intercept", [True, False])
def test_linear_svr_agrees(has_intercept: bool) -> None:
    trained, _, rows = problem(2)
    model = LinearSVR(fit_intercept=has_intercept, random_state=0, max_iter=100_000)
    check(model.fit(trained, trained[:, 0]), rows)


def pairwise(classes: int) -> Iterator[np.ndarray]:
    """Probabilities of pairs (rows, pairs), from undecided to as sure as libsvm lets them be."""
    random = np.random.default_rng(0)
    pairs = classes * (classes - 1) // 2
    for scale in (0.1, 1, 5, 50):
        yield 1 / (1 + np.exp(-random.normal(size=(500, pairs)) * scale))
    yield random.choice([0.0, 0.5, 1.0], size=(500, pairs))


@pytest.mark.parametrize("classes", [2, 3, 5, 12])
def test_no_row_is_still_being_coupled_when_the_passes_end(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    for likely in pairwise(classes):
        found = svm._coupled(likely, pairs)
        with monkeypatch.context() as longer:
            longer.setattr(svm, "_PASSES", 100)
            np.testing.assert_array_equal(svm._coupled(likely, pairs), found)
