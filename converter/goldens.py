"""Which real inputs travel with the model: a device must get the source's outputs for them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converter.frontends.base import SourceModel
from converter.inputs import Rows
from converter.parity import NEAR_TIE, TOLERANCE, allowances, differences, within
from converter.shipped import Shipped
from converter.source import Answer, Tensors
from edge_runtime.errors import ConversionError, ParityError

# Another board's float32 arithmetic moves a computed feature by a few 1e-7 of its size.
_NUDGES = (1 - 2e-6, 1 + 2e-6)
_NUDGED = 10 * TOLERANCE  # a nudge may move a smooth model; it must not make it jump
_POOL = 8  # candidates looked at for each golden wanted


def choose_goldens(
    source: SourceModel,
    rows: Rows,
    expected: Answer,
    found: Tensors,
    count: int,
    *,
    others: Sequence[Shipped] = (),
    exact_rows: bool,
) -> NDArray[np.int64]:
    """Row numbers of up to `count` goldens, spread over classes or over the range of values.

    A golden must not sit on a fence: its answer stays the same when the input is nudged by rounding,
    so that a correct device never fails on it. With `exact_rows` (trees that read the inputs
    themselves) nothing is rounded and no nudge is needed.

    found: the fp32 variant's answers. others: variants that are to reproduce the goldens too; inputs
    about which one of them says something else are none, as long as there are others.
    """
    unequal, _ = differences(expected.tensors, found)
    agrees = ~unequal & within(expected.tensors, found, allowances(expected.tensors))
    if (by_all := agrees & _agreed(expected, others)).any():
        agrees = by_all
    decided = expected.margin >= 100 * NEAR_TIE
    if decided.any():  # a model may be undecided about everything, as a dummy of equal classes is
        agrees &= decided
    pool = _spread(expected.tensors, np.flatnonzero(agrees))[: _POOL * count]
    steady = pool if exact_rows else pool[_is_steady(source, rows.take(pool), expected, pool)]
    chosen = steady if len(steady) else pool
    if not len(chosen):
        raise ParityError(
            "goldens: expected an input on which the model is decided and the variant agrees, found "
            f"none among {len(rows)}. Give more inputs."
        )
    return np.sort(chosen[:count])


def _agreed(expected: Answer, others: Sequence[Shipped]) -> NDArray[np.bool_]:
    """Where every variant gives the source's label, and would even if it were wrong by twice as much."""
    agreed = np.ones(len(next(iter(expected.tensors.values()))), dtype=np.bool_)
    for other in others:
        unequal, _ = differences(expected.tensors, other.found)
        agreed &= ~unequal
        if expected.margin.size and other.variant.accuracy is not None:
            agreed &= expected.margin >= 2 * other.variant.parity.max_abs_error
    return agreed


def _spread(expected: Tensors, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """All `rows`, ordered so that any first few are spread over the classes or values."""
    if "label" in expected:
        # Of several labels the first one's classes are spread; all of them would be too many.
        labels = expected["label"].reshape(len(expected["label"]), -1)[rows, 0]
        turn = np.zeros(len(rows), dtype=np.int64)
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            turn[members] = np.arange(len(members))
        return rows[np.lexsort((labels, turn))]
    first = next(iter(expected.values()))  # of several outputs, as of several numbers
    values = first.reshape(len(first), -1)[rows, 0]
    by_value = rows[np.argsort(values, kind="stable")]
    return by_value[np.argsort(_van_der_corput(len(rows)), kind="stable")]


def _van_der_corput(count: int) -> NDArray[np.float64]:
    """Ranks by which any first few of an ordered list are evenly spread over it (bits reversed)."""
    width = max(1, (count - 1).bit_length())
    return np.array([int(format(i, f"0{width}b")[::-1], 2) for i in range(count)], dtype=np.float64)


def _is_steady(
    source: SourceModel, rows: Rows, expected: Answer, where: NDArray[np.int64]
) -> NDArray[np.bool_]:
    steady = np.ones(len(rows), dtype=np.bool_)
    wanted = {name: tensor[where] for name, tensor in expected.tensors.items()}
    for factor in _NUDGES if len(rows) else ():
        try:
            nudged = source.run(_nudged(rows, factor)).tensors
        except ConversionError:
            continue  # a model of categories knows no number in between, and rounds none
        unequal, _ = differences(wanted, nudged)
        steady &= ~unequal & within(wanted, nudged, allowances(expected.tensors, _NUDGED))
    return steady


def _nudged(rows: Rows, factor: float) -> Rows:
    return rows.changed(lambda array: (array * array.dtype.type(factor)).astype(array.dtype))
