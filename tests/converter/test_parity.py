"""A variant that is wrong anywhere must be caught, and what only rounding explains must be counted."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from converter.blocks import WindowFeatures
from converter.edge_rows import edge_rows
from converter.frontends import sklearn as front_end
from converter.frontends.base import Converted
from converter.inputs import Rows, as_rows
from converter.parity import Variants, allowances, allowed, prove, within
from converter.source import Source, Tensors, read_source
from edge_runtime.bundle.manifest import Parity
from edge_runtime.errors import ParityError
from tests.converter.onnx_run import run_onnx

ROWS, SPECIES = load_iris(return_X_y=True)
ROWS = ROWS.astype(np.float32)


def run(converted: Converted, rows: Rows) -> Tensors:
    names = [output.name for output in converted.outputs]
    return dict(zip(names, run_onnx(converted.onnx, rows.array), strict=True))


def convert(model: Any, rows: Any) -> tuple[Source, Converted]:
    given = as_rows(rows)
    source = read_source(model, given)
    return source, front_end.convert(source, given, source.run(given))


def proven(source: Source, converted: Converted, rows: np.ndarray, whole: Any) -> Parity:
    given = as_rows(rows)
    parity, _ = prove(source, converted, Variants(whole), given, source.run(given))
    return parity


def scaled(rows: Rows, factor: float) -> Rows:
    return rows.changed(lambda array: array * np.float32(factor))


FOREST = make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)).fit(ROWS, SPECIES)


def test_an_honest_variant_agrees_on_every_input() -> None:
    source, converted = convert(FOREST, ROWS)
    parity = proven(source, converted, ROWS, partial(run, converted))
    assert (parity.inputs, parity.label_disagreements, parity.near_ties) == (150, 0, 0)
    assert parity.max_abs_error <= parity.tolerance == 1e-5


def test_one_wrong_label_is_named_with_output_row_expected_and_found() -> None:
    source, converted = convert(FOREST, ROWS)

    def lies(rows: Rows) -> Tensors:
        found = run(converted, rows)
        found["label"][77] = 0
        return found

    with pytest.raises(ParityError, match=r"output 'label', input 77: expected 1 .*found 0"):
        proven(source, converted, ROWS, lies)


@pytest.mark.parametrize("wrong", [0.5, np.nan, np.inf])
def test_one_wrong_probability_is_named(wrong: float) -> None:
    source, converted = convert(FOREST, ROWS)

    def lies(rows: Rows) -> Tensors:
        found = run(converted, rows)
        found["probabilities"][3, 1] = wrong
        return found

    with pytest.raises(ParityError, match=r"output 'probabilities', input 3: expected .*found"):
        proven(source, converted, ROWS, lies)


def test_a_fault_that_no_given_input_shows_is_found_on_edge_rows() -> None:
    """As a conversion that forgets which way equality goes."""
    source, converted = convert(FOREST, ROWS)
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)

    def nudged(rows: Rows) -> Tensors:
        return run(converted, rows.changed(lambda array: np.nextafter(array, np.float32(np.inf))))

    with pytest.raises(ParityError, match="edge row"):
        proven(source, converted, rows, nudged)


@pytest.mark.parametrize("broken", ["missing", "shape"])
def test_an_output_that_is_missing_or_has_another_shape_is_named(broken: str) -> None:
    source, converted = convert(FOREST, ROWS)

    def lies(rows: Rows) -> Tensors:
        found = run(converted, rows)
        probabilities = found.pop("probabilities")
        return found if broken == "missing" else {**found, "probabilities": probabilities[:, :2]}

    with pytest.raises(ParityError, match="output 'probabilities': expected shape"):
        proven(source, converted, ROWS, lies)


def test_a_label_may_differ_where_the_source_itself_is_undecided() -> None:
    """Two trees that disagree: both classes have exactly half."""
    inputs = np.array([[0.0], [1.0], [2.0], [3.0]], dtype=np.float32)
    model = RandomForestClassifier(2, random_state=1).fit(inputs, [0, 1, 0, 1])
    source, converted = convert(model, inputs)
    margin = source.run(as_rows(inputs)).margin
    assert (margin < 1e-6).any()

    def other_way(rows: Rows) -> Tensors:
        found = run(converted, rows)
        tied = np.abs(np.diff(found["probabilities"], axis=1)[:, 0]) < 1e-6
        found["label"][tied] = 1 - found["label"][tied]
        return found

    parity = proven(source, converted, inputs, other_way)
    assert parity.label_disagreements == parity.near_ties == (margin < 1e-6).sum()


def test_the_tolerance_of_a_regression_follows_the_size_of_its_values() -> None:
    rows, truth = load_diabetes(return_X_y=True)
    rows = rows.astype(np.float32)
    source, converted = convert(LinearRegression().fit(rows, truth * 1e6), rows)
    parity = proven(source, converted, rows, partial(run, converted))
    assert parity.tolerance == pytest.approx(
        1e-5 * np.abs(source.run(as_rows(rows)).tensors["value"]).max()
    )
    with pytest.raises(ParityError, match="output 'value'"):
        proven(source, converted, rows, lambda rows: {"value": run(converted, rows)["value"] * 1.001})


def on_a_threshold() -> tuple[Source, Converted, Rows]:
    """A tree that splits on the mean, and a window whose mean is the threshold."""
    windows = np.repeat(np.array([0.0, 1.0, 2.0, 3.0], np.float32), 8).reshape(4, 8, 1)
    block = WindowFeatures(("mean",), spectrum_bins=0)
    model = make_pipeline(block, DecisionTreeClassifier()).fit(windows, [0, 0, 1, 1])
    return *convert(model, windows), as_rows(np.full((1, 8, 1), 1.5))


def features_of(converted: Converted, rows: Rows, factor: float = 1.0) -> Tensors:
    assert converted.halves is not None
    (features,) = run_onnx(converted.halves.features_onnx, rows.array)
    return {"value": (features * factor).astype(np.float32)}


def test_a_feature_that_rounds_across_a_threshold_is_counted_apart() -> None:
    """Another board adds in another order: the same window, one ulp away."""
    source, converted, rows = on_a_threshold()
    expected = source.run(rows)
    other = Variants(
        lambda rows: run(converted, scaled(rows, 1 + 2e-7)),
        lambda rows: features_of(converted, rows, 1 + 2e-7),
    )
    parity, _ = prove(source, converted, other, rows, expected)
    assert (parity.label_disagreements, parity.rounded_splits, parity.max_abs_error) == (1, 1, 0.0)


def test_features_that_differ_by_more_than_rounding_are_no_excuse() -> None:
    source, converted, rows = on_a_threshold()
    far = Variants(
        lambda rows: run(converted, scaled(rows, 1.001)),
        lambda rows: features_of(converted, rows, 1.001),
    )
    with pytest.raises(ParityError, match="input 0"):
        prove(source, converted, far, rows, source.run(rows))


def test_trees_that_disagree_on_the_same_features_are_no_excuse() -> None:
    source, converted, rows = on_a_threshold()
    lying = Variants(lambda rows: run(converted, scaled(rows, 1.001)), partial(features_of, converted))
    with pytest.raises(ParityError, match="input 0"):
        prove(source, converted, lying, rows, source.run(rows))


def test_the_variant_is_asked_about_the_inputs_once_and_what_it_said_is_handed_back() -> None:
    source, converted = convert(FOREST, ROWS)
    given, answers = as_rows(ROWS), []

    def whole(rows: Rows) -> Tensors:
        found = run(converted, rows)
        if rows is given:
            answers.append(found)
        return found

    _, found = prove(source, converted, Variants(whole), given, source.run(given))
    assert len(answers) == 1
    assert found is answers[0]


def test_an_answer_that_depends_on_the_rows_beside_it_is_refused() -> None:
    model = LinearRegression().fit(ROWS, SPECIES)
    source, converted = convert(model, ROWS)

    def mixes(rows: Rows) -> Tensors:
        found = run(converted, rows)
        return {"value": found["value"] + (0 if len(rows) > 1 else 1)}

    with pytest.raises(
        ParityError, match="input 149 has one answer beside the other inputs, and another"
    ):
        proven(source, converted, ROWS, mixes)


def test_edge_rows_have_what_nobody_recorded() -> None:
    _, converted = convert(FOREST, ROWS)
    made = edge_rows(as_rows(ROWS), converted.splits, exact=True).array
    assert np.isfinite(made).all()
    assert (made == 0).all(axis=1).any()
    assert made.max() == np.float32(1e38)
    feature, threshold = converted.splits[0][0], converted.splits[1][0]
    column = made[:, feature]
    assert (column == threshold).any()
    assert (column == np.nextafter(np.float32(threshold), np.float32(np.inf))).any()
    with_nan = ROWS.copy()
    with_nan[0, 0] = np.nan
    missing = edge_rows(as_rows(with_nan), converted.splits, exact=True).array
    assert np.isnan(missing).all(axis=1).any()


def test_columns_of_a_table_lie_on_thresholds_too() -> None:
    """Each in its own dtype: the source rounds float64 to float32, and so must the graph."""
    frame = pd.DataFrame(ROWS, columns=list("abcd")).astype({"c": np.float64})
    _, converted = convert(RandomForestClassifier(5, random_state=0).fit(frame, SPECIES), frame)
    made = edge_rows(as_rows(frame), converted.splits, exact=True)
    for name, dtype in (("a", np.float32), ("c", np.float64)):
        thresholds = converted.splits[1][converted.splits[0] == list("abcd").index(name)]
        on = thresholds.astype(dtype)
        assert made.arrays[name].dtype == dtype
        assert np.isin(on, made.arrays[name]).all()
        assert np.isin(np.nextafter(on, dtype(np.inf)), made.arrays[name]).all()


def test_each_output_is_held_to_the_size_of_its_own_values() -> None:
    expected = {"large": np.array([1e6, 0.0]), "small": np.array([[0.5, 1.0], [0.0, 0.1]])}
    limits = allowances(expected)
    assert limits == {"large": pytest.approx(10), "small": pytest.approx(1e-5)}
    assert allowed(expected) == pytest.approx(10)
    near = {"large": expected["large"] + 9, "small": expected["small"]}
    assert within(expected, near, limits).tolist() == [True, True]
    wrong = {**near, "small": expected["small"] + np.array([[0, 0], [0, 2e-5]])}
    assert within(expected, wrong, limits).tolist() == [True, False]
    lost = {**near, "small": np.array([[np.nan, 1.0], [0.0, 0.1]])}
    assert within(expected, lost, limits).tolist() == [False, True]


@pytest.mark.parametrize("wrong", [5.0, np.nan])
def test_of_many_numbers_the_message_names_the_one_that_is_furthest_off(wrong: float) -> None:
    targets = np.random.default_rng(0).normal(size=(150, 40))
    source, converted = convert(LinearRegression().fit(ROWS, targets), ROWS)

    def lies(rows: Rows) -> Tensors:
        found = run(converted, rows)
        found["value"][3, 8] += 1
        found["value"][3, 17] += wrong
        return found

    with pytest.raises(
        ParityError, match=r"output 'value' at 17, input 3: expected \S+ as .*found \S+;"
    ):
        proven(source, converted, ROWS, lies)


def test_one_infinite_value_does_not_excuse_the_others() -> None:
    expected = {"value": np.array([np.inf, -np.inf, np.nan, 3.0])}
    assert allowances(expected)["value"] == pytest.approx(3e-5)
    found = {"value": np.array([np.inf, -np.inf, np.nan, 4.0])}
    assert within(expected, found, allowances(expected)).tolist() == [True, True, True, False]
