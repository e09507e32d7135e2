"""Parity compares float32 with float32; what float32 itself changes is asked of the source model."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import converter
import edge_runtime
from edge_runtime.errors import ConversionError, InputError

rng = np.random.default_rng(0)
TENTHS = rng.integers(0, 11, (400, 2)) / 10
NUMBERS = rng.integers(10**9, 10**9 + 50, (400, 1))
PIXELS = rng.integers(0, 256, (400, 3), dtype=np.uint8)
SECONDS = 1.7e9 + rng.uniform(0, 600, (400, 1))
IRIS = load_iris().data
NORMAL = rng.normal(size=(400, 3))


def wrapping(x: np.ndarray) -> np.ndarray:
    return x - np.uint8(200)


def minutes(x: np.ndarray) -> np.ndarray:
    return x - 1.7e9


def encoded(rows: np.ndarray) -> Any:
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    return model.fit(rows, rows[:, 0] % 2 >= 0.7)


def rarely(rows: np.ndarray) -> Any:
    """All labels are the common one: what is said is in the probabilities."""
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    return model.fit(rows, np.arange(len(rows)) % 7 < (rows[:, 0] == 0.7))


def binned(rows: np.ndarray) -> Any:
    bins = KBinsDiscretizer(5, encode="ordinal", quantile_method="averaged_inverted_cdf")
    return make_pipeline(bins, DecisionTreeClassifier()).fit(rows, np.rint(rows[:, 0] * 10).astype(int))


def wrapped(rows: np.ndarray) -> Any:
    model = make_pipeline(FunctionTransformer(wrapping), DecisionTreeClassifier())
    return model.fit(rows, wrapping(rows)[:, 0] > 100)


def timed(rows: np.ndarray) -> Any:
    model = make_pipeline(FunctionTransformer(minutes), DecisionTreeRegressor(random_state=0))
    return model.fit(rows, rows[:, 0] % 60)


CHANGED = [
    (encoded, TENTHS, "float64"),
    (encoded, NUMBERS, "int64"),
    (rarely, TENTHS, "float64"),
    (binned, TENTHS, "float64"),
    (wrapped, PIXELS, "uint8"),
    (timed, SECONDS, "float64"),
]


def convert(model: Any, rows: Any, **options: Any) -> "converter.ConvertedBundle":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, about categories nobody has seen
        return converter.convert(model, rows, name="m", version="1.0.0", **options)


@pytest.mark.parametrize(("fit", "rows", "own"), CHANGED)
def test_inputs_that_are_others_in_float32_are_refused_and_the_dtype_is_named(
    fit: Callable[[np.ndarray], Any], rows: np.ndarray, own: str
) -> None:
    told = rf"made float32, .* change .*(labels|value|probabilities).* of those in {own}.*dtype {own}\)"
    with pytest.raises(InputError, match=told):
        convert(fit(rows[:200]), rows[200:])


@pytest.mark.parametrize(("fit", "rows", "own"), CHANGED)
def test_in_their_own_dtype_the_bundle_says_what_the_model_says(
    tmp_path: Path, fit: Callable[[np.ndarray], Any], rows: np.ndarray, own: str
) -> None:
    model = fit(rows[:200])
    path = convert(model, rows[200:], input_dtype=own).save(tmp_path / "m.edge")
    with edge_runtime.load(path, allow_unsigned=True) as device:
        found = device.predict(rows[200:])
    expected = model.predict(rows[200:])
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    else:
        assert found.tolist() == [str(label) for label in expected.tolist()]


def test_who_chooses_float32_has_it_and_is_told_what_it_changes() -> None:
    told: list[str] = []
    convert(encoded(TENTHS[:200]), TENTHS[200:], input_dtype="float32", progress=told.append)
    assert any(" of 200 labels of inputs in float64" in line for line in told)


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()), NORMAL),
        (LinearRegression(), NORMAL),
        (RandomForestClassifier(10), NUMBERS),  # scikit-learn's trees read float32 themselves
        (make_pipeline(StandardScaler(), LogisticRegression()), PIXELS),
        # Rounding flips a split here and there, and hardly an answer.
        (make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)), IRIS),
    ],
    ids=["rows", "values", "trees", "pixels", "scaled trees"],
)
def test_rounding_that_changes_no_answer_is_not_spoken_of(model: Any, rows: np.ndarray) -> None:
    told: list[str] = []
    half = len(rows) // 2
    convert(
        model.fit(rows[:half], rows[:half, 0] > np.median(rows[:, 0])), rows[half:], progress=told.append
    )
    assert not any("float32 changes" in line for line in told)


class Noisy(TransformerMixin, BaseEstimator):
    def fit(self, X: Any, y: Any = None) -> "Noisy":
        self.rng_ = np.random.default_rng(0)
        return self

    def transform(self, X: Any) -> Any:
        return X + self.rng_.normal(size=X.shape[1])


def test_what_chance_changes_is_not_laid_to_rounding() -> None:
    model = make_pipeline(Noisy(), LogisticRegression()).fit(NORMAL[:200], NORMAL[:200, 0] > 0)
    with pytest.raises(ConversionError, match=r"says otherwise when it is asked the same again\. Take"):
        convert(model, NORMAL[200:])
