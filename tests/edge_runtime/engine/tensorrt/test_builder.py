"""What TensorRT is told, read back from the real network, configuration and profile of TensorRT-RTX.

A plan cannot be looked into without a GPU: deserialising it needs one. What goes into it can.
"""

from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle import Bundle
from edge_runtime.bundle.manifest import Profile
from edge_runtime.engine.tensorrt import builder, library, plans
from edge_runtime.engine.tensorrt.cache import PlanCache
from tests.edge_runtime.engine.tensorrt.graphs import matmul, request
from tests.edge_runtime.engine.tensorrt.models import engine_in, forest, onnx_of, variant_of
from tests.edge_runtime.engine.tensorrt.simulated_gpu import machine

# As they are written down, and not as the code has them: a line that is changed there is to show here.
FLAGS = ("-TF32", "+STRICT_NANS")
PROFILE = Profile(min_rows=1, opt_rows=4, max_rows=64)


@pytest.fixture
def trt() -> Any:
    """The real library."""
    return library.imported(library.installed()[0])


@pytest.fixture
def told(trt: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the real builder is given from now on: creation flags, profile, network, changed settings."""
    seen: dict[str, Any] = {}

    class Listening(trt.Builder):  # type: ignore[misc]
        def create_network(self, flags: int) -> Any:
            seen["creation"] = flags
            return super().create_network(flags)

        def create_optimization_profile(self) -> Any:
            seen["profile"] = super().create_optimization_profile()
            return seen["profile"]

        def build_serialized_network(self, network: Any, config: Any) -> Any:
            untouched = _settings(trt, super().create_builder_config())
            seen["changed"] = {
                name: value for name, value in _settings(trt, config).items() if value != untouched[name]
            }
            seen["network"] = network
            return super().build_serialized_network(network, config)

    monkeypatch.setattr(trt, "Builder", Listening)
    return seen


def _settings(trt: Any, config: Any) -> dict[str, Any]:
    """Everything that can be read of a configuration."""
    kind = type(config)
    names = [name for name in dir(kind) if isinstance(getattr(kind, name), property)]
    return {
        **{name: getattr(config, name) for name in names if name != "flags"},
        **{name: config.get_flag(flag) for name, flag in trt.BuilderFlag.__members__.items()},
        **{
            name: config.get_memory_pool_limit(pool)
            for name, pool in trt.MemoryPoolType.__members__.items()
        },
        **{
            name: config.get_preview_feature(feature)
            for name, feature in trt.PreviewFeature.__members__.items()
        },
        "tactics": config.get_tactic_sources(),
        "capabilities": [
            config.get_compute_capability(at) for at in range(config.num_compute_capabilities)
        ],
    }


def _build(**changes: Any) -> None:
    builder.build(matmul(), request(**({"flags": FLAGS, "profile": PROFILE} | changes)))


def test_these_settings_are_changed_and_no_others(trt: Any, told: dict[str, Any]) -> None:
    _build(capability="8.9")

    assert type(told["changed"].pop("progress_monitor")).__name__ == "Monitor"
    assert told["changed"] == {
        "TF32": False,
        "STRICT_NANS": True,
        "num_compute_capabilities": 1,
        "capabilities": [trt.ComputeCapability.SM89],
        "num_optimization_profiles": 1,
    }


def test_a_profile_says_how_many_rows_there_are_at_least_mostly_and_at_most(
    told: dict[str, Any],
) -> None:
    _build(profile=Profile(min_rows=1, opt_rows=16, max_rows=512))

    assert told["profile"].get_shape("x") == [(1, 8), (16, 8), (512, 8)]


def test_a_graph_without_an_open_batch_is_given_no_profile(told: dict[str, Any]) -> None:
    builder.build(matmul(shape=(3, 8)), request())

    assert "num_optimization_profiles" not in told["changed"]


def test_the_graph_says_in_which_numbers_it_is_computed(trt: Any, told: dict[str, Any]) -> None:
    """TensorRT-RTX types every network strongly, told or not, so what it is told counts as well."""
    _build()

    strongly = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    assert told["creation"] == 1 << int(strongly)
    assert told["network"].get_flag(strongly)


class _Of10(IntEnum):
    """As TensorRT 10 numbers them; TensorRT-RTX has the second alone, as 0."""

    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1


class _OfNone(IntEnum):
    ANOTHER = 0


def test_strong_typing_is_the_bit_that_a_version_gives_it_and_none_where_there_is_no_flag() -> None:
    assert builder._bit(_Of10, "STRONGLY_TYPED") == 0b10
    assert builder._bit(_OfNone, "STRONGLY_TYPED") == 0


def test_the_key_of_a_plan_names_these_flags(bundle: Bundle) -> None:
    assert plans._key(bundle, variant_of(bundle), machine()).flags == FLAGS


def test_an_engines_plan_is_the_one_that_these_settings_give(bundle: Bundle, tmp_path: Path) -> None:
    """Byte for byte; each of them but STRICT_NANS makes another plan of this graph."""
    variant, here = variant_of(bundle), machine()
    engine_in(tmp_path).prepare(bundle, variant)
    kept = PlanCache(tmp_path / "plans").read(plans._key(bundle, variant, here)).plan
    assert kept is not None

    def built(**changes: Any) -> bytes:
        assert variant.profile is not None
        given = {"flags": FLAGS, "profile": variant.profile, "capability": "8.6"}
        return bytes(builder.build(onnx_of(forest()), request(**(given | changes))))

    assert built() == kept
    for other in (
        {"flags": ("+STRICT_NANS",)},
        {"profile": PROFILE},
        {"capability": "8.9"},
    ):
        assert built(**other) != kept, other
