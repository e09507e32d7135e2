"""Sketches of training data: what a device needs to say that its data lies elsewhere."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import converter
from converter.sketching import FILE
from edge_runtime.bundle.sketches import MAX_BYTES, Categories, Numbers, Sketches, decode
from edge_runtime.errors import InputError
from tests.support.motion import CHANNELS, motion_model, recordings

ROWS, SPECIES = load_iris(return_X_y=True)
NAMED = {"name": "a", "version": "1.0.0"}


def sketches(bundle: "converter.ConvertedBundle") -> Sketches:
    described = bundle.manifest.reference
    assert described is not None
    assert described.file == FILE
    assert described.file in bundle.manifest.files
    found = decode(bundle.artifacts[FILE])
    assert found.rows == described.rows
    return found


def numbers(rows: np.ndarray) -> Numbers:
    """The sketch of one feature."""
    regression = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    (found,) = sketches(converter.convert(regression, [[0.5]], reference=rows, **NAMED)).inputs
    assert isinstance(found, Numbers)
    return found


def test_a_device_that_counts_the_training_data_by_the_edges_finds_the_same_counts() -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 1))
    found = numbers(rows)
    edges = np.array(found.edges, np.float32)
    places = np.array([np.sum(edges <= value) for value in rows.astype(np.float32)[:, 0]])
    assert np.bincount(places, minlength=len(edges) + 1).tolist() == list(found.counts)
    assert len(found.counts) == 10
    assert max(found.counts) - min(found.counts) <= 2
    assert (np.float32(found.min), np.float32(found.max)) == (
        rows.astype(np.float32).min(),
        rows.astype(np.float32).max(),
    )
    assert found.mean == pytest.approx(rows.mean())
    assert set(edges.tolist()) <= set(rows.astype(np.float32)[:, 0].tolist())


def test_few_different_numbers_make_few_bins() -> None:
    found = numbers(np.array([[0.0]] * 90 + [[1.0]] * 10))
    assert (found.edges, found.counts) == ((0.0,), (0, 100))
    found = numbers(np.array([[0.0]] * 50 + [[1.0]] * 50))
    assert (found.edges, found.counts) == ((0.0, 1.0), (0, 50, 50))


def test_numbers_beyond_float32_and_small_ones_keep_their_place() -> None:
    found = numbers(np.array([[1e-42], [3e38], [-3e38]]))
    assert found.count == sum(found.counts) == 3
    assert np.float32(found.max) == np.float32(3e38)


def test_windows_have_a_sketch_an_axis_named_by_its_channel() -> None:
    bundle = converter.convert(
        motion_model(10),
        recordings("test")[0],
        reference=recordings("train")[0],
        window=converter.WindowSpec(channels=CHANNELS),
        **NAMED,
    )
    found = sketches(bundle)
    assert [each.name for each in found.inputs] == list(CHANNELS)
    assert {each.count for each in found.inputs} == {40 * 100}
    label, *probabilities = found.outputs
    assert isinstance(label, Categories)
    assert list(label.counts) == ["Badminton", "Running", "Standing", "Walking"]
    assert sum(label.counts.values()) == label.count == 40
    assert [each.name for each in probabilities] == list(label.counts)


def test_of_a_table_texts_are_counted_and_missing_ones_too() -> None:
    texts = [f"site {i % 20:02}" for i in range(98)] + [None, "x" * 100]
    frame = pd.DataFrame({"site": texts, "age": [*range(99), np.nan]})
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((encoder, ["site"]), (SimpleImputer(), ["age"]))
    model = make_pipeline(columns, DummyClassifier()).fit(frame, [0, 1] * 50)
    site, age = sketches(converter.convert(model, frame, reference=frame, **NAMED)).inputs
    assert isinstance(site, Categories)
    assert (site.name, site.count, site.missing) == ("site", 99, 1)
    assert len(site.counts) == 16
    assert site.others == 99 - sum(site.counts.values())
    assert max(map(len, site.counts)) <= 64
    assert (age.name, age.count, age.missing) == ("age", 99, 1)


def test_several_labels_and_scores_have_sketches_of_their_own() -> None:
    rows, labels = make_multilabel_classification(100, 5, n_classes=3, random_state=0)
    forest = RandomForestClassifier(5, random_state=0).fit(rows, labels)
    found = sketches(converter.convert(forest, rows, reference=rows, **NAMED))
    assert [each.name for each in found.outputs if each.tensor == "label"] == ["0", "1", "2"]
    assert [each.name for each in found.outputs if each.tensor == "probabilities"][:2] == [
        "0: 0",
        "0: 1",
    ]
    finder = IsolationForest(n_estimators=5, random_state=0).fit(ROWS)
    found = sketches(converter.convert(finder, ROWS, reference=ROWS, **NAMED))
    assert [each.tensor for each in found.outputs] == ["label", "score"]


def test_their_size_is_bounded_however_many_features_there_are() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3000)).astype(np.float32)
    model = DummyClassifier().fit(rows, [0, 1] * 30)
    bundle = converter.convert(model, rows[:5], reference=rows, **NAMED)
    found = sketches(bundle)
    assert (len(found.inputs), found.left_out) == (512, 3000 - 512)
    assert (found.inputs[0].index, found.inputs[-1].index) == (0, 2999)
    assert len(bundle.artifacts[FILE]) < 200_000 < MAX_BYTES


def test_the_held_out_inputs_are_never_sketched_and_the_training_inputs_are_by_default() -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(ROWS[::2], SPECIES[::2])
    plain = converter.convert(forest, ROWS[1::2], SPECIES[1::2], **NAMED)
    assert plain.manifest.reference is None
    assert FILE not in plain.artifacts
    trained = converter.convert(
        forest, ROWS[1::2], training=(ROWS[::2], SPECIES[::2]), cross_validation=0, **NAMED
    )
    given = converter.convert(forest, ROWS[1::2], reference=ROWS[::2], **NAMED)
    assert trained.artifacts[FILE] == given.artifacts[FILE]
    assert sketches(trained).rows == 75


def test_a_reference_unlike_the_inputs_is_refused() -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(ROWS, SPECIES)
    with pytest.raises(InputError, match=r"reference: expected rows of shape \(4,\).*found \(3,\)"):
        converter.convert(forest, ROWS, reference=ROWS[:, :3], **NAMED)
    with pytest.raises(InputError, match="reference: inputs: expected"):
        converter.convert(forest, ROWS, reference=[], **NAMED)
