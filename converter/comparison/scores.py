"""Scores of candidates on the very same inputs, and how far two of them are apart."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from converter import evaluate
from converter.comparison.choice import Difference
from converter.comparison.metrics import Metric
from converter.confidence import Statistic, bootstrap_interval, paired_interval
from converter.source import Tensors
from edge_runtime.bundle.scores import wilson_interval
from edge_runtime.errors import InputError

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """What one candidate scores.

    statistic: maps weights (n, inputs), how often each input counts, to n scores. right: of accuracy,
        the share of each input's labels that are right, (inputs,); else None.
    """

    metric: Metric
    inputs: int
    statistic: Statistic
    right: Numbers | None = None

    @property
    def value(self) -> float:
        return float(self.statistic(np.ones((1, self.inputs)))[0])

    @property
    def worth(self) -> float:
        """The value, turned so that more is better."""
        return self.value if self.metric.higher_is_better else -self.value

    def interval(self) -> tuple[float, float]:
        """95 %: Wilson's of an accuracy, else the percentiles of a bootstrap."""
        if self.right is not None:
            return wilson_interval(self.value, self.inputs)
        return bootstrap_interval(self.statistic, self.inputs)

    def ahead_of(self, other: "Score") -> Difference:
        """By how much this one is better than `other`, and the paired 95 % interval of that."""
        by = self.worth - other.worth
        if self.right is not None and other.right is not None:
            return Difference(by, *paired_interval(self.right - other.right))

        def apart(weights: Numbers) -> Numbers:
            found = self.statistic(weights) - other.statistic(weights)
            return found if self.metric.higher_is_better else -found

        return Difference(by, *bootstrap_interval(apart, self.inputs))


def scored(metric: Metric, truth: NDArray[np.generic], found: Tensors) -> Score:
    """The score of a variant's answers, by output name, to inputs whose truth is known.

    truth: indices into the variant's own classes, (inputs,) or (inputs, labels); of a regression values.
    Raises InputError where this metric is not defined for them.
    """
    if metric.task == "regression":
        rows = len(truth)
        said = evaluate.values_of(found).reshape(rows, -1).astype(float)
        known = truth.reshape(rows, -1).astype(float)
        return Score(metric, rows, _OF_VALUES[metric.name](known, said))
    if metric.name == "accuracy":
        right = (truth == found["label"]).reshape(len(truth), -1).mean(axis=1)
        return Score(metric, len(truth), _mean(right), right)
    places = truth.astype(np.int64)
    if metric.name == "f1":
        return Score(metric, len(truth), _macro_f1(places, found["label"]))
    return Score(metric, len(truth), _of_probabilities(metric, places, found))


def _mean(each: Numbers) -> Statistic:
    return lambda weights: weights @ each / len(each)


def _absolute_error(truth: Numbers, found: Numbers) -> Statistic:
    return _mean(np.abs(truth - found).mean(axis=1))


def _squared_error(truth: Numbers, found: Numbers) -> Statistic:
    return _mean(np.square(truth - found).mean(axis=1))


def _r2(truth: Numbers, found: Numbers) -> Statistic:
    """As `evaluate.regression` has it: of a truth that does not vary 1 when it is met, else 0."""
    residual = np.square(truth - found)
    centred = truth - truth.mean(axis=0)  # so that the difference of squares below keeps its digits

    def statistic(weights: Numbers) -> Numbers:
        left, squares = weights @ residual, weights @ np.square(centred)
        total = squares - np.square(weights @ centred) / len(truth)
        varies = total > 1e-12 * squares
        missed = np.divide(left, total, out=(left != 0).astype(float), where=varies)
        return np.asarray((1 - missed).mean(axis=1))

    return statistic


_OF_VALUES: dict[str, Callable[[Numbers, Numbers], Statistic]] = {
    "r2": _r2,
    "mae": _absolute_error,
    "mse": _squared_error,
}


def _macro_f1(truth: Indices, called: Indices) -> Statistic:
    """The mean of F1 over the classes that are there or called, as `evaluate.classification` has it."""
    count = 1 + int(max(truth.max(), called.max()))
    is_right = truth == called
    seen = _by_class(truth, count) + _by_class(called, count)
    hits = _by_class(truth[is_right], count, np.flatnonzero(is_right), len(truth))

    def statistic(weights: Numbers) -> Numbers:
        found, right = seen @ weights.T, hits @ weights.T
        f1 = np.divide(2 * right, found, out=np.zeros_like(found), where=found > 0)
        return np.asarray(f1.sum(axis=0) / (found > 0).sum(axis=0))

    return statistic


def _by_class(
    classes: Indices, count: int, rows: Indices | None = None, width: int | None = None
) -> sparse.csr_array:
    """(count, inputs): 1 where an input is of a class. rows: which inputs these are, by default all."""
    places = np.arange(len(classes)) if rows is None else rows
    shape = (count, len(classes) if width is None else width)
    return sparse.csr_array((np.ones(len(classes)), (classes, places)), shape=shape)


def _of_probabilities(metric: Metric, truth: Indices, found: Tensors) -> Statistic:
    given = found.get("probabilities")
    if given is None:
        raise InputError(
            f"metric {metric.name}: expected a model of probabilities, found one of labels alone."
        )
    if not np.isfinite(given).all():
        raise InputError(
            f"metric {metric.name}: expected probabilities, found some that are no numbers."
        )
    if metric.name == "log-loss":
        return _mean(evaluate.log_losses(truth, given))
    count = given.shape[1]
    if absent := sorted(set(range(count)) - set(truth.tolist())):
        raise InputError(
            f"metric {metric.name}: expected labels of each of the {count} classes, found none of "
            f"{len(absent)} of them. Give more inputs, or choose another metric."
        )
    areas = [_area(truth == i, given[:, i]) for i in ([1] if count == 2 else range(count))]
    return _mean_area(areas)


def _mean_area(areas: list[Statistic]) -> Statistic:
    """Over the classes that were drawn at all; of none NaN."""

    def statistic(weights: Numbers) -> Numbers:
        by_input = np.ascontiguousarray(weights.T)
        found = np.stack([area(by_input) for area in areas])
        is_there = np.isfinite(found)
        total = np.where(is_there, found, 0).sum(axis=0)
        nothing = np.full_like(total, np.nan)
        mean: Numbers = np.divide(total, is_there.sum(axis=0), out=nothing, where=is_there.any(axis=0))
        return mean

    return statistic


def _area(is_it: NDArray[np.bool_], given: NDArray[np.generic]) -> Statistic:
    """Under the receiver operating characteristic, of one class, from weights (inputs, n).

    By ranks, as in Mann and Whitney (1947): whatever lies below one that is it counts, and half of what
    ties with it; of that half of all pairs of two that are it are taken away. NaN where one of the two
    sides was not drawn.
    """
    order = np.argsort(given, kind="stable")
    ranked, is_it = given[order], is_it[order]
    places = np.flatnonzero(is_it)
    first = np.searchsorted(ranked, ranked[places], side="left")
    last = np.searchsorted(ranked, ranked[places], side="right")

    def statistic(weights: Numbers) -> Numbers:
        below = np.zeros((len(order) + 1, weights.shape[1]))
        drawn = np.take(weights, order, axis=0, out=below[1:])
        hits = drawn[places]
        np.cumsum(drawn, axis=0, out=drawn)
        ranks = np.einsum("ij,ij->j", hits, below[first] + below[last]) / 2
        found = hits.sum(axis=0)
        pairs = found * (below[-1] - found)
        nothing = np.full_like(pairs, np.nan)
        area: Numbers = np.divide(ranks - found**2 / 2, pairs, out=nothing, where=pairs > 0)
        return area

    return statistic
