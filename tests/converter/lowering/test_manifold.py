"""Manifolds that place rows they were not fitted on."""

import numpy as np
import pytest
from sklearn.datasets import make_s_curve
from sklearn.manifold import Isomap, LocallyLinearEmbedding

from converter.backends.tensorrt import try_builds
from converter.lowering import manifold, registry
from edge_runtime.bundle.manifest import Profile
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import check, graph_of

POINTS, _ = make_s_curve(150, noise=0.05, random_state=0)
TRAINED, ROWS = POINTS[:110], POINTS[105:]  # some rows are training rows


@pytest.mark.parametrize("metric", ["minkowski", "manhattan"])
def test_isomap_agrees(metric: str) -> None:
    check(Isomap(n_neighbors=7, n_components=3, metric=metric).fit(TRAINED), ROWS)


def test_isomap_of_one_neighbour() -> None:
    step = Isomap(n_neighbors=7).fit(TRAINED)
    step.n_neighbors = step.nbrs_.n_neighbors = 1
    check(step, ROWS)


@pytest.mark.parametrize("method", ["standard", "modified", "ltsa"])
@pytest.mark.parametrize("neighbours", [6, 20])
def test_locally_linear_embedding_agrees(neighbours: int, method: str) -> None:
    step = LocallyLinearEmbedding(n_neighbors=neighbours, method=method, random_state=0)
    check(step.fit(TRAINED), ROWS)


def test_a_row_whose_neighbours_all_are_itself() -> None:
    """The trace is 0 then, and the ridge is no share of it."""
    step = LocallyLinearEmbedding(n_neighbors=3, random_state=0, eigen_solver="dense").fit(TRAINED)
    step.nbrs_._fit_X[:3] = TRAINED[0]
    step.nbrs_.fit(step.nbrs_._fit_X)
    check(step, TRAINED[:1])


def test_isomap_of_a_radius_is_refused() -> None:
    step = Isomap(n_neighbors=None, radius=3.0).fit(TRAINED)
    with pytest.raises(UnsupportedModelError, match=r"^Isomap of a radius"):
        registry.transform(step, ROWS)


def test_elimination_solves() -> None:
    random = np.random.default_rng(0).normal(size=(7, 5, 5))
    matrices = random @ np.swapaxes(random, 1, 2) + 0.1 * np.eye(5)
    wanted = np.linalg.solve(matrices, np.ones((7, 5, 1)))
    np.testing.assert_allclose(manifold._solved(matrices, 5), wanted, rtol=1e-9)


def test_a_plan_of_many_neighbours_is_built_while_one_waits() -> None:
    step = LocallyLinearEmbedding(n_neighbors=20, random_state=0).fit(TRAINED)
    raw, _ = graph_of(step, ROWS.astype(np.float32), standard=True)
    profile = Profile(min_rows=1, opt_rows=1, max_rows=1024)
    (trial,) = try_builds(raw, profile, ["8.6"], timeout_s=60)
    assert trial.why == ""
