"""What cannot be converted is refused in one sentence: which class, what of it, what to do instead."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn._loss.link import LogitLink
from sklearn.cluster import DBSCAN, AffinityPropagation
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.metrics import euclidean_distances
from sklearn.neighbors import LocalOutlierFactor

from converter.lowering import clusters, dummy, linear, outliers, registry
from edge_runtime.errors import UnsupportedModelError

LOWERINGS = (clusters, dummy, linear, outliers)  # importing them registers them
ROWS = np.random.default_rng(0).normal(size=(60, 3))
THREE = np.arange(60) % 3


def old_logistic_regression(**settings: str) -> LogisticRegression:
    """As a pickle of scikit-learn before 1.8 is: what its probabilities were is no longer computed."""
    model = LogisticRegression().fit(ROWS, THREE)
    vars(model).update(settings)
    return model


def poisson_with_another_link() -> PoissonRegressor:
    model = PoissonRegressor().fit(ROWS, THREE)
    model._base_loss.link = LogitLink()
    return model


# name: (how to make the model, what the sentence says of it, and what it tells to do)
REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "clusters of affinities": (
        lambda: AffinityPropagation(affinity="precomputed", random_state=0).fit(
            -(euclidean_distances(ROWS) ** 2)
        ),
        "affinity='precomputed' cannot place new rows",
        "fit it with affinity='euclidean'",
    ),
    "classes drawn by frequency": (
        lambda: DummyClassifier(strategy="stratified").fit(ROWS, THREE),
        "strategy='stratified' answers at random",
        "fit it with strategy='prior'",
    ),
    "classes drawn alike": (
        lambda: DummyClassifier(strategy="uniform").fit(ROWS, THREE),
        "strategy='uniform' answers at random",
        "fit it with strategy='prior'",
    ),
    "sparse answers": (
        lambda: DummyClassifier().fit(ROWS, csr_matrix(np.column_stack([THREE, THREE]))),
        "a sparse y answers with a sparse matrix",
        "fit it on y.toarray()",
    ),
    "one against the rest, in the old way": (
        lambda: old_logistic_regression(multi_class="ovr"),
        "multi_class='ovr' and solver='lbfgs'",
        "fit it without multi_class, or as OneVsRestClassifier(LogisticRegression())",
    ),
    "several classes by liblinear": (
        lambda: old_logistic_regression(solver="liblinear"),
        "solver='liblinear' has probabilities that depend on scikit-learn's version",
        "fit it without multi_class, or as OneVsRestClassifier(LogisticRegression())",
    ),
    "another link": (
        poisson_with_another_link,
        "has the link LogitLink, which no lowering computes",
        "fit it with link='log' or link='identity'",
    ),
    "outliers among the training rows": (
        lambda: LocalOutlierFactor().fit(ROWS),
        "novelty=False judges its training rows only",
        "fit it with novelty=True",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_sentence_names_the_class_the_setting_and_the_way_out(name: str) -> None:
    make, said, advice = REFUSED[name]
    model = make()
    method = registry.value if isinstance(model, PoissonRegressor) else registry.scores
    with pytest.raises(UnsupportedModelError) as refusal:
        method(model, ROWS)
    sentence = str(refusal.value)
    assert sentence.startswith(f"{type(model).__name__} ")
    assert said in sentence
    assert sentence.endswith(f": {advice}.")


def test_clusterers_that_cannot_predict_have_no_lowering() -> None:
    with pytest.raises(UnsupportedModelError, match=r"^DBSCAN cannot be converted: nobody has written"):
        registry.scores(DBSCAN().fit(ROWS), ROWS)


@pytest.mark.parametrize("name", ["predict", "predict_proba", "decision_function"])
def test_a_method_that_was_replaced_on_the_object_is_seen(name: str) -> None:
    model = LogisticRegression().fit(ROWS, THREE)
    setattr(model, name, lambda x: np.zeros(len(x)))
    with pytest.raises(UnsupportedModelError, match=f"`{name}` of this object is not that of its class"):
        registry.scores(model, ROWS)
