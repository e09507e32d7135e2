"""ONNX Runtime behind the seam: loads what the manifest says, runs in place, tells what it refuses."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier

import converter
from edge_runtime.bundle import Bundle, open_bundle, open_folder
from edge_runtime.bundle.manifest import Input, Output
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine, OnnxRuntimeSession, engine
from edge_runtime.errors import BundleError, ConfigError, EngineError
from tests.support.broken_library import breaking
from tests.support.graphs import DOUBLE, FLOAT, doubling_regression, graph, write_bundle
from tests.support.tiny_bundle import MODEL_FILE, TinyModel, golden_windows, tiny_bundle
from tests.support.unpacked import payloads, unpack

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)
DOUBLE_IT = helper.make_node("Add", ["rows", "rows"], ["value"])
DECLARED = Input(name="rows", dtype="float32", shape=(None, 2))
VALUE = Output(name="value", dtype="float32", shape=(None, 2), meaning="value")


def _load(bundle: Bundle, threads: int = 1) -> OnnxRuntimeSession:
    return OnnxRuntimeEngine().load(bundle, bundle.manifest.variants[0], threads=threads)


def _load_model(path: Path, model: bytes, **manifest: Any) -> OnnxRuntimeSession:
    """A session of any graph whose manifest says: rows (n, 2) in, value (n, 2) out."""
    says: dict[str, Any] = {"declared": DECLARED, "outputs": [VALUE]} | manifest
    golden = {"golden_input": ROWS, "golden_outputs": [ROWS]}
    write_bundle(path, model, task="regression", **(golden | says))
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        return _load(bundle)


def test_a_batch_runs_by_name_and_gives_the_manifests_outputs_in_order(tiny: Bundle) -> None:
    found = _load(tiny).run({"windows": golden_windows()})

    label, probabilities = TinyModel()(golden_windows())
    assert list(found) == ["label", "probabilities"]
    assert np.array_equal(found["label"], label)
    assert np.allclose(found["probabilities"], probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "width", "parts"),
    [(1000, 100, [1000]), (1000, 600, [200] * 5), (1001, 600, [201] * 4 + [197]), (12, 50_000, [6, 6])],
)
def test_a_batch_beyond_half_a_megabyte_is_run_in_equal_parts_and_joined(
    tmp_path: Path, rows: int, width: int, parts: list[int]
) -> None:
    declared = Input(name="rows", dtype="float32", shape=(None, width))
    count = Output(name="value", dtype="float32", shape=(None,), meaning="value")
    nodes = [  # of each row its largest value and how many rows there are in its run, added
        helper.make_node("Shape", ["rows"], ["n"], end=1),
        helper.make_node("Cast", ["n"], ["many"], to=FLOAT),
        helper.make_node("ReduceMax", ["rows"], ["largest"], axes=[1], keepdims=0),
        helper.make_node("Add", ["largest", "many"], ["value"]),
    ]
    model = graph(nodes, [("rows", FLOAT, ["n", width])], [("value", FLOAT, ["n"])])
    golden = {"golden_input": np.zeros((1, width)), "golden_outputs": [np.ones(1)]}
    path = tmp_path / "counts.edge"
    session = _load_model(path, model, declared=declared, outputs=[count], **golden)
    given = np.repeat(np.arange(rows, dtype=np.float32)[:, None], width, axis=1)

    found = session.run({"rows": given})["value"] - given[:, 0]

    assert found.tolist() == [float(size) for size in parts for _ in range(size)]


def test_a_row_runs_in_buffers_that_stay_where_they_are(tiny: Bundle) -> None:
    row = _load(tiny).row
    assert row is not None
    addresses = [array.ctypes.data for array in (*row.inputs, *row.outputs)]
    labels, probabilities = TinyModel()(golden_windows())

    for at in (0, 5, 2):
        row.inputs[0][...] = golden_windows()[at]
        row.run()
        assert row.outputs[0].tolist() == [labels[at]]
        assert np.allclose(row.outputs[1], probabilities[at], atol=1e-6)
    assert [array.ctypes.data for array in (*row.inputs, *row.outputs)] == addresses


def test_several_threads_for_one_run_give_the_same(tiny: Bundle) -> None:
    one, two = (_load(tiny, threads).run({"windows": golden_windows()}) for threads in (1, 2))

    assert np.array_equal(one["probabilities"], two["probabilities"])
    with pytest.raises(ConfigError, match="threads: expected 1 or more, found 0"):
        _load(tiny, 0)


def test_after_close_every_use_is_an_error(tiny: Bundle) -> None:
    session = _load(tiny)
    session.close()

    assert session.row is not None
    with pytest.raises(EngineError, match=r"tiny 1\.0\.0, .*: the model was closed"):
        session.run({"windows": golden_windows()})
    with pytest.raises(EngineError, match="the model was closed"):
        session.row.run()


@pytest.mark.parametrize(
    ("inputs", "outputs", "told"),
    [
        ([("other", FLOAT, ["n", 2])], [("value", FLOAT, ["n", 2])], r"inputs: expected \['rows'\]"),
        ([("rows", FLOAT, ["n", 2])], [("wrong", FLOAT, ["n", 2])], r"outputs: expected \['value'\]"),
        ([("rows", DOUBLE, ["n", 2])], [("value", DOUBLE, ["n", 2])], r"found tensor\(double\)"),
        ([("rows", FLOAT, ["n", 3])], [("value", FLOAT, ["n", 3])], r"of shape \(n, 3\)"),
        ([("rows", FLOAT, [1, 2])], [("value", FLOAT, [1, 2])], r"of shape \(1, 2\)"),
        ([("rows", FLOAT, ["n"])], [("value", FLOAT, ["n"])], r"of shape \(n,\)"),
    ],
)
def test_a_model_that_is_not_what_the_manifest_says_is_refused(
    tmp_path: Path, inputs: Any, outputs: Any, told: str
) -> None:
    node = helper.make_node("Add", [inputs[0][0]] * 2, [outputs[0][0]])

    with pytest.raises(EngineError, match=told):
        _load_model(tmp_path / "bundle.edge", graph([node], inputs, outputs))


def test_an_output_whose_shape_differs_when_it_runs_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["rows"], ["turned"], perm=[1, 0]),
        helper.make_node("Identity", ["turned"], ["value"]),
    ]
    model = graph(nodes, [("rows", FLOAT, ["n", "m"])], [("value", FLOAT, ["n", "k"])])
    session = _load_model(tmp_path / "bundle.edge", model)

    with pytest.raises(
        EngineError, match=r"output 'value': expected the shape \(3, 2\), found \(2, 3\)"
    ):
        session.run({"rows": ROWS})
    assert session.row is not None
    with pytest.raises(EngineError, match="cannot be run by onnxruntime"):
        session.row.run()


def test_a_size_left_open_has_no_row_path_but_runs(tmp_path: Path) -> None:
    session = _load_model(
        tmp_path / "bundle.edge",
        graph([DOUBLE_IT], [("rows", FLOAT, ["n", "m"])], [("value", FLOAT, ["n", "m"])]),
        declared=Input(name="rows", dtype="float32", shape=(None, None)),
        outputs=[Output(name="value", dtype="float32", shape=(None, None), meaning="value")],
    )

    assert session.row is None
    assert np.array_equal(session.run({"rows": ROWS})["value"], 2 * ROWS)


def test_texts_go_in_as_objects_without_a_row_path(tmp_path: Path) -> None:
    node = helper.make_node(
        "LabelEncoder",
        ["rows"],
        ["value"],
        domain="ai.onnx.ml",
        keys_strings=["é\0", "\uffff", ""],
        values_floats=[1.0, 2.0, 3.0],
        default_float=9.0,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    string, shape = TensorProto.STRING, ["n", 2]
    session = _load_model(
        tmp_path / "bundle.edge",
        graph([node], [("rows", string, shape)], [("value", FLOAT, shape)], opset_imports=opsets),
        declared=Input(name="rows", dtype="string", shape=(None, 2)),
    )

    rows = np.array([["é\0", "\uffff"], ["", "é"]], np.object_)
    assert session.row is None
    assert session.run({"rows": rows})["value"].tolist() == [[1, 2], [3, 9]]


def test_texts_where_the_manifest_says_numbers_are_refused(tmp_path: Path) -> None:
    string, shape = TensorProto.STRING, ["n", 2]
    node = helper.make_node("Identity", ["rows"], ["value"])
    with pytest.raises(
        EngineError, match=r"expected tensor\(float\) of shape .* found tensor\(string\)"
    ):
        _load_model(
            tmp_path / "bundle.edge",
            graph([node], [("rows", string, shape)], [("value", string, shape)]),
        )


def test_an_unknown_operator_is_one_line_of_bounded_length(tmp_path: Path) -> None:
    node = helper.make_node("N" * 5000, ["rows"], ["value"])
    with pytest.raises(EngineError, match=r"cannot be loaded by onnxruntime: .*N{9}") as caught:
        _load_model(
            tmp_path / "bundle.edge",
            graph([node], [("rows", FLOAT, ["n", 2])], [("value", FLOAT, ["n", 2])]),
        )

    assert len(str(caught.value)) < 450
    assert "\n" not in str(caught.value)


def test_onnxruntimes_own_format_is_refused(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(TinyModel().graph(), options, providers=["CPUExecutionProvider"])

    with pytest.raises(EngineError):
        _load_model(tmp_path / "bundle.edge", (tmp_path / "model.ort").read_bytes())


def test_a_tensor_that_only_claims_to_be_elsewhere_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """external_data is what we refuse; that the flag alone reads no file is ONNX Runtime's to keep."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w").write_bytes(bytes(8))
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    node = helper.make_node("Add", ["rows", "w"], ["value"])
    model = graph([node], [("rows", FLOAT, ["n", 2])], [("value", FLOAT, ["n", 2])], [tensor])

    with pytest.raises(EngineError, match="cannot be loaded by onnxruntime"):
        _load_model(tmp_path / "bundle.edge", model)


def test_the_vendors_telemetry_is_off_before_the_import_and_nothing_is_imported_early() -> None:
    script = """
import os, sys, edge_runtime
import edge_runtime.model
assert "onnxruntime" not in sys.modules
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine
class Watch:
    def find_spec(self, name, *_):
        if name == "onnxruntime":
            print("telemetry disabled:", os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
assert OnnxRuntimeEngine().why_unavailable() == ""
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "telemetry disabled: 1\n"
    assert done.stderr == ""


def test_where_it_is_not_installed_the_reason_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    assert "pip install onnxruntime" in OnnxRuntimeEngine().why_unavailable()


def test_without_memory_to_import_it_nobody_is_sent_to_install_it() -> None:
    # What Python has already is let be: the answer, too, takes a little memory.
    limited = """
import numpy
from edge_runtime.process import allocated_bytes, limit_memory
limit_memory(allocated_bytes() + (256 << 10))
"""
    assert _why_unavailable(limited).startswith("there is too little memory to start it: ")


def test_a_library_that_cannot_be_mapped_is_no_missing_one(tmp_path: Path) -> None:
    said = "libonnxruntime.so.1: failed to map segment from shared object"
    why = _why_unavailable("", breaking("onnxruntime", said, tmp_path / "unmapped"))
    assert why == f"there is too little memory to start it: {said}"
    said = "libgomp.so.1: cannot allocate memory in static TLS block"  # which more memory does not mend
    why = _why_unavailable("", breaking("onnxruntime", said, tmp_path / "static"))
    assert why.startswith(f"it cannot be imported: {said}")


def _why_unavailable(before: str, environment: Mapping[str, str] = MappingProxyType({})) -> str:
    """In a process of its own, which runs `before` before it asks."""
    script = f"""
import numpy
from edge_runtime.engine import registry
from edge_runtime.process import lift_memory_limit
{before}
found = registry.find(["onnxruntime"])
lift_memory_limit()  # of a process that is measured for coverage more is asked at its end
print(found.unavailable["onnxruntime"])
"""
    line = [sys.executable, "-c", script]
    environment = {**os.environ, **environment}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip()


def test_the_bundle_may_be_closed_once_the_model_is_loaded(tmp_path: Path) -> None:
    path = doubling_regression(tmp_path / "double.edge")
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        session = _load(bundle)

    assert np.array_equal(session.run({"rows": ROWS})["value"], 2 * ROWS)


_LOADED_AND_TRIMMED = """
import ctypes, sys
import edge_runtime

def resident_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))

before = resident_mib()
model = edge_runtime.load(sys.argv[1], allow_unsigned=True)
loaded = resident_mib()
ctypes.CDLL(None).malloc_trim(0)
print(loaded - before, loaded - resident_mib())
"""


def test_what_loading_freed_is_given_back_to_the_system(tmp_path: Path) -> None:
    """Without that this forest leaves 27 MiB more behind than it needs."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 8)).astype(np.float32)
    forest = RandomForestClassifier(40, random_state=0).fit(rows, rng.integers(0, 3, 4000))
    bundle = converter.convert(forest, rows[:50], name="forest", version="1.0.0")
    path = bundle.save(tmp_path / "forest.edge")
    words = [sys.executable, "-c", _LOADED_AND_TRIMMED, str(path)]
    taken, left = map(
        float, subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    )
    assert taken > 10
    assert left < 3


_PEAK_BEYOND = """
import sys
import edge_runtime

def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

import onnxruntime
before = peak_mib()
model = edge_runtime.load(sys.argv[1], allow_unsigned=True)
print(peak_mib() - before, float(model.predict([[1.0] * 2000])[0][0]))
"""


def test_a_large_model_of_an_unpacked_bundle_is_read_by_path_and_needs_less(tmp_path: Path) -> None:
    """As bytes these 16 MB are copied once more, and the bytes are there beside it."""
    width = 2000
    weights = numpy_helper.from_array(np.eye(width, dtype=np.float32) * 3, "weights")
    node, ones = helper.make_node("MatMul", ["rows", "weights"], ["value"]), np.ones((1, width), "f")
    shape = ["n", width]
    path = write_bundle(
        tmp_path / "large.edge",
        graph([node], [("rows", FLOAT, shape)], [("value", FLOAT, shape)], [weights]),
        task="regression",
        declared=Input(name="rows", dtype="float32", shape=(None, width)),
        outputs=[Output(name="value", dtype="float32", shape=(None, width), meaning="value")],
        golden_input=ones,
        golden_outputs=[3 * ones],
    )
    folder = unpack(payloads(path.read_bytes()), tmp_path / "unpacked")

    def peak(bundle: Path) -> float:
        words = [sys.executable, "-c", _PEAK_BEYOND, str(bundle)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        beyond, value = map(float, done.stdout.split())
        assert value == 3
        return beyond

    assert peak(path) - peak(folder) > 8  # 12 or 19, as the allocator has it; 0 were it read as bytes


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_large_model_that_is_written_to_while_it_is_loaded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    folder = unpack(payloads(tiny_bundle()), tmp_path / "unpacked")
    monkeypatch.setattr(engine, "_LARGE_BYTES", 1)
    check_onnx = engine.check_onnx

    def checked(raw: bytes, subject: str) -> None:
        check_onnx(raw, subject)
        (folder / MODEL_FILE).write_bytes(raw if is_whole else raw[:-1])

    monkeypatch.setattr(engine, "check_onnx", checked)
    with (
        open_folder(folder, root=None, allow_unsigned=True) as bundle,
        pytest.raises(BundleError, match="was written to while it was used"),
    ):
        _load(bundle)
