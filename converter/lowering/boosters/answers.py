"""What a boosting library answers when its trees' leaves are added up."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from converter.lowering.labels import binary, largest, logistic, softmax
from converter.lowering.registry import Array, Scores
from converter.lowering.trees import Forest

Link = Literal["identity", "logistic", "softmax", "exp", "hinge", "signed-square", "softplus"]


@dataclass(frozen=True)
class Answers:
    """Called with the sum of the leaves, (n, outputs): a regressor's values, else `Scores`.

    link: what turns a raw score into the prediction or into the probability of a class.
    slope: what a raw score is multiplied with before "logistic".
    cut: of two classes with one score the label is the second where the raw score is above it.
    decisions: by what the source's `decision_function` differs from the raw score; None: has none.
    """

    link: Link
    is_classifier: bool
    slope: float = 1.0
    cut: float = 0.0
    decisions: float | None = None

    def __call__(self, raw: Array) -> Array | Scores:
        linked = self._linked(raw)
        if not self.is_classifier:
            return linked[:, 0] if linked.shape[1] == 1 else linked
        if linked.shape[1] > 1:
            return Scores(largest(raw), linked, self._decision(raw))
        score = raw[:, 0]
        return binary(linked[:, 0], score > self.cut, self._decision(score))

    def _decision(self, raw: Array) -> Array | None:
        return None if self.decisions is None else self.decisions * raw

    def _linked(self, raw: Array) -> Array:
        if self.link == "logistic":
            return logistic(raw if self.slope == 1 else self.slope * raw)
        if self.link == "softmax":
            return softmax(raw)
        if self.link == "exp":
            return np.exp(raw)
        if self.link == "hinge":
            return (raw > 0).astype(np.float32)
        if self.link == "signed-square":
            return np.sign(raw) * raw * raw
        if self.link == "softplus":
            return np.maximum(raw, 0) + np.log1p(np.exp(-np.abs(raw)))  # log(1 + exp(raw))
        return raw


def with_start(forest: Forest, start: NDArray[np.float64]) -> Forest:
    """Add the start (outputs,) to the leaves of the first tree, so that the sum is rounded only once."""
    values = np.where((forest.tree == 0)[:, None], forest.values + start, forest.values)
    return replace(forest, values=values)
