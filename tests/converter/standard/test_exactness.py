"""When the float32 variant may say that it keeps every leaf: where the source reads float32 too."""

from typing import Any

import numpy as np
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PowerTransformer
from xgboost import XGBClassifier

import converter
from converter.blocks import Statistics

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(400, 5))
TRUTH = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 0.7).astype(int)
MODELS: dict[str, Any] = {
    "forest": lambda: RandomForestClassifier(10, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=10),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=10),
    "XGBoost": lambda: XGBClassifier(n_estimators=10, n_jobs=1),
    "LightGBM": lambda: LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1),
    "CatBoost": lambda: CatBoostClassifier(iterations=10, verbose=False, allow_writing_files=False),
}
READ_FLOAT64 = {"histogram boosting", "LightGBM"}


def exact(model: Any, rows: np.ndarray, dtype: str) -> list[str]:
    """What each variant of the bundle says is exact."""
    bundle = converter.convert(
        model, rows, name="some", version="1.0.0", input_dtype=dtype, boards=["rtx-30"]
    )
    return [variant.exact for variant in bundle.manifest.variants]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_every_kind_of_trees_keeps_its_leaves_for_float32_rows(name: str) -> None:
    model = MODELS[name]().fit(ROWS[:200].astype(np.float32), TRUTH[:200])
    assert exact(model, ROWS[200:], "float32") == ["leaves", "leaves"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_of_float64_rows_those_that_round_them_to_float32_themselves_keep_theirs(name: str) -> None:
    model = MODELS[name]().fit(ROWS[:200], TRUTH[:200])
    plain, *lowered = exact(model, ROWS[200:], "float64")
    assert plain == "leaves"
    # What compares in float64 is left out where rows beside a threshold part, and else makes no claim.
    assert lowered in ([[], [""]] if name in READ_FLOAT64 else [["leaves"]])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_of_whole_numbers_only_what_compares_them_in_float64_loses_the_promise() -> None:
    whole = np.rint(ROWS * 100).astype(np.int64)
    for name, make in MODELS.items():
        model = make().fit(whole[:200], TRUTH[:200])
        kept = "" if name == "histogram boosting" else "leaves"  # LightGBM rounds these to float32
        assert exact(model, whole[200:], "int64") == ["leaves", kept], name


def test_what_is_computed_in_float64_before_trees_ends_the_promise() -> None:
    rows = ROWS.astype(np.float32)
    forest = MODELS["forest"]()
    for before, kept in ((MinMaxScaler(), True), (PowerTransformer(), False)):
        model = make_pipeline(before, forest).fit(rows[:200], TRUTH[:200])
        assert exact(model, rows[200:], "float32")[1:] == (["leaves"] if kept else [""])


def test_behind_a_block_the_promise_starts_at_its_features() -> None:
    windows = RNG.normal(size=(60, 40, 2)).astype(np.float32)
    model = make_pipeline(Statistics(), MODELS["forest"]()).fit(windows[:30], np.arange(30) % 2)
    assert exact(model, windows[30:], "float32") == ["leaves", "leaves"]
