"""A model of three inputs, and what the tests of such models call it on."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.converter.frontends.tensorflow.kit import randomized
from tests.converter.frontends.tensorflow.models import kit

RANDOM = np.random.default_rng(7)
# Names that a graph of ours might have for something else, and one that a bundle's output has.
GIVEN: dict[str, NDArray[Any]] = {
    "add_1": RANDOM.normal(size=(40, 3)).astype(np.float32),
    "value": RANDOM.normal(size=(40, 4, 2)).astype(np.float32),
    "place": RANDOM.integers(0, 5, (40, 1)),
}
Outputs = Callable[[Any, Any], Any]


def of_two(layers: Any, x: Any) -> Any:
    return [layers.Dense(2, name="add")(x), layers.Reshape((3, 2), name="map")(layers.Dense(6)(x))]


def of_classes(layers: Any, x: Any) -> Any:
    return {"kind": layers.Dense(3, "softmax")(x), "on": layers.Dense(1, "sigmoid")(x)}


def three_inputs(outputs: Outputs = of_two, *, as_dict: bool = False) -> Any:
    """Two arrays of floats and places in a table, joined; the outputs are made of six features."""
    keras, layers = kit().keras, kit().layers
    ins = [keras.Input((3,), name="add_1"), keras.Input((4, 2), name="value"),
           keras.Input((1,), name="place", dtype="int64")]  # fmt: skip
    parts = [ins[0], layers.Flatten()(ins[1]), layers.Flatten()(layers.Embedding(5, 2)(ins[2]))]
    x = layers.Dense(6, "tanh")(layers.Concatenate()(parts))
    given = dict(zip(GIVEN, ins, strict=True)) if as_dict else ins
    return randomized(keras.Model(given, outputs(layers, x)))


def said(model: Any) -> list[NDArray[Any]]:
    """What the model itself says of GIVEN, output by output."""
    given = GIVEN if isinstance(model._inputs_struct, dict) else list(GIVEN.values())
    return [np.asarray(each) for each in kit().keras.tree.flatten(model(given, training=False))]
