"""What the cases of Keras are made with: models, and inputs drawn at random.

Keras is imported when a model is made: listing the cases costs nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Make = Callable[["Kit"], Any]
Draw = Callable[[np.random.Generator, int], Array]


@dataclass(frozen=True)
class Kit:
    """What a case builds with: Keras, its layers, and TensorFlow."""

    keras: Any
    tf: Any

    @property
    def layers(self) -> Any:
        return self.keras.layers

    def model(self, shape: Sequence[int | None], *layers: Any, dtype: str = "float32") -> Any:
        """A Sequential model of these layers."""
        return self.keras.Sequential([self.keras.Input(tuple(shape), dtype=dtype), *layers])


@dataclass(frozen=True)
class Case:
    """make: builds the model. draw: some of its inputs, n of them."""

    name: str
    make: Make
    draw: Draw


def numbers(*shape: int, low: float = -1.0, high: float = 1.0) -> Draw:
    def draw(random: np.random.Generator, count: int) -> Array:
        return random.uniform(low, high, (count, *shape)).astype(np.float32)

    return draw


def pixels(*shape: int) -> Draw:
    return numbers(*shape, low=0.0, high=255.0)


def whole(*shape: int, high: int, dtype: str = "int64") -> Draw:
    def draw(random: np.random.Generator, count: int) -> Array:
        return random.integers(0, high, (count, *shape)).astype(dtype)

    return draw


def words(*shape: int) -> Draw:
    def draw(random: np.random.Generator, count: int) -> Array:
        return random.choice(np.array(["red", "green", "blue", "pink"], object), (count, *shape))

    return draw


def padded(length: int, width: int) -> Draw:
    """Sequences that end early, in zeros."""

    def draw(random: np.random.Generator, count: int) -> Array:
        made = random.uniform(0.1, 1, (count, length, width)).astype(np.float32)
        made[np.arange(length) >= random.integers(1, length + 1, (count, 1))] = 0
        return made

    return draw


def sentences(random: np.random.Generator, count: int) -> Array:
    some = np.array(["The sensor is HOT!", "all quiet, here", "hot hot hot, again and again", "", "?!"])
    return random.choice(some.astype(object), (count, 1))


def seq(*shape: int | None, of: Callable[[Any], Any], dtype: str = "float32") -> Make:
    """A model of the layers that `of` makes of keras.layers."""

    def make(kit: Kit) -> Any:
        made = of(kit.layers)
        return kit.model(shape, *(made if isinstance(made, list) else [made]), dtype=dtype)

    return make


def self_attention(name: str, *, as_list: bool = False, **options: Any) -> Make:
    """A sequence that attends to itself. as_list: whether the layer is given a list."""

    def make(kit: Kit) -> Any:
        given = kit.keras.Input((7, 8))
        layer = getattr(kit.layers, name)(**options)
        return kit.keras.Model(given, layer([given, given]) if as_list else layer(given, given))

    return make


def adapted(name: str, data: Draw, dtype: str = "float32", **options: Any) -> Make:
    """A preprocessing layer that has seen data."""

    def make(kit: Kit) -> Any:
        layer = getattr(kit.layers, name)(**options)
        seen = data(np.random.default_rng(5), 64)
        layer.adapt(seen)
        return kit.model(seen.shape[1:], layer, dtype=dtype)

    return make


def randomized(model: Any, seed: int = 3) -> Any:
    """The model with every weight drawn at random, statistics of a normalization among them.

    Spread as a trained layer's are, so that numbers neither vanish nor explode on the way.
    """
    random = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if not np.issubdtype(np.dtype(variable.dtype), np.floating):
            continue
        if "variance" in variable.path:
            drawn = random.uniform(0.5, 1.5, shape)
        elif len(shape) > 1:
            drawn = random.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape)
        else:
            drawn = random.normal(1.0 if "gamma" in variable.path else 0.0, 0.1, shape)
        variable.assign(drawn.astype(variable.dtype))
    return model
