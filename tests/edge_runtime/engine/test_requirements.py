"""What a variant requires of a device's software, and that what cannot be checked is refused."""

import platform
from importlib import metadata

import msgspec
import pytest

from edge_runtime.engine.requirements import demand_met, installed_here, why_not
from edge_runtime.errors import EngineError, UnavailableError
from tests.support.tiny_bundle import tiny_manifest

HERE = {"edge-runtime": "0.3.0", "onnxruntime": "1.18.1+cu12", "tensorrt": ""}


@pytest.mark.parametrize(
    "requires",
    [
        {},
        {"edge-runtime": ">=0.3"},
        {"edge-runtime": ">=0.3.0,<0.4", "onnxruntime": ">=1.9"},
        {"onnxruntime": ">=1.18.1"},
    ],
)
def test_what_is_installed_is_enough(requires: dict[str, str]) -> None:
    assert why_not(requires, HERE) == ""


@pytest.mark.parametrize(
    ("requires", "why"),
    [
        ({"edge-runtime": ">=0.3.1"}, "edge-runtime >=0.3.1, found 0.3.0"),
        ({"onnxruntime": ">=1.9,<1.18"}, "onnxruntime >=1.9,<1.18, found 1.18.1+cu12"),
        ({"onnxruntime": "<1.18.1"}, "onnxruntime <1.18.1, found 1.18.1+cu12"),
        ({"tensorrt": ">=10"}, "tensorrt >=10, which is not installed"),
    ],
)
def test_what_is_not_says_what_was_needed_and_found(requires: dict[str, str], why: str) -> None:
    assert why_not(requires, HERE) == why


@pytest.mark.parametrize("limits", ["", "1.18", "==1.18", ">=", ">=1.x", "<1 ,>=0", ">=1.2.3.4.5"])
def test_a_limit_that_cannot_be_read_is_not_passed_over(limits: str) -> None:
    assert why_not({"onnxruntime": limits}, HERE).endswith("no limit such as >=1.18 or >=1.18,<2")


def test_a_name_that_cannot_be_checked_is_refused() -> None:
    assert why_not({"memory": ">=1"}, HERE).startswith(
        "'memory', which this version of edge-runtime cannot"
    )


def test_a_bundle_is_refused_before_it_is_installed_where_no_variant_s_requirements_are_met() -> None:
    tiny = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
    (fp32,) = tiny.variants
    newer = msgspec.structs.replace(fp32, id="newer", requires={"onnxruntime": ">=99"})

    demand_met(msgspec.structs.replace(tiny, variants=(newer, fp32)), installed=lambda: HERE)
    with pytest.raises(EngineError, match=r"newer needs onnxruntime >=99, found 1\.18\.1.* Upgrade"):
        demand_met(msgspec.structs.replace(tiny, variants=(newer,)), installed=lambda: HERE)


def test_a_bundle_for_other_boards_is_refused_where_the_board_is_told() -> None:
    tiny = tiny_manifest("tiny", "1.0.0", 1, model_size=1, golden_count=1)
    (fp32,) = tiny.variants
    manifest = msgspec.structs.replace(tiny, variants=(msgspec.structs.replace(fp32, boards=("pi5",)),))

    demand_met(manifest)
    demand_met(manifest, board="pi5")
    with pytest.raises(UnavailableError, match=r"none: fp32 is made for pi5 \(this is pi4\)\."):
        demand_met(manifest, board="pi4")


def test_this_machine_has_what_the_package_needs() -> None:
    here = installed_here()

    assert sorted(here) == ["edge-runtime", "onnxruntime", "python", "tensorrt"]
    assert here["python"] == platform.python_version()
    assert here["onnxruntime"] == metadata.version("onnxruntime")

    assert why_not({"edge-runtime": ">=0.1", "onnxruntime": ">=1.18", "python": ">=3.10"}, here) == ""
