"""`convert(..., boards=...)`: a second variant where a board has TensorRT, and a sentence where not."""

import dataclasses
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import converter
import edge_runtime
from converter.backends import tensorrt
from converter.blocks import Statistics
from edge_runtime.cli import run
from edge_runtime.errors import ConfigError, InputError
from tests.support.motion import RECORDINGS, motion_model

GRAPH = "variants/tensorrt-fp32/model.onnx"
ROWS, SPECIES = load_iris(return_X_y=True)


def iris(model: Any = None, **options: Any) -> "converter.ConvertedBundle":
    model = model or make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0))
    given = {"name": "iris", "version": "1.0.0", **options}
    return converter.convert(model.fit(ROWS[::2], SPECIES[::2]), ROWS[1::2], SPECIES[1::2], **given)


def test_without_boards_there_is_one_variant() -> None:
    assert [variant.id for variant in iris().manifest.variants] == ["fp32"]


def test_a_board_with_tensorrt_gets_a_second_variant_with_what_a_device_needs_to_build_a_plan() -> None:
    bundle = iris(boards=["pi4", "rtx-30", "rtx-50"])
    plain, lowered = bundle.manifest.variants
    assert (plain.engine, lowered.engine) == ("onnxruntime", "tensorrt")
    assert lowered.precision == "fp32"
    assert lowered.boards == ("rtx-30", "rtx-50")
    assert lowered.profile is not None
    assert (lowered.profile.min_rows, lowered.profile.opt_rows, lowered.profile.max_rows) == (1, 1, 1024)
    assert lowered.exact == plain.exact == "leaves"
    assert lowered.parity.inputs == 75
    assert lowered.opsets == {"ai.onnx": 17}
    assert bundle.manifest.files[GRAPH].size == lowered.size_bytes == len(bundle.artifacts[GRAPH])


def test_the_second_variants_graph_says_what_the_source_says_in_standard_operators() -> None:
    bundle = iris(boards=["orin-nano"])
    raw = bundle.artifacts[GRAPH]
    assert {node.domain for node in onnx.load_from_string(raw).graph.node} == {""}
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    label, probabilities = session.run(None, {"rows": ROWS.astype(np.float32)})
    model = make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0))
    model.fit(ROWS[::2], SPECIES[::2])
    seen = ROWS.astype(np.float32)
    assert np.array_equal(label, model.predict(seen))
    assert np.abs(probabilities - model.predict_proba(seen)).max() < 1e-7


def test_a_runtime_without_tensorrt_goes_on_with_the_plain_variant(tmp_path: Path) -> None:
    path = iris(boards=["rtx-50"]).save(tmp_path / "iris.edge")
    with edge_runtime.load(path, allow_unsigned=True) as device:
        assert device.variant.id == "fp32"
        assert device.predict(ROWS[:2]).tolist() == ["0", "0"]


def test_the_report_says_of_each_board_what_was_tried_and_what_was_not() -> None:
    bundle = iris(boards=["pi4", "orin-nano", "agx-thor", "rtx-30"])
    lines = bundle.notes
    assert len(lines) == bundle.report().count("\nboard ") == 4
    assert "Raspberry Pi 4 (pi4): it has no TensorRT: onnxruntime runs fp32." in lines[0]
    assert "untested: its compute capability 8.7 cannot be tried here. For 8.6 TensorRT-RTX" in lines[1]
    assert "untested: its compute capability 11.0 cannot be tried here. For 8.9" in lines[2]
    assert "TensorRT-RTX built a plan of" in lines[3]
    assert "for its compute capability 8.6" in lines[3]


def test_the_same_model_converts_to_the_same_bytes_whatever_the_times_were() -> None:
    first, second = iris(boards=["rtx-30"]), iris(boards=["rtx-30"])
    assert first.to_bytes() == second.to_bytes()


@pytest.mark.parametrize("fault", ["missing", "broken"])
def test_where_tensorrt_is_missing_or_broken_the_plain_variant_ships_and_the_report_says_why(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "missing":
        monkeypatch.setattr(tensorrt, "MODULE", "tensorrt_of_nobody")
    else:
        monkeypatch.setattr(tensorrt, "__name__", "json.tool")  # a child that answers something else
    bundle = iris(boards=["rtx-30"])
    assert [variant.id for variant in bundle.manifest.variants] == ["fp32"]
    (note,) = bundle.notes
    why = (
        "TensorRT-RTX is not installed. Run: pip"
        if fault == "missing"
        else "TensorRT-RTX is broken here"
    )
    assert f"it has no TensorRT variant: {why}" in note


def test_without_tensorrt_no_variant_is_made_for_it_and_the_hint_stands_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensorrt, "MODULE", "tensorrt_of_nobody")
    bundle = iris(boards=["orin-nano"], quantize=True)
    assert bundle.tried == ()
    assert bundle.report().count("is not installed") == 1
    assert bundle.report_html().count("is not installed") == 1
    assert iris(boards=["orin-nano"], choices=bundle.choices).to_bytes() == bundle.to_bytes()


def test_a_gpu_that_tensorrt_cannot_build_for_is_told_in_its_own_words() -> None:
    bundle = iris(LogisticRegression(max_iter=1000), boards=["rtx-20", "rtx-30"])
    assert bundle.manifest.variants[1].boards == ("rtx-30",)
    assert "FP32 GEMM is not supported" in bundle.notes[0]


def test_a_model_that_float32_cannot_hold_ships_as_it_is_and_the_report_says_where() -> None:
    steps = [("difference", Tiny()), ("linear", LogisticRegression())]
    model = Pipeline(steps).fit(ROWS[::2], SPECIES[::2])
    bundle = converter.convert(model, ROWS[1::2], name="iris", version="1.0.0", boards=["rtx-30"])
    assert [variant.id for variant in bundle.manifest.variants] == ["fp32"]
    assert "it has no TensorRT variant: parity: output" in bundle.notes[0]
    assert "not converted" not in bundle.notes[0]


class Tiny(StandardScaler):
    """x, by way of numbers that only float64 holds."""

    def fit(self, X: Any, y: Any = None) -> "Tiny":
        super().fit(X)
        return self

    def transform(self, X: Any) -> Any:
        return (np.asarray(X, np.float64) + 1e9) - 1e9


def test_an_operator_that_tensorrt_does_not_take_is_told_in_its_own_words() -> None:
    windows = np.random.default_rng(0).normal(size=(12, 8_000, 1)).astype(np.float32)
    model = make_pipeline(Statistics(("median",)), LogisticRegression()).fit(windows, np.arange(12) % 2)
    bundle = converter.convert(model, windows, name="some", version="1.0.0", boards=["rtx-30"])
    assert [variant.id for variant in bundle.manifest.variants] == ["fp32"]
    assert "it has no TensorRT variant: " in bundle.notes[0]
    assert "K exceeds the maximum value allowed (3840)" in bundle.notes[0]


@pytest.mark.parametrize(
    ("boards", "what"),
    [(["pi3"], "expected one of agx-orin"), (["xavier-nx"], "is not supported: its last software")],
)
def test_an_unknown_or_unsupported_board_stops_the_conversion(boards: list[str], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        iris(boards=boards)


def test_a_pipeline_goes_before_a_model_that_was_trained_on_what_it_gives() -> None:
    with np.load(RECORDINGS) as recordings:
        held_out = recordings["test_windows"]
    whole = motion_model(10)
    before, model = whole[:-1], whole[-1]
    apart = converter.convert(model, held_out, name="motion", version="1.0.0", preprocessing=before)
    together = converter.convert(whole, held_out, name="motion", version="1.0.0")
    assert apart.artifacts["variants/fp32/model.onnx"] == together.artifacts["variants/fp32/model.onnx"]
    assert apart.manifest.preprocessing == together.manifest.preprocessing
    assert apart.manifest.window == together.manifest.window


def test_what_does_not_transform_cannot_go_before() -> None:
    model = LogisticRegression(max_iter=1000).fit(ROWS, SPECIES)
    with pytest.raises(
        InputError, match="'model': expected a fitted transformer, found LogisticRegress"
    ):
        converter.convert(model, ROWS, name="iris", version="1.0.0", preprocessing=model)


def test_the_command_takes_boards_and_preprocessing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scaler = StandardScaler().fit(ROWS)
    model = RandomForestClassifier(5, random_state=0).fit(scaler.transform(ROWS), SPECIES)
    joblib.dump(scaler, tmp_path / "scaler.joblib")
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "rows.npy", ROWS)
    arguments = [
        "convert", str(tmp_path / "model.joblib"), "--preprocessing", str(tmp_path / "scaler.joblib"),
        "--inputs", str(tmp_path / "rows.npy"), "--name", "iris", "--version", "1.0.0", "--unsigned",
        "--output", str(tmp_path / "iris.edge"), "--board", "orin-nano", "--board", "pi4",
    ]  # fmt: skip
    assert run(arguments) == 0
    printed = capsys.readouterr()
    assert "building TensorRT plans for compute capability 8.6" in printed.err
    assert "StandardScaler (folded into the trees' thresholds)" in printed.out
    assert "Jetson Orin Nano (orin-nano): untested" in printed.out
    assert run([*arguments[:-1], "pi3"]) != 0
    assert "expected one of" in capsys.readouterr().err


def test_a_note_is_no_part_of_the_bundle() -> None:
    bundle = iris(boards=["rtx-30"])
    assert dataclasses.replace(bundle, notes=()).to_bytes() == bundle.to_bytes()
