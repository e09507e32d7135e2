"""Label propagation and spreading, by kernel and by neighbours."""

from typing import Any

import numpy as np
import pytest
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from converter.lowering import registry, semi_supervised
from edge_runtime.errors import UnsupportedModelError
from tests.converter.lowering.lowered import agree, check, computed, expected, in_onnx

RANDOM = np.random.default_rng(0)
TRAINED, ROWS = RANDOM.normal(size=(80, 3)), RANDOM.normal(size=(30, 3))
CLASSES = RANDOM.integers(-1, 3, 80)  # -1: not labelled
assert semi_supervised


@pytest.mark.parametrize("kind", [LabelPropagation, LabelSpreading])
@pytest.mark.parametrize("parameters", [{"gamma": 2}, {"gamma": 20}, {"kernel": "knn"}], ids=str)
def test_propagation_agrees(kind: Any, parameters: dict[str, Any]) -> None:
    check(kind(max_iter=5000, **parameters).fit(TRAINED, CLASSES), ROWS)


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_far_from_all_training_rows_nothing_is_probable() -> None:
    model = LabelSpreading().fit(TRAINED, CLASSES)
    far = np.full((1, 3), 100.0)
    assert np.isnan(model.predict_proba(far)).all()
    assert np.isnan(computed(model, far)["probabilities"]).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_a_fit_in_float32_sees_as_far_as_float32_does() -> None:
    model = LabelSpreading().fit(TRAINED.astype(np.float32), CLASSES)
    rows = (ROWS * 4).astype(np.float32)
    wanted = expected(model, rows)
    assert 0 < np.isnan(wanted["probabilities"][:, 0]).sum() < len(rows)
    agree(in_onnx(model, rows), wanted, 1e-5)
    check(model, ROWS, tolerance=1e-6)


def test_a_kernel_of_the_authors_own_is_refused() -> None:
    model = LabelSpreading(kernel=lambda a, b: np.exp(a @ b.T)).fit(TRAINED, CLASSES)
    with pytest.raises(UnsupportedModelError, match=r"^LabelSpreading with a function as kernel"):
        registry.scores(model, ROWS)
