"""The real TensorRT-RTX takes the flavour that was made for it, and not the other."""

from dataclasses import replace

import pytest

from converter.backends.tensorrt import Trial, try_builds, why_unavailable
from converter.quantization.flavours import FLAVOURS
from edge_runtime.bundle.manifest import Profile
from tests.converter.quantization.networks import NETWORKS, images, made_of


def built(raw: bytes, *capabilities: str) -> tuple[Trial, ...]:
    assert why_unavailable() == ""
    return try_builds(raw, Profile(min_rows=1, opt_rows=1, max_rows=64), capabilities)


@pytest.mark.parametrize("network", NETWORKS)
def test_plans_of_int8_are_built(network: str) -> None:
    trials = built(made_of(NETWORKS[network](), "int8"), "8.6", "12.0")
    assert [(trial.capability, trial.why) for trial in trials] == [("8.6", ""), ("12.0", "")]


def test_its_parser_refuses_activations_that_are_not_around_0() -> None:
    (trial,) = built(made_of(images(), "uint8"), "8.6")
    assert "Non-zero zero point is not supported" in trial.why


def test_its_parser_refuses_biases_of_int32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FLAVOURS, "int8", replace(FLAVOURS["int8"], rounds_bias=True))
    (trial,) = built(made_of(images(), "int8"), "8.6")
    assert "input has type Int32" in trial.why
