"""Trees in fewer bytes: the same children, thresholds that part as before, leaves within a step."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)

from converter.backends.tensorrt import try_builds
from converter.frontends.choice import front_end_of
from converter.quantization.weights import stored
from edge_runtime.bundle.manifest import Profile
from tests.converter.quantization.at_load import constants, digest, in_another_process, operators
from tests.converter.quantization.networks import run

KINDS: list[Any] = ["fp16", "int8", "int16"]
ROLES = ("feature", "threshold", "left", "right", "leaves", "split_leaves")
PROFILE = Profile(min_rows=1, opt_rows=1, max_rows=64)
COUNTS, DIGITS = load_digits(return_X_y=True)
READINGS, ILL = load_breast_cancer(return_X_y=True)
COUNTS, READINGS = COUNTS.astype(np.float32), READINGS.astype(np.float32)


def lowered(model: Any, rows: np.ndarray) -> bytes:
    """A fitted model in standard operators."""
    front = front_end_of(model, None)
    given = front.rows(rows, None)
    read = front.read(given, None, None)
    return read.convert(given, read.source.run(given), standard=True).onnx


def tables(raw: bytes) -> dict[str, np.ndarray]:
    """The tables of a graph of one ensemble, by role, and "inner", which nodes are no leaves."""
    found = {
        each.name: numpy_helper.to_array(each) for each in onnx.load_from_string(raw).graph.initializer
    }
    made = {name.partition(".")[2]: array for name, array in found.items() if name.startswith("trees_")}
    return made | {"inner": made["left"] != np.arange(len(made["left"]))}


def at_load(raw: bytes) -> dict[str, np.ndarray]:
    """The same tables as ONNX Runtime has them once it has loaded a graph."""
    split = {name.partition("."): array for name, array in constants(raw).items()}
    return {role: array for (_, _, role), array in split.items() if role in ROLES}


def answers(raw: bytes, rows: np.ndarray) -> dict[str, np.ndarray]:
    (name,) = (each.name for each in onnx.load_from_string(raw).graph.input)
    return run(raw, {name: rows})


@pytest.fixture(scope="module")
def forest() -> bytes:
    """Continuous features: nearly every split has a threshold of its own."""
    return lowered(RandomForestClassifier(60, max_depth=6, random_state=0).fit(READINGS, ILL), READINGS)


@pytest.fixture(scope="module")
def boosted() -> bytes:
    """Ten classes, of which each has trees of its own; features are whole numbers."""
    return lowered(HistGradientBoostingClassifier(max_iter=12).fit(COUNTS, DIGITS), COUNTS)


@pytest.mark.parametrize("kind", KINDS)
def test_features_and_children_are_the_very_ones(kind: Any, forest: bytes, boosted: bytes) -> None:
    for raw in (forest, boosted):
        exact, found = tables(raw), at_load(stored(raw, kind))
        for role in ("feature", "left", "right"):
            assert np.array_equal(found[role], exact[role])
            assert found[role].dtype == np.int32


@pytest.mark.parametrize("kind", KINDS)
def test_thresholds_of_histograms_and_whole_numbers_are_the_very_ones(kind: Any, boosted: bytes) -> None:
    whole = RandomForestClassifier(40, random_state=0).fit(COUNTS, DIGITS)
    for raw in (boosted, lowered(whole, COUNTS)):
        exact, found = tables(raw), at_load(stored(raw, kind))
        assert np.array_equal(found["threshold"], exact["threshold"])


@pytest.mark.parametrize(("kind", "levels"), [("int8", 256), ("int16", 65_536)])
def test_other_thresholds_err_by_a_step_of_their_feature(kind: Any, levels: int, forest: bytes) -> None:
    exact, found = tables(forest), at_load(stored(forest, kind))
    inner = exact["inner"]
    for feature in range(READINGS.shape[1]):
        here = inner & (exact["feature"] == feature)
        own = exact["threshold"][here].astype(np.float64)
        step = np.ptp(own) / (levels - 1) + np.abs(own).max() * 2.0**-22
        moved = found["threshold"][here] - own
        assert np.abs(moved).max() <= (step if kind == "int16" else step / 2)
        if kind == "int16":  # what equals its threshold goes left still
            assert moved.min() >= 0


def test_thresholds_of_few_nodes_are_float16_beside_int8() -> None:
    """A step for each of thirty features would take more bytes than it saves."""
    raw = lowered(RandomForestClassifier(4, max_depth=4, random_state=0).fit(READINGS, ILL), READINGS)
    found, exact = at_load(stored(raw, "int8")), tables(raw)
    assert np.array_equal(found["threshold"], exact["threshold"].astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "step"), [("fp16", 2.0**-11), ("int8", 0.5 / 255), ("int16", 0.5 / 65_535)]
)
def test_shares_of_classes_err_by_half_a_step(kind: Any, step: float, forest: bytes) -> None:
    exact, found = tables(forest), at_load(stored(forest, kind))
    ends = exact["split_leaves"][~exact["inner"]]
    own = ends[:, :2] + ends[:, 2:]
    read = found["split_leaves"][~exact["inner"]]
    assert own.min() == 0
    assert own.max() == 1
    assert np.abs(read[:, :2] + read[:, 2:] - own).max() <= step * 1.001
    assert np.array_equal(read[:, :2] == 0, own == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_kept_and_the_graph_runs_as_before(kind: Any, forest: bytes, boosted: bytes) -> None:
    for raw, rows, ratio in ((forest, READINGS, 0.3), (boosted, COUNTS, 0.08)):
        made = stored(raw, kind)
        assert len(made) < ratio * len(raw)
        assert operators(made) == operators(raw)
        said, heard = answers(raw, rows), answers(made, rows)
        assert np.array_equal(said["label"], heard["label"])
        assert np.abs(said["probabilities"] - heard["probabilities"]).mean() < 0.002


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_go_where_they_went(kind: Any) -> None:
    random = np.random.default_rng(0)
    holed = np.where(random.random(COUNTS.shape) < 0.2, np.float32(np.nan), COUNTS)
    raw = lowered(HistGradientBoostingClassifier(max_iter=6).fit(holed, DIGITS), holed)
    made = stored(raw, kind)
    said, heard = answers(raw, holed), answers(made, holed)
    assert np.mean(said["label"] == heard["label"]) > 0.998
    assert np.abs(said["probabilities"] - heard["probabilities"]).max() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_a_regression_err_by_a_part_of_their_spread(kind: Any) -> None:
    aim = READINGS @ np.linspace(-1, 1, READINGS.shape[1])
    model = GradientBoostingRegressor(n_estimators=30, random_state=0).fit(READINGS, aim)
    raw = lowered(model, READINGS)
    said, heard = (answers(each, READINGS)["value"] for each in (raw, stored(raw, kind)))
    assert np.sqrt(np.mean((said - heard) ** 2)) < np.std(said) * (0.03 if kind == "int8" else 0.003)


@pytest.mark.parametrize("kind", ["int8", "int16"])
def test_thresholds_that_are_infinite_stay_as_they_are(kind: Any) -> None:
    holed = READINGS.copy()
    holed[ILL == 1, 0] = np.nan  # a split of what is missing from all numbers
    model = RandomForestClassifier(20, random_state=0).fit(holed, ILL)
    raw = lowered(model, holed)
    exact = tables(raw)
    assert np.abs(exact["threshold"]).max() > 1e38
    made = stored(raw, kind)
    assert np.array_equal(at_load(made)["threshold"], exact["threshold"])
    assert np.array_equal(answers(raw, holed)["label"], answers(made, holed)["label"])


def test_trees_of_one_split_have_no_tables_of_nodes() -> None:
    model = GradientBoostingRegressor(n_estimators=300, max_depth=1, random_state=0).fit(READINGS, ILL)
    raw = lowered(model, READINGS)
    said, heard = answers(raw, READINGS), answers(stored(raw, "int8"), READINGS)
    assert np.array_equal(said["value"], heard["value"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_for_tensorrt_are_the_same_tables(
    kind: Any, forest: bytes, boosted: bytes
) -> None:
    for raw in (forest, boosted):
        own, other = (
            at_load(stored(raw, kind, engine=engine)) for engine in ("onnxruntime", "tensorrt")
        )
        assert own.keys() == other.keys()
        for role, table in own.items():
            assert np.array_equal(table, other[role])


def test_the_bytes_are_the_same_in_every_process(forest: bytes) -> None:
    call = f"converter.quantization.weights:b''.join(stored(raw, kind) for kind in {KINDS})"
    assert in_another_process(call, forest) == digest(b"".join(stored(forest, kind) for kind in KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_tensorrt_builds_a_plan_as_large_as_of_the_plain_tables(kind: Any, boosted: bytes) -> None:
    (plain,) = try_builds(boosted, PROFILE, ["8.6"])
    for trial in try_builds(stored(boosted, kind, engine="tensorrt"), PROFILE, ["8.6", "12.0"]):
        assert trial.why == ""
        assert abs(trial.plan_bytes - plain.plan_bytes) < 0.15 * plain.plan_bytes
