"""Plans and engines for TensorRT in a bundle: code for a GPU that no bundle may bring.

A device builds its plans itself, from ONNX. A variant for TensorRT is never loaded by another engine.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from edge_runtime.errors import EngineError, ManifestError, UnavailableError
from tests.hostile.building import GOOD, Files, loading_changed, loading_model, opening_changed
from tests.hostile.case import Case
from tests.support.tiny_bundle import MODEL_FILE

GROUP = "TensorRT plans"
PROFILE = {"min_rows": 1, "opt_rows": 1, "max_rows": 8}
# How a serialized plan begins; what follows does not matter to whoever takes it by its beginning.
PLAN = b"ftrt" + bytes(200)


def _for_tensorrt(**more: Any) -> Callable[[dict[str, Any], Files], None]:
    def change(value: dict[str, Any], files: Files) -> None:
        value["variants"][0] |= {"engine": "tensorrt", "profile": PROFILE, **more}
        files[value["variants"][0]["file"]] = PLAN

    return change


def _second_is_a_plan(value: dict[str, Any], files: Files) -> None:
    """The plan comes first, and an ordinary variant, whose file is a plan as well, second."""
    value["variants"].append(value["variants"][0] | {"id": "plain"})
    _for_tensorrt()(value, files)


def _host_is_a_plan(value: dict[str, Any], files: Files) -> None:
    value["variants"][0]["host"] = "variants/fp32/host.onnx"
    files["variants/fp32/host.onnx"] = PLAN


_case = partial(Case, GROUP, error=EngineError)
NOT_ONNX = ("engine.onnx_file.check_onnx: not made by this converter",)
PROFILES = "bundle.consistency._of_profiles: "
CASES = (
    _case(
        "a plan as the only variant",
        loading_changed(_for_tensorrt()),
        ("engine.select.demand_one: found none",),
        r"found none: fp32 needs tensorrt \(",
        error=UnavailableError,
    ),
    _case(
        "a plan in place of the ONNX file",
        loading_model(PLAN),
        NOT_ONNX,
        "expected an ONNX file, found",
    ),
    _case(
        "a plan that both engines would load",
        loading_changed(_second_is_a_plan),
        NOT_ONNX,
        "expected an ONNX file, found",
    ),
    _case(
        "a plan behind a model",
        loading_model(GOOD[MODEL_FILE] + PLAN),
        NOT_ONNX,
        "expected an? .*ONNX file, found",
    ),
    _case(
        "a part for the host without TensorRT",
        opening_changed(_host_is_a_plan),
        (PROFILES + "a file for the host is for tensorrt only",),
        "a file for the host is for tensorrt only",
        error=ManifestError,
    ),
    _case(
        "a variant for TensorRT without a profile",
        opening_changed(_for_tensorrt(profile=None)),
        (PROFILES + "and it needs one",),
        "an optimization profile is for tensorrt, and it needs one",
        error=ManifestError,
    ),
    _case(
        "a profile of no rows",
        opening_changed(_for_tensorrt(profile=PROFILE | {"min_rows": 0})),
        (PROFILES + "whose rows do not ascend",),
        "rows do not ascend from 1",
        error=ManifestError,
    ),
)
