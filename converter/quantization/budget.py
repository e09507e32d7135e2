"""What a quantized variant loses on held-out inputs, against the truth or, without it, the source."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.confidence import bootstrap_interval, paired_interval
from converter.source import Tensors
from edge_runtime.bundle.manifest import Accuracy

# Two values are one where they differ by rounding: what does not vary cannot be explained.
_ROUNDING = 1e-12


def lost(
    expected: Tensors,
    found: Tensors,
    truth: NDArray[Any] | None,
    allowed: float,
) -> Accuracy:
    """Compare a variant's answers with its source's.

    expected, found: the source model's and the variant's, of the same inputs, by output. truth: of
    labels indices into the classes, (n,) or (n, labels); of values numbers of their shape; None where it
    is not known. allowed: the budget, which is handed on.
    """
    if "label" in expected:
        return _of_labels(expected["label"], found["label"], truth, allowed)
    return _of_values(_values(expected), _values(found), truth, allowed)


def _of_labels(
    said: NDArray[np.int64], heard: NDArray[np.int64], truth: NDArray[Any] | None, allowed: float
) -> Accuracy:
    own, other = (_right(labels, said if truth is None else truth) for labels in (said, heard))
    low, high = paired_interval(own - other)
    return Accuracy(
        measure="agreement" if truth is None else "accuracy",
        inputs=len(said),
        source=float(own.mean()),
        found=float(other.mean()),
        drop=float((own - other).mean()),
        low=low,
        high=high,
        allowed=allowed,
    )


def _right(labels: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,): which are right; of several labels the share that is."""
    right: NDArray[np.float64] = (labels == truth).reshape(len(labels), -1).mean(axis=1)
    return right


def _values(tensors: Tensors) -> NDArray[np.float64]:
    """All outputs side by side, (n, values)."""
    return np.concatenate(
        [tensor.reshape(len(tensor), -1) for tensor in tensors.values()], axis=1, dtype=np.float64
    )


def _of_values(
    said: NDArray[np.float64],
    heard: NDArray[np.float64],
    truth: NDArray[Any] | None,
    allowed: float,
) -> Accuracy:
    count = len(said)
    known = said if truth is None else truth.reshape(count, -1).astype(np.float64)
    own, other = (np.square(known - values) for values in (said, heard))
    centred, scale = known - known.mean(axis=0), np.square(known).sum(axis=0)

    def explained(drawn: NDArray[np.float64], residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        total = drawn @ np.square(centred) - np.square(drawn @ centred) / count
        return _explained(drawn @ residuals, total, scale)

    once = np.ones((1, count))
    source, found = (float(explained(once, residuals)[0]) for residuals in (own, other))
    drop = source - found
    low, high = bootstrap_interval(lambda drawn: explained(drawn, own) - explained(drawn, other), count)
    return Accuracy(
        measure="fit" if truth is None else "r2",
        inputs=count,
        source=source,
        found=found,
        drop=drop,
        low=min(low, drop),
        high=max(high, drop),
        allowed=allowed,
    )


def _explained(
    residual: NDArray[np.float64], total: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """R², (resamples,), averaged over the values that vary; where none does 1 if all are met."""
    varies = total > _ROUNDING * scale
    share = np.where(varies, 1 - residual / np.where(varies, total, 1.0), 0.0)
    count = varies.sum(axis=1)
    is_met = (residual <= _ROUNDING * scale).all(axis=1)
    explained: NDArray[np.float64] = np.where(
        count > 0, share.sum(axis=1) / np.maximum(count, 1), is_met
    )
    return explained
