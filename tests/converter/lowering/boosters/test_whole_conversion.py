"""Models of boosting libraries as bundles: leaves are stated exact, the library is not needed to run."""

from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
from tests.converter.lowering.boosters.against_source import data, frame_of

pytestmark = [
    # LightGBM invents names for the columns of an array, then scikit-learn misses them in the next.
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    # pandas 4 will not make a missing value of a category that a column's dtype does not know.
    pytest.mark.filterwarnings("ignore:Constructing a Categorical with a dtype"),
]
SMALL: dict[str, dict[str, Any]] = {
    "xgboost.XGB": {"n_estimators": 8, "n_jobs": 1},
    "lightgbm.LGBM": {"n_estimators": 8, "n_jobs": 1, "verbose": -1},
    "catboost.CatBoost": {
        "iterations": 8,
        "thread_count": 1,
        "verbose": False,
        "allow_writing_files": False,
    },
}


def model(library: str, kind: str, **parameters: Any) -> Any:
    module, _, prefix = library.partition(".")
    return getattr(pytest.importorskip(module), prefix + kind)(**SMALL[library], **parameters)


def variant(fitted: Any, inputs: Any) -> Any:
    (found,) = converter.convert(fitted, inputs, name="some", version="1.0.0").manifest.variants
    return found


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("library", SMALL)
def test_behind_a_scaler(library: str, kind: str) -> None:
    table, truth = data()
    labels = truth if kind == "Regressor" or "XGB" in library else np.array(["a", "b", "c"])[truth]
    fitted = make_pipeline(StandardScaler(), model(library, kind)).fit(table, labels)
    found = variant(fitted, table)
    assert found.exact == "leaves"
    assert found.parity.label_disagreements == found.parity.rounded_splits == 0
    assert found.parity.max_abs_error < 1e-6


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("library", ["xgboost.XGB", "lightgbm.LGBM"])
def test_a_table_of_numbers_and_categories(library: str, kind: str) -> None:
    table, truth = data()
    parameters = {"enable_categorical": True} if "XGB" in library else {"min_data_per_group": 2}
    frame = frame_of(table)
    found = variant(model(library, kind, **parameters).fit(frame, truth), frame)
    assert found.exact == "leaves"
    assert found.parity.max_abs_error < 1e-6
