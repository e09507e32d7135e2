"""From class scores to labels and probabilities, as scikit-learn reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from converter.lowering.registry import Scores
from converter.tracing.tensor import Tensor

Array = Any


def by_probability(probabilities: Array, decision: Array | None = None) -> Scores:
    """The most probable class of (n, k) probabilities; of equals the first."""
    return Scores(largest(probabilities), probabilities, decision)


def binary(likely: Array, is_second: Array, decision: Array | None = None) -> Scores:
    """Two classes: `likely` (n,) is the second's probability, `is_second` (n,) bool chooses."""
    probabilities = np.stack([1 - likely, likely], axis=1)
    return Scores(is_second.astype(np.int64), probabilities, decision)


def largest(scores: Array) -> Array:
    """Where each row of (n, k) is largest, int64 (n,); of equals the first.

    numpy's argmax also takes a NaN for the largest, which costs six more nodes; ONNX passes over it.
    """
    return _place("ArgMax", scores) if isinstance(scores, Tensor) else np.argmax(scores, axis=1)


def smallest(scores: Array) -> Array:
    """Where each row of (n, k) is smallest, int64 (n,); see `largest`."""
    return _place("ArgMin", scores) if isinstance(scores, Tensor) else np.argmin(scores, axis=1)


def _place(operator: str, scores: Tensor) -> Tensor:
    name = scores.graph.node(operator, scores.name, axis=1, keepdims=0)
    return Tensor(scores.graph, name, np.dtype(np.int64), scores.sizes[:1])


def several(members: Sequence[Scores]) -> Scores:
    """One answer a label, side by side: label (n, m), probabilities (n, m, k) where all have some.

    Labels with fewer classes than the most are filled up with classes of probability 0.
    """
    label = np.stack([member.label for member in members], axis=1)
    given = [member.probabilities for member in members if member.probabilities is not None]
    if len(given) < len(members):
        return Scores(label)
    width = max(int(p.shape[1]) for p in given)
    return Scores(label, np.stack([_filled(p, width) for p in given], axis=1))


def softmax(scores: Array) -> Array:
    """exp(s) / Σ exp(s) along the last axis, without overflow."""
    if isinstance(scores, Tensor):
        name = scores.graph.node("Softmax", scores.name, axis=-1)
        return Tensor(scores.graph, name, scores.dtype, scores.shape)
    raised = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return raised / np.sum(raised, axis=-1, keepdims=True)


def logistic(score: Array) -> Array:
    """1 / (1 + exp(-s)), without overflow; float32, the sums of trees, in one node.

    ONNX Runtime's Sigmoid is 0 where the function is still 1e-9: too coarse for what is divided later.
    """
    if isinstance(score, Tensor) and score.dtype == np.float32:
        name = score.graph.node("Sigmoid", score.name)
        return Tensor(score.graph, name, score.dtype, score.shape)
    return expit(score)


def _filled(probabilities: Array, width: int) -> Array:
    missing = width - int(probabilities.shape[1])
    if not missing:
        return probabilities
    nothing = np.zeros_like(probabilities[:, :1])
    return np.concatenate([probabilities, *[nothing] * missing], axis=1)
