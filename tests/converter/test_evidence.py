"""What the page shows of each variant was measured with the very graph that ships."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import converter
from converter.evidence import Measured, measured

ROWS, SPECIES = load_iris(return_X_y=True)


def every(bundle: "converter.ConvertedBundle") -> list[Measured]:
    assert bundle.evidence is not None
    return list(measured(bundle.manifest, bundle.artifacts, bundle.evidence))


def test_differences_are_those_of_parity_and_rows_take_time() -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, SPECIES)
    bundle = converter.convert(model, ROWS, name="a", version="1.0.0")
    (found,) = every(bundle)
    assert found.differences is not None
    assert found.differences.shape == (150,)
    assert found.differences.max() == bundle.manifest.variants[0].parity.max_abs_error
    assert 0 < found.latency.p50_us <= found.latency.p90_us


def test_a_variant_for_tensorrt_in_two_parts_is_run_as_the_whole_it_was_cut_from() -> None:
    frame = pd.DataFrame({"site": list("ab") * 20, "size": np.arange(40.0)})
    columns = make_column_transformer((OneHotEncoder(), ["site"]), (StandardScaler(), ["size"]))
    model = make_pipeline(columns, LogisticRegression()).fit(
        frame, np.random.default_rng(0).integers(0, 2, 40)
    )
    bundle = converter.convert(model, frame, name="a", version="1.0.0", boards=["orin-nano"])
    assert bundle.manifest.variants[1].host
    plain, lowered = every(bundle)
    assert lowered.variant.id == "tensorrt-fp32"
    assert lowered.differences is not None
    assert lowered.differences.max() <= lowered.variant.parity.tolerance
    assert plain.differences is not None
    assert not np.array_equal(plain.differences, lowered.differences)


def test_a_model_of_labels_alone_has_no_differences_of_numbers() -> None:
    model = LinearSVC(random_state=0).fit(ROWS, SPECIES)
    (found,) = every(converter.convert(model, ROWS, name="a", version="1.0.0"))
    assert found.differences is None


def test_residuals_are_the_variants_predictions_less_the_truth() -> None:
    model = LinearRegression().fit(ROWS, SPECIES)
    with_truth = converter.convert(model, ROWS, SPECIES, name="a", version="1.0.0")
    (found,) = every(with_truth)
    assert found.residuals == pytest.approx(model.predict(ROWS) - SPECIES, abs=1e-5)
    (without,) = every(converter.convert(model, ROWS, name="a", version="1.0.0"))
    assert without.residuals is None


def test_times_are_no_part_of_the_bundle() -> None:
    model = LogisticRegression(max_iter=500).fit(ROWS, SPECIES)
    bundle = converter.convert(model, ROWS, name="a", version="1.0.0")
    before = bundle.to_bytes()
    assert bundle.report_html()
    assert bundle.to_bytes() == before
