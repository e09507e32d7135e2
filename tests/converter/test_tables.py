"""DataFrames from training to the device: columns by name, texts, categories, missing values."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

import converter
import edge_runtime
from edge_runtime.cli import run
from edge_runtime.errors import InputError

NUMBERS, TEXTS = ["age", "fare"], ["sex", "port"]


def passengers(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(1, 90, count),
            "fare": rng.gamma(2.0, 20.0, count),
            "sex": rng.choice(["female", "male"], count),
            "port": rng.choice(["S", "C", "Q", None], count, p=[0.5, 0.25, 0.15, 0.1]),
            "deck": pd.Categorical(rng.choice(["a", "b", "c"], count)),
            "alone": rng.random(count) < 0.4,
            "weight": rng.normal(70, 12, count),
        }
    )
    frame.loc[rng.random(count) < 0.1, "fare"] = np.nan
    return frame


def survived(frame: pd.DataFrame, seed: int) -> np.ndarray:
    luck = np.random.default_rng(seed).normal(0, 0.5, len(frame))
    score = (frame.sex == "female") * 2 + (frame.fare.fillna(30) > 40) + (frame.port == "S") + luck
    return np.where(score > 1.6, "yes", "no")


TRAINED, HELD_OUT = passengers(500, 1), passengers(200, 2)
OUTCOME, TRUTH = survived(TRAINED, 3), survived(HELD_OUT, 4)


def columns(encoder: Any) -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    decks = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("texts", texts, TEXTS), ("decks", decks, ["deck"])],
        remainder="passthrough",
    )


RARE = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.2)
MODELS = {
    "one-hot, linear": make_pipeline(columns(RARE), LogisticRegression(max_iter=500)),
    "one-hot, forest": make_pipeline(columns(RARE), RandomForestClassifier(10, random_state=0)),
    "target encoding": make_pipeline(columns(TargetEncoder()), RidgeClassifier()),
    "side by side": make_pipeline(
        columns(RARE),
        FeatureUnion([("same", StandardScaler()), ("squares", PolynomialFeatures(2))]),
        RidgeClassifier(),
    ),
    "neighbours fill in": Pipeline(
        [
            ("some", ColumnTransformer(
                [("fill", KNNImputer(), ["fare", "weight"]), ("pass", "passthrough", ["alone"])]
            )),
            ("roots", FunctionTransformer(lambda x: np.sqrt(np.abs(x)))),
            ("linear", LogisticRegression()),
        ]
    ),
    "native categories": HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype"),
}  # fmt: skip


def with_categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        **{name: pd.Categorical(frame[name], categories=sorted(TRAINED[name].dropna().unique()))
           for name in TEXTS}
    )  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_device_says_what_the_pipeline_says(name: str, tmp_path: Path) -> None:
    native = name == "native categories"
    trained, held_out = (with_categories(f) if native else f for f in (TRAINED, HELD_OUT))
    model = MODELS[name].fit(trained, OUTCOME)
    bundle = converter.convert(model, held_out, TRUTH, name="ship", version="1.0.0")
    path = bundle.save(tmp_path / "ship.edge")
    asked = [given.name for given in bundle.manifest.inputs]
    assert asked == (["fare", "alone", "weight"] if "neighbours" in name else list(TRAINED.columns))
    if "forest" in name or native:
        assert bundle.manifest.variants[0].exact == "leaves"
    with edge_runtime.load(path, allow_unsigned=True) as device:
        fresh = passengers(300, 9)
        given = with_categories(fresh) if native else fresh
        assert device.predict(fresh).tolist() == model.predict(given).tolist()
        one = {column: [fresh[column][0]] for column in fresh}
        assert device.predict(one).tolist() == model.predict(given[:1]).tolist()
        if hasattr(model, "predict_proba"):
            np.testing.assert_allclose(
                device.predict_proba(one), model.predict_proba(given[:1]), atol=1e-6
            )


def test_columns_that_the_model_does_not_name_are_not_asked_for() -> None:
    chosen = ColumnTransformer(
        [("all", OneHotEncoder(handle_unknown="ignore"), make_column_selector("sex"))]
    )
    model = make_pipeline(chosen, LogisticRegression()).fit(TRAINED, OUTCOME)
    manifest = converter.convert(model, HELD_OUT, name="ship", version="1.0.0").manifest
    assert [given.name for given in manifest.inputs] == ["sex"]


@pytest.mark.parametrize(
    ("library", "kind", "parameters"),
    [
        ("xgboost", "XGBClassifier", {"n_jobs": 1}),
        ("lightgbm", "LGBMClassifier", {"n_jobs": 1, "verbose": -1}),
        ("catboost", "CatBoostClassifier", {"verbose": False, "allow_writing_files": False}),
    ],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_boosters_behind_columns(library: str, kind: str, parameters: dict[str, Any]) -> None:
    booster = getattr(pytest.importorskip(library), kind)(n_estimators=10, **parameters)
    outcome = (OUTCOME == "yes").astype(int)
    model = make_pipeline(columns(RARE), booster).fit(TRAINED, outcome)
    manifest = converter.convert(model, HELD_OUT, name="ship", version="1.0.0").manifest
    assert [given.name for given in manifest.inputs] == list(TRAINED.columns)
    assert manifest.variants[0].exact == "leaves"
    assert manifest.variants[0].parity.max_abs_error < 1e-6
    assert library in manifest.provenance.libraries


def test_the_report_says_which_columns_go_where() -> None:
    model = MODELS["one-hot, forest"].fit(TRAINED, OUTCOME)
    report = converter.convert(model, HELD_OUT, name="ship", version="1.0.0").report()
    shown = " ".join(report.split())
    assert (
        "input a table of 7 columns: age int64, fare float64 or missing, sex string, port string or "
        "missing, deck string, alone bool, weight float64 steps "
    ) in shown
    assert "numbers SimpleImputer, StandardScaler of age, fare; texts" in shown
    assert "remainder FunctionTransformer of alone, weight" in shown


class TestWhatTheModelRefuses:
    strict = make_pipeline(
        ColumnTransformer([("texts", OneHotEncoder(), ["sex"])]), LogisticRegression()
    ).fit(TRAINED, OUTCOME)

    def test_a_category_nobody_has_seen_is_an_error_on_the_device_too(self, tmp_path: Path) -> None:
        bundle = converter.convert(self.strict, HELD_OUT, name="ship", version="1.0.0")
        (why,) = bundle.manifest.refusals
        path = bundle.save(tmp_path / "ship.edge")
        with edge_runtime.load(path, allow_unsigned=True) as device:
            assert (
                device.predict({"sex": ["male"]}).tolist()
                == self.strict.predict(TRAINED[:1][["sex"]].assign(sex="male")).tolist()
            )
            with pytest.raises(InputError, match="row 1: ") as caught:
                device.predict({"sex": ["male", "unknown"]})
        assert why in str(caught.value)
        assert "sex" in why or "column 0" in why

    def test_missing_texts_are_refused_where_the_inputs_had_none(self, tmp_path: Path) -> None:
        bundle = converter.convert(self.strict, HELD_OUT, name="ship", version="1.0.0")
        path = bundle.save(tmp_path / "ship.edge")
        with (
            edge_runtime.load(path, allow_unsigned=True) as device,
            pytest.raises(InputError, match="column 'sex', row 0"),
        ):
            device.predict({"sex": [None]})


def test_the_commands_take_tables_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = MODELS["one-hot, linear"].fit(TRAINED, OUTCOME)
    joblib.dump(model, tmp_path / "ship.joblib")
    table, bundle = tmp_path / "held_out.csv", str(tmp_path / "ship.edge")
    HELD_OUT.to_csv(table, index=False)
    pd.Series(TRUTH).to_csv(tmp_path / "truth.csv", index=False, header=["label"])
    words = ["convert", str(tmp_path / "ship.joblib"), "--inputs", str(table)]
    words += ["--labels", str(tmp_path / "truth.csv"), "--name", "ship", "--version", "1.0.0"]
    assert run([*words, "--unsigned", "--output", bundle]) == 0
    capsys.readouterr()
    assert run(["predict", bundle, "--inputs", str(table), "--allow-unsigned"]) == 0
    read_again = pd.read_csv(table)
    assert capsys.readouterr().out.split() == model.predict(read_again).tolist()


def test_columns_may_be_called_as_outputs_and_inner_values_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    columns = ["value", "label", "constant_0", "unsqueeze_1", "add_2"]
    frame = pd.DataFrame(rng.normal(size=(30, 5)), columns=columns)
    target = frame["value"] - frame["add_2"]
    model = make_pipeline(StandardScaler(), Ridge()).fit(frame, target)
    bundle = converter.convert(model, frame, target, name="odd", version="1.0.0")
    assert [each.name for each in bundle.manifest.outputs] == ["value_output"]
    with edge_runtime.load(bundle.save(tmp_path / "odd.edge"), allow_unsigned=True) as device:
        np.testing.assert_allclose(device.predict(frame), model.predict(frame), atol=1e-5)
    sorts = LogisticRegression().fit(frame, target > 0)
    made = converter.convert(sorts, frame, name="odd", version="1.0.0").manifest
    assert [each.name for each in made.outputs] == ["label_output", "probabilities"]


@pytest.mark.parametrize(
    "dtype",
    ["int8", "int16", "int32", "uint8", "uint16", "uint32", "Int8", "Int32", "UInt16", "float16"],
)
def test_a_column_may_be_of_any_size_of_number(dtype: str, tmp_path: Path) -> None:
    """A device gives int64 or float64, of which an edge row may hold more than the column can."""
    ages = pd.DataFrame({"age": TRAINED["age"].astype(dtype), "more": TRAINED["age"] * 2})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ages, OUTCOME)
    held_out = pd.DataFrame({"age": HELD_OUT["age"].astype(dtype), "more": HELD_OUT["age"] * 2})
    bundle = converter.convert(model, held_out, TRUTH, name="ages", version="1.0.0")
    with edge_runtime.load(bundle.save(tmp_path / "a.edge"), allow_unsigned=True) as device:
        given = {"age": HELD_OUT["age"].tolist(), "more": (HELD_OUT["age"] * 2).tolist()}
        assert device.predict(given).tolist() == model.predict(held_out).tolist()
