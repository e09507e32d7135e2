"""TextVectorization: its tokenizer is a step in front of the graph, everything behind is inside.

No standard operator splits a text, so the graph of a model that begins with TextVectorization reads
tokens: one row of `output_sequence_length` texts an input, filled up with "". What makes a text into
tokens is written into the manifest's steps. Tokens joined by a space are a text with these same tokens,
which is how the whole model, tokenizer included, is asked about them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.frontends.tensorflow.library import load
from edge_runtime.bundle.manifest import Step
from edge_runtime.errors import UnsupportedModelError

_STANDARDIZE = {
    None: "as it is",
    "lower": "in lower case (ASCII)",
    "strip_punctuation": "without ASCII punctuation",
    "lower_and_strip_punctuation": "in lower case (ASCII), without ASCII punctuation",
}


def vectorization(model: Any) -> Any:
    """The TextVectorization layer that a model begins with, else None.

    Raises UnsupportedModelError for one whose tokens cannot be told.
    """
    keras = load().keras
    if not isinstance(model, keras.Model):
        return None
    found = [
        each for each in model._flatten_layers() if isinstance(each, keras.layers.TextVectorization)
    ]
    if not found:
        return None
    layer = found[0]
    settings = layer.get_config()
    fits = (
        len(found) == 1
        and settings["standardize"] in _STANDARDIZE
        and settings["split"] == "whitespace"
        and settings["output_mode"] == "int"
        and settings["output_sequence_length"] is not None
        and settings["ngrams"] is None
        and not settings["ragged"]
    )
    if not fits:
        raise UnsupportedModelError(
            f"layer {layer.name!r} (TextVectorization): expected output_mode='int', "
            "output_sequence_length, split='whitespace', no ngrams and one of Keras' own "
            "standardizations, once in a model. Make the words into numbers before the model."
        )
    return layer


def length(model: Any) -> int | None:
    """How many tokens an input has; None for a model that reads no texts."""
    layer = vectorization(model)
    return None if layer is None else int(layer.get_config()["output_sequence_length"])


def tokens(model: Any, given: NDArray[Any]) -> NDArray[Any]:
    """Texts (n,) or (n, 1) as tokens (n, length), dtype object, by the layer's own tokenizer."""
    layer, tf = vectorization(model), load().tf
    column = tf.constant(given.reshape(len(given), 1).astype(str).astype(object))
    ragged = layer._preprocess(column)
    dense = ragged.to_tensor(default_value="", shape=(len(given), length(model))).numpy()
    found: NDArray[Any] = np.array([[token.decode() for token in row] for row in dense], dtype=object)
    return found


def joined(given: NDArray[Any]) -> NDArray[Any]:
    """Tokens (n, length) as the texts (n, 1) that have them."""
    rows = [[" ".join(token for token in row if token)] for row in given.tolist()]
    return np.array(rows, dtype=object)


def step(model: Any) -> tuple[Step, ...]:
    """What a device's caller has to do, for people to read; empty for a model that reads no texts."""
    if (layer := vectorization(model)) is None:
        return ()
    how = _STANDARDIZE[layer.get_config()["standardize"]]
    does = f"the text {how}, split at white space, cut to or filled up with '' to {length(model)} tokens"
    return (Step(name="TextVectorization", parameters={"before the graph": does}),)


@contextmanager
def from_tokens(model: Any) -> Iterator[None]:
    """With a TextVectorization that takes tokens in place of texts."""
    layer = vectorization(model)
    if layer is None:
        yield
        return
    layer.call = layer._lookup_layer.call
    try:
        yield
    finally:
        del layer.call
