"""Models of boosting libraries as bundles: leaves are stated exact, the library is not needed to run."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler

import converter
from tests.converter.lowering.boosters.against_source import data, frame_of

# LightGBM invents names for the columns of an array, then scikit-learn misses them in the next.
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")
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


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("library", SMALL)
def test_behind_one_hot_categories(library: str, sparse: bool) -> None:
    """XGBoost alone takes the zeros of a sparse matrix for missing numbers."""
    _, truth = data()
    frame = pd.DataFrame({"kind": np.array(list("abcdefgh"))[np.arange(len(truth)) % 8]})
    fitted = make_pipeline(OneHotEncoder(sparse_output=sparse), model(library, "Regressor"))
    found = variant(fitted.fit(frame, truth), frame)
    assert found.exact == "leaves"
    assert found.parity.max_abs_error < 1e-6


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("numbers", [StandardScaler(), PowerTransformer()], ids=["exact", "close"])
def test_xgboost_behind_a_sparse_table_of_categories_and_numbers(numbers: Any, kind: str) -> None:
    """Zeros of the numbers are not stored either; and behind a step that is only close, too."""
    table, truth = data()
    frame = pd.DataFrame({"kind": np.array(list("abcdefgh"))[np.arange(len(truth)) % 8]})
    frame["x"] = np.where(np.arange(len(truth)) % 3, np.nan_to_num(table[:, 0]), 0)
    sparse = ColumnTransformer(
        [("kind", OneHotEncoder(), ["kind"]), ("x", numbers, ["x"]), ("own", "passthrough", ["x"])],
        sparse_threshold=1.0,
    )
    fitted = make_pipeline(sparse, model("xgboost.XGB", kind)).fit(frame, truth)
    assert issparse(fitted[:-1].transform(frame))
    bundle = converter.convert(fitted, frame, name="some", version="1.0.0", boards=("orin-nano",))
    for found in bundle.manifest.variants:  # the rest is refused, unless rounding decides at a threshold
        assert found.parity.max_abs_error < 1e-6
        assert found.parity.label_disagreements <= found.parity.rounded_splits
    assert bundle.manifest.variants[0].exact == ("leaves" if isinstance(numbers, StandardScaler) else "")
    assert "AbsentIsMissing" in [step.name for step in bundle.manifest.preprocessing]
    assert "Pipeline(ColumnTransformer, XGB" in bundle.report()


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("library", ["xgboost.XGB", "lightgbm.LGBM"])
def test_a_table_of_numbers_and_categories(library: str, kind: str) -> None:
    table, truth = data()
    parameters = {"enable_categorical": True} if "XGB" in library else {"min_data_per_group": 2}
    frame = frame_of(table)
    found = variant(model(library, kind, **parameters).fit(frame, truth), frame)
    assert found.exact == "leaves"
    assert found.parity.max_abs_error < 1e-6


@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
@pytest.mark.parametrize("library", SMALL)
def test_alone_and_with_scalers_that_vanish(library: str, kind: str) -> None:
    table, truth = data()
    alone = variant(model(library, kind).fit(table, truth), table)
    scaled = make_pipeline(StandardScaler(), model(library, kind)).fit(table, truth)
    manifest = converter.convert(scaled, table, name="some", version="1.0.0").manifest
    assert alone.exact == manifest.variants[0].exact == "leaves"
    assert manifest.preprocessing[0].parameters == {"into": "thresholds"}


def test_whole_numbers_beyond_float32_are_read_as_they_were_given() -> None:
    """LightGBM rounds those of an array to float32, those of a DataFrame not at all."""
    rng = np.random.default_rng(0)
    table = rng.integers(2**24, 2**24 + 40, (400, 3))
    fitted = model("lightgbm.LGBM", "Regressor").fit(table, table[:, 0] % 7)
    assert (
        converter.convert(fitted, table, name="some", version="1.0.0", input_dtype="int64")
        .manifest.variants[0]
        .parity.max_abs_error
        < 1e-6
    )
    frame = pd.DataFrame(table, columns=["a", "b", "c"])
    fitted = model("lightgbm.LGBM", "Regressor").fit(frame, table[:, 0] % 7)
    assert variant(fitted, frame).parity.max_abs_error < 1e-6
