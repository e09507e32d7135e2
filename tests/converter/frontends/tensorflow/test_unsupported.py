"""What a frozen graph shows that no bundle can do: one sentence, before parity is tried."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedModelError
from tests.converter.frontends.tensorflow.models import ROWS, called, converted, kit

NUMBERS = np.random.default_rng(0).choice([10, 20, 30], (60, 1))


def network(**options: Any) -> Any:
    layers = kit().layers
    return kit().model((6,), layers.Dense(8, "relu", name="hidden", **options), layers.Dense(2))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_a_layer_of_16_bits_is_named_with_what_to_do(policy: str) -> None:
    found = policy.removeprefix("mixed_")
    what = rf"^layer 'hidden.*': expected numbers of float32, found {found}, as .* set_weights"
    with pytest.raises(UnsupportedModelError, match=what):
        converted(network(dtype=policy), ROWS)


def test_a_policy_for_the_whole_model_is_told_as_well() -> None:
    config = kit().keras.config
    config.set_dtype_policy("mixed_float16")
    try:
        model = network()
    finally:
        config.set_dtype_policy("float32")
    with pytest.raises(UnsupportedModelError, match="expected numbers of float32, found float16"):
        converted(model, ROWS)


def test_a_cast_inside_a_loop_is_found_too() -> None:
    layers = kit().layers
    recurrent = layers.GRU(3, dtype="mixed_float16", name="recurrent")
    model = kit().model((10, 4), recurrent, layers.Dense(2))
    with pytest.raises(UnsupportedModelError, match=r"layer 'recurrent.*found float16"):
        converted(model, np.zeros((20, 10, 4), np.float32))


def test_what_is_advised_converts() -> None:
    mixed, plain = network(dtype="mixed_float16"), network()
    plain.set_weights(mixed.get_weights())
    converted(plain, ROWS)
    np.testing.assert_allclose(called(plain, ROWS), called(mixed, ROWS), atol=0.01)


def lookup(kind: str, unknown: int, **options: Any) -> tuple[Any, np.ndarray]:
    """A model of a lookup layer, and values in its vocabulary."""
    layers = kit().layers
    if kind == "texts":
        layer = layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=unknown, name="codes")
        return kit().model((1,), layer, dtype="string"), np.array([["a"], ["b"]] * 10, dtype=object)
    layer = layers.IntegerLookup(
        vocabulary=[10, 20, 30], num_oov_indices=unknown, name="codes", **options
    )
    return kit().model((1,), layer, dtype="int64"), NUMBERS


@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_a_lookup_that_raises_an_error_for_what_it_does_not_know_is_named(kind: str) -> None:
    model, given = lookup(kind, 0)
    what = "^layer 'codes.*': expected a lookup .*num_oov_indices=0.* Build it with num_oov_indices=1"
    with pytest.raises(UnsupportedModelError, match=what):
        converted(model, given)


def test_a_savedmodel_with_such_a_lookup_is_told_as_well(tmp_path: Path) -> None:
    model, given = lookup("numbers", 0)
    model.export(tmp_path / "saved", verbose=False)
    with pytest.raises(UnsupportedModelError, match="with num_oov_indices=0"):
        converted(tmp_path / "saved", given)


@pytest.mark.parametrize("unknown", [1, 2, 5])
@pytest.mark.parametrize("mode", ["int", "one_hot"])
def test_lookups_of_numbers_with_places_for_the_unknown_convert(unknown: int, mode: str) -> None:
    """Several places are filled by the number's rest, of negative ones too."""
    model, given = lookup("numbers", unknown, output_mode=mode)
    strange = np.array([[-7], [-2], [-1], [0], [1], [11], [2**40 + 1]])
    converted(model, np.concatenate([given, strange]))
