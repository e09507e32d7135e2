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
    assert choose(_with_tensorrt_first(), {"onnxruntime": "", "tensorrt": ""}.get).id == "fp16"


def test_a_variant_whose_engine_is_missing_is_passed_over() -> None:
    assert choose(_with_tensorrt_first(), {"onnxruntime": "", "tensorrt": "no GPU"}.get).id == "fp32"


def test_an_engine_this_version_does_not_know_is_missing() -> None:
    assert choose(_with_tensorrt_first(), {"onnxruntime": ""}.get).id == "fp32"


def test_no_engine_is_asked_for_that_is_not_reached() -> None:
    (fp32,) = TINY.variants
    elsewhere = msgspec.structs.replace(fp32, id="elsewhere", engine="theirs", boards=("pi5",))
    last = msgspec.structs.replace(fp32, id="last", engine="tensorrt")
    manifest = msgspec.structs.replace(TINY, variants=(elsewhere, fp32, last))
    asked: list[str] = []

    def unavailable(name: str) -> str:
        asked.append(name)
        return ""

    assert choose(manifest, unavailable, board="pi4").id == "fp32"
    assert asked == ["onnxruntime"]


def test_when_none_runs_the_error_says_why_of_each() -> None:
    with pytest.raises(EngineError) as caught:
        choose(_with_tensorrt_first(), {"onnxruntime": "not installed"}.get)

    assert str(caught.value) == (
        "tiny 1.0.0: expected a variant that runs on this machine, found none: fp16 needs tensorrt "
        "(nothing here brings it: install its package, or a newer edge-runtime); fp32 needs onnxruntime "
        "(not installed)."
    )


def _for_boards(*boards: str) -> Manifest:
    """A variant for these boards, before one for all."""
    (fp32,) = TINY.variants
    int8 = msgspec.structs.replace(fp32, id="int8", boards=boards)
    return msgspec.structs.replace(TINY, variants=(int8, fp32))


def test_a_variant_for_other_boards_is_passed_over_where_the_board_is_known() -> None:
    assert choose(_for_boards("pi5", "pi4"), {"onnxruntime": ""}.get, board="pi4").id == "int8"
    assert choose(_for_boards("pi5"), {"onnxruntime": ""}.get, board="pi4").id == "fp32"
    assert choose(_for_boards("pi5"), {"onnxruntime": ""}.get).id == "int8"


def test_where_no_variant_is_for_this_board_the_error_says_so() -> None:
    (int8, _) = _for_boards("pi5", "orin-nano").variants
    manifest = msgspec.structs.replace(TINY, variants=(int8,))

    with pytest.raises(EngineError, match=r"int8 is made for pi5, orin-nano \(this is pi4\)\."):
        choose(manifest, {"onnxruntime": ""}.get, board="pi4")


def test_a_variant_that_requires_newer_software_is_passed_over() -> None:
    (fp32,) = TINY.variants
    newer = msgspec.structs.replace(fp32, id="newer", requires={"onnxruntime": ">=99"})

    both = msgspec.structs.replace(TINY, variants=(newer, fp32))
    assert choose(both, {"onnxruntime": ""}.get).id == "fp32"
    with pytest.raises(EngineError, match=r"newer needs onnxruntime >=99, found \d"):
        choose(msgspec.structs.replace(TINY, variants=(newer,)), {"onnxruntime": ""}.get)


def test_what_is_installed_is_looked_at_only_where_something_is_required() -> None:
    def installed() -> dict[str, str]:
        raise AssertionError("it was looked at")

    assert choose(TINY, {"onnxruntime": ""}.get, installed=installed).id == "fp32"
