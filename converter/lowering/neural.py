"""Multi-layer perceptrons: layer after layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.neural_network import MLPClassifier, MLPRegressor

from converter.lowering.labels import binary, largest, softmax
from converter.lowering.registry import Array, Scores, classifies, regresses

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "exp": np.exp,
    "logistic": expit,
    "relu": lambda x: np.maximum(x, 0.0),
    "softmax": softmax,
    "tanh": np.tanh,
}


@regresses(MLPRegressor)
def mlp_regressor(model: MLPRegressor, x: Array) -> Array:
    """(n,) of one target, (n, m) of several."""
    found = _ACTIVATIONS[model.out_activation_](_last_layer(model, x))
    return found[:, 0] if model.n_outputs_ == 1 else found


@classifies(MLPClassifier)
def mlp_classifier(model: MLPClassifier, x: Array) -> Scores:
    """Of one output its sign, of several the highest; of several labels each that is above ½."""
    raw = _last_layer(model, x)
    likely = _ACTIVATIONS[model.out_activation_](raw)
    # A logistic output is above ½ where what goes in is above 0, and its order is theirs.
    if model._label_binarizer.y_type_.startswith("multilabel"):
        return Scores((raw > 0).astype(np.int64), np.stack([1 - likely, likely], axis=2))
    if model.n_outputs_ > 1:
        return Scores(largest(raw), likely)
    found = binary(likely[:, 0], raw[:, 0] > 0)
    if len(model.classes_) == 1:  # two columns, but only one class to name
        return Scores(np.zeros_like(found.label), found.probabilities)
    return found


def _last_layer(model: Any, x: Array) -> Array:
    """What goes into the output's activation; (n, outputs)."""
    activate = _ACTIVATIONS[model.activation]
    last = len(model.coefs_) - 1
    for layer, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        x = x @ np.asarray(weights, dtype=np.float64) + np.asarray(bias, dtype=np.float64)
        if layer < last:
            x = activate(x)
    return x
