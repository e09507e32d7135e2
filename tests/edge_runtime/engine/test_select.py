"""Which variants may run, in the author's order: each by its board, its engine and what it requires."""

from collections.abc import Callable, Mapping

import msgspec
import pytest

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine.requirements import installed_here
from edge_runtime.engine.select import Unavailable, demand_one, why_passed_over
from edge_runtime.errors import UnavailableError
from tests.support.tiny_bundle import tiny_manifest

TINY = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
ONNX_RUNTIME: Unavailable = {"onnxruntime": ""}.get


def _may_run(
    manifest: Manifest,
    unavailable: Unavailable = ONNX_RUNTIME,
    *,
    board: str = "",
    installed: Callable[[], Mapping[str, str]] = installed_here,
) -> list[str]:
    return [
        each.id for each in manifest.variants if not why_passed_over(each, unavailable, board, installed)
    ]


def _with_tensorrt_first() -> Manifest:
    (fp32,) = TINY.variants
    fp16 = msgspec.structs.replace(fp32, id="fp16", engine="tensorrt")
    return msgspec.structs.replace(TINY, variants=(fp16, fp32))


def test_a_variant_whose_engine_is_here_may_run() -> None:
    engines = {"onnxruntime": "", "tensorrt": ""}
    assert _may_run(_with_tensorrt_first(), engines.get) == ["fp16", "fp32"]


@pytest.mark.parametrize("engines", [{"onnxruntime": "", "tensorrt": "no GPU"}, {"onnxruntime": ""}])
def test_one_whose_engine_cannot_be_used_or_is_not_known_is_passed_over(engines: dict[str, str]) -> None:
    assert _may_run(_with_tensorrt_first(), engines.get) == ["fp32"]


def test_no_engine_is_asked_for_that_is_not_reached() -> None:
    (fp32,) = TINY.variants
    elsewhere = msgspec.structs.replace(fp32, id="elsewhere", engine="theirs", boards=("pi5",))
    last = msgspec.structs.replace(fp32, id="last", engine="tensorrt")
    manifest = msgspec.structs.replace(TINY, variants=(elsewhere, fp32, last))
    asked: list[str] = []

    def unavailable(name: str) -> str:
        asked.append(name)
        return ""

    demand_one(manifest, unavailable, "pi4")
    assert asked == ["onnxruntime"]


def test_when_none_may_run_the_error_says_why_of_each() -> None:
    with pytest.raises(UnavailableError) as caught:
        demand_one(_with_tensorrt_first(), {"onnxruntime": "not installed"}.get, "")

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
    assert _may_run(_for_boards("pi5", "pi4"), board="pi4") == ["int8", "fp32"]
    assert _may_run(_for_boards("pi5"), board="pi4") == ["fp32"]
    assert _may_run(_for_boards("pi5")) == ["int8", "fp32"]


def test_where_no_variant_is_for_this_board_the_error_says_so() -> None:
    (int8, _) = _for_boards("pi5", "orin-nano").variants
    manifest = msgspec.structs.replace(TINY, variants=(int8,))

    with pytest.raises(UnavailableError, match=r"int8 is made for pi5, orin-nano \(this is pi4\)\."):
        demand_one(manifest, ONNX_RUNTIME, "pi4")


def test_a_variant_that_requires_newer_software_is_passed_over() -> None:
    (fp32,) = TINY.variants
    newer = msgspec.structs.replace(fp32, id="newer", requires={"onnxruntime": ">=99"})

    assert _may_run(msgspec.structs.replace(TINY, variants=(newer, fp32))) == ["fp32"]
    with pytest.raises(UnavailableError, match=r"newer needs onnxruntime >=99, found \d"):
        demand_one(msgspec.structs.replace(TINY, variants=(newer,)), ONNX_RUNTIME, "")


def test_what_is_installed_is_looked_at_only_where_something_is_required() -> None:
    def installed() -> dict[str, str]:
        raise AssertionError("it was looked at")

    assert _may_run(TINY, installed=installed) == ["fp32"]
