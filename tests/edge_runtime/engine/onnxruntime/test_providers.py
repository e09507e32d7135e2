"""A model through a provider: the one that is asked for and no other; what it leaves over is told."""

import json
import os
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest

from edge_runtime.bundle import Bundle
from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine, OnnxRuntimeSession
from edge_runtime.engine.onnxruntime.providers import PROVIDERS, copies_inputs, left_over, session_with
from edge_runtime.errors import ConfigError, EngineError, UnavailableError
from tests.edge_runtime.engine.onnxruntime.plugins import GIVES, OPENVINO, Install
from tests.support.tiny_bundle import TinyModel, golden_windows


def _load(bundle: Bundle, provider: str) -> OnnxRuntimeSession:
    return OnnxRuntimeEngine().load(bundle, bundle.manifest.variants[0], threads=1, provider=provider)


def test_the_processor_has_a_name_and_needs_none(tiny: Bundle) -> None:
    named, unnamed = (_load(tiny, name).run({"windows": golden_windows()}) for name in ("cpu", ""))

    assert np.array_equal(named["probabilities"], unnamed["probabilities"])


def test_a_name_that_no_provider_has_is_refused(tiny: Bundle) -> None:
    with pytest.raises(ConfigError, match=r"expected one of cpu, .*openvino, xnnpack; found 'gpu'"):
        _load(tiny, "gpu")


@pytest.mark.parametrize("name", ["cuda", "tensorrt", "tensorrt-rtx", "openvino", "xnnpack"])
def test_one_that_is_not_here_is_said_to_be_missing_and_nothing_else_runs(
    tiny: Bundle, name: str
) -> None:
    brings = "" if name == "xnnpack" else r" \(the package onnxruntime-\S+ brings it\)"
    with pytest.raises(
        UnavailableError,
        match=rf"tiny 1\.0\.0, .*: cannot be run by onnxruntime's provider {name}: "
        rf"this machine does not have it{brings}; it needs .+\.$",
    ):
        _load(tiny, name)


def test_one_that_is_broken_says_why_and_the_processor_goes_on(tiny: Bundle, install: Install) -> None:
    install(OPENVINO, GIVES.format("/nowhere.so"))

    with pytest.raises(
        UnavailableError, match=r"/nowhere\.so: cannot open shared object file"
    ) as caught:
        _load(tiny, "openvino")
    assert "\n" not in str(caught.value)
    assert _load(tiny, "").row is not None


def test_nvidias_libraries_are_told_to_keep_float32_unless_somebody_has_told_them(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    for name, told in (("openvino", None), ("cuda", "0")):
        with pytest.raises(UnavailableError):
            _load(tiny, name)
        assert os.environ.get("NVIDIA_TF32_OVERRIDE") == told


# Names and values of https://onnxruntime.ai/docs/execution-providers/, for 3 threads.
_AS_PLUGIN = {
    "tensorrt": {},
    "tensorrt-rtx": {},
    "cuda": {"use_tf32": "0"},
    "openvino": {
        "load_config": {
            "CPU": {
                "INFERENCE_PRECISION_HINT": "f32",
                "EXECUTION_MODE_HINT": "ACCURACY",
                "INFERENCE_NUM_THREADS": "3",
                "NUM_STREAMS": "1",
            }
        }
    },
    "xnnpack": {"intra_op_num_threads": "3"},
}
_BUILT_IN = {
    "tensorrt": {
        "trt_engine_cache_enable": "0",
        "trt_timing_cache_enable": "0",
        "trt_fp16_enable": "0",
    },
    "tensorrt-rtx": {},
    "cuda": {},
    "openvino": {"device_type": "CPU"},
    "xnnpack": {},
}


def _stand_in(name: str, theirs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have another provider of ONNX Runtime's, which is here, told what this one is told."""
    changed = msgspec.structs.replace(PROVIDERS[name], theirs=theirs, plugin="", copies=False)
    monkeypatch.setitem(PROVIDERS, name, changed)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_plugins_device_is_told_to_keep_float32_and_the_threads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back from ONNX Runtime's session options."""
    _stand_in(name, "CPUExecutionProvider", monkeypatch)
    options = onnxruntime.SessionOptions()

    session = session_with(name, TinyModel().graph(), options, 3)

    assert session.get_providers() == ["CPUExecutionProvider"]
    for option, value in _AS_PLUGIN[name].items():
        told = options.get_session_config_entry(f"ep.cpuexecutionprovider.{option}")
        assert (json.loads(told) if isinstance(value, dict) else told) == value


@pytest.mark.parametrize("name", PROVIDERS)
def test_one_that_is_built_in_is_told_the_same_and_what_only_such_a_one_knows(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime does not give these back, so what it is given is looked at on the way."""
    given: dict[str, dict[str, Any]] = {}

    class Listening(onnxruntime.InferenceSession):
        def __init__(self, model: bytes, options: Any, *, providers: Any, enable_fallback: int) -> None:
            given.update({"then": providers[1:], "options": providers[0][1]})
            super().__init__(model, options, providers=providers, enable_fallback=enable_fallback)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Listening)
    _stand_in(name, "AzureExecutionProvider", monkeypatch)

    session_with(name, TinyModel().graph(), onnxruntime.SessionOptions(), 3)

    told = dict(given["options"])
    if "load_config" in told:
        told["load_config"] = json.loads(told["load_config"])
    assert told == _AS_PLUGIN[name] | _BUILT_IN[name]
    assert given["then"] == ["CPUExecutionProvider"]


@pytest.mark.parametrize(("name", "threads"), [("xnnpack", 1), ("openvino", 4)])
def test_xnnpack_has_its_own_threads_and_the_session_none_beside_it(
    name: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(name, "CPUExecutionProvider", monkeypatch)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 4

    session_with(name, TinyModel().graph(), options, 4)

    assert options.intra_op_num_threads == threads


@pytest.mark.parametrize("name", PROVIDERS)
def test_inputs_are_copied_for_those_with_a_memory_of_their_own(name: str) -> None:
    """Of those that came as a plug-in it is shown where one is: tests/end_to_end/test_openvino.py."""
    assert copies_inputs(name) == (name in ("cuda", "tensorrt", "tensorrt-rtx"))


def test_one_that_takes_nothing_of_a_graph_is_no_way_to_run_it() -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    model = TinyModel().graph()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    if hasattr(session, "get_provider_graph_assignment_info"):
        with pytest.raises(UnavailableError, match="it takes no part of this graph"):
            left_over("openvino", session)
    else:  # before 1.24 it cannot tell
        assert left_over("openvino", session) == ()


@pytest.mark.parametrize(("copies", "at"), [(True, 5), (False, 0)])
def test_where_inputs_are_copied_when_they_are_bound_each_run_binds_them_anew(
    tiny: Bundle, copies: bool, at: int
) -> None:
    """Shown without a second memory: another buffer under the same name is seen by a run that binds."""
    model, manifest = TinyModel(), tiny.manifest
    session = onnxruntime.InferenceSession(model.graph(), providers=["CPUExecutionProvider"])
    row = OnnxRuntimeSession(session, manifest.inputs, manifest.outputs, "tiny", copies=copies).row
    assert row is not None
    row.inputs[0][...] = golden_windows()[0]
    row._named = {"windows": golden_windows()[5:6].copy()}

    row.run()

    _, probabilities = model(golden_windows())
    assert np.allclose(row.outputs[1], probabilities[at], atol=1e-6)
    row.close()
    with pytest.raises(EngineError, match="the model was closed"):
        row.run()
