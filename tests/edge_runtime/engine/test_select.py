"""Which variant runs: the author's first that can."""

import msgspec
import pytest

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine.select import choose
from edge_runtime.errors import EngineError
from tests.support.tiny_bundle import tiny_manifest

TINY = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)


def _with_tensorrt_first() -> Manifest:
    (fp32,) = TINY.variants
    fp16 = msgspec.structs.replace(fp32, id="fp16", engine="tensorrt")
    return msgspec.structs.replace(TINY, variants=(fp16, fp32))


def test_the_first_variant_is_preferred() -> None:
    assert choose(_with_tensorrt_first(), {"onnxruntime": "", "tensorrt": ""}).id == "fp16"


def test_a_variant_whose_engine_is_missing_is_passed_over() -> None:
    assert choose(_with_tensorrt_first(), {"onnxruntime": "", "tensorrt": "no GPU"}).id == "fp32"


def test_an_engine_this_version_does_not_know_is_missing() -> None:
    assert choose(_with_tensorrt_first(), {"onnxruntime": ""}).id == "fp32"


def test_when_none_runs_the_error_says_why_of_each() -> None:
    with pytest.raises(EngineError) as caught:
        choose(_with_tensorrt_first(), {"onnxruntime": "not installed"})

    assert str(caught.value) == (
        "tiny 1.0.0: expected a variant that runs on this machine, found none: fp16 needs tensorrt "
        "(this version of edge-runtime does not know it); fp32 needs onnxruntime (not installed)."
    )
