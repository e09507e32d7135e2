"""Columns clipped, logarithmic, in ratio to one another, and around a circle."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array, Block, BlockError
from converter.blocks.parameters import check_flag, is_number, is_whole, listed, one_each
from converter.tracing import ops

_Bound = float | Sequence[float] | None


class Clip(Block):
    """Columns (rows, columns) cut off at bounds that are given or learnt.

    Parameters
    ----------
    low, high : one number for all columns, one each, or None for no bound.
    quantiles : two numbers from 0 to 1, such as (0.01, 0.99): the bounds are these quantiles of each
        column in `fit` (numpy's "linear", missing numbers left out). Instead of low and high.

    Answer: float32, exact for numbers and bounds rounded to float32. NaN stays NaN. `fit` raises
    BlockError for low above high, quantiles out of 0 to 1 or out of order, neither bounds nor
    quantiles, both, and a column of missing numbers only where quantiles are learnt.
    """

    reads = "columns"
    allow_nan = True

    def __init__(
        self,
        low: _Bound = None,
        high: _Bound = None,
        quantiles: tuple[float, float] | None = None,
    ) -> None:
        self.low = low
        self.high = high
        self.quantiles = quantiles

    def learn(self, x: NDArray[Any]) -> None:
        given = [bound for bound in (self.low, self.high) if bound is not None]
        if bool(given) == (self.quantiles is not None):
            found = "both" if given else "neither"
            raise BlockError(f"Clip: expected either low or high, or quantiles; found {found}.")
        low, high = self._learnt(x) if self.quantiles is not None else (
            None if bound is None else one_each(f"Clip: {what}", bound, x.shape[1], "column")
            for what, bound in (("low", self.low), ("high", self.high))
        )  # fmt: skip
        if low is not None and high is not None and (low > high).any():
            at = int(np.argmax(low > high))
            raise BlockError(
                f"Clip: column {at}: expected low up to high, found {low[at]:g} above {high[at]:g}."
            )
        self.low_ = None if low is None else low.astype(np.float32)
        self.high_ = None if high is None else high.astype(np.float32)

    def compute(self, x: Array) -> Array:
        # Comparisons, not Min and Max, which not every engine lets NaN through.
        if self.low_ is not None:
            x = np.where(x < self.low_, self.low_, x)
        return x if self.high_ is None else np.where(x > self.high_, self.high_, x)

    def describe(self) -> dict[str, Any]:
        bounds = {"low": self.low_, "high": self.high_}
        found = {name: None if bound is None else bound.tolist() for name, bound in bounds.items()}
        return {**super().describe(), **found}

    def _learnt(self, x: NDArray[Any]) -> tuple[Any, Any]:
        given: Any = self.quantiles
        pair = listed(given)
        if len(pair) != 2 or not all(map(is_number, pair)) or not 0 <= pair[0] <= pair[1] <= 1:
            raise BlockError(
                f"Clip: quantiles: expected two numbers from 0 to 1, the lower first; found {given!r}."
            )
        empty = np.isnan(x).all(axis=0)
        if empty.any():
            raise BlockError(
                f"Clip: column {int(np.argmax(empty))}: expected numbers to learn quantiles of, found "
                "missing ones only."
            )
        low, high = np.nanquantile(x.astype(np.float64), pair, axis=0)
        return low, high


class Log(Block):
    """The natural logarithm of columns (rows, columns).

    Parameters
    ----------
    offset : added before the logarithm is taken, 0 or more: log(x + offset). With 1 it is np.log1p,
        near 0 as well.
    signed : True for columns that go below 0: sign(x) * (log(abs(x) + offset) - log(offset)), which is
        0 at 0 and needs an offset above 0.

    Answer: float32. NaN stays NaN. Error against numpy in float64, of numbers rounded to float32: 3e-7
    of the answer, at least of 1; with offset 1 of the answer itself, however small.

    A row in which x + offset is 0 or below has no logarithm: `fit` and `transform` raise BlockError, and
    a device refuses the row. `fit` also raises it for an offset below 0, or of 0 where `signed`.
    """

    reads = "columns"
    allow_nan = True

    def __init__(self, offset: float = 1.0, signed: bool = False) -> None:
        self.offset = offset
        self.signed = signed

    def learn(self, x: NDArray[Any]) -> None:  # noqa: ARG002
        check_flag("Log: signed", self.signed)
        least = "above 0" if self.signed else "0 or above"
        if not (is_number(self.offset) and self.offset >= 0 and (self.offset or not self.signed)):
            raise BlockError(f"Log: offset: expected a number {least}, found {self.offset!r}.")

    def refused(self, x: Array) -> Sequence[tuple[Array, str]]:
        if self.signed:
            return ()
        below = np.any(x + np.float32(self.offset) <= 0, axis=1)
        return [(below, f"expected numbers above {-self.offset:g}, which have a logarithm.")]

    def compute(self, x: Array) -> Array:
        if not self.signed:
            return _log1p(x) if self.offset == 1 else np.log(x + np.float32(self.offset))
        size = _log1p(np.abs(x) * np.float32(1 / self.offset))
        return np.sign(x) * size


def _log1p(x: Array) -> Array:
    """Kahan's: what rounding 1 + x loses is given back by x / ((1 + x) - 1)."""
    one = np.float32(1)
    whole = x + one
    kept = whole - one
    return np.where(kept == 0, x, np.log(whole) * (x / np.where(kept == 0, one, kept)))


class Ratio(Block):
    """Columns over other columns of (rows, columns): x[a] / x[b] for each pair (a, b).

    Parameters
    ----------
    pairs : pairs of columns, by number or, where `fit` is given a DataFrame, by name.
    zero : what a denominator of 0 gives; NaN by default, a missing number.
    append : True keeps the columns and puts the ratios behind them; False gives ratios alone.

    Answer: float32, named `a_over_b`. NaN stays NaN. Error against numpy in float64, of numbers rounded
    to float32: 1e-7 of each ratio. Ratios beyond 3.4e38 are infinite.

    `fit` raises BlockError for no pair, a pair that is no pair, twice there, or of columns that are not.
    """

    reads = "columns"
    allow_nan = True

    def __init__(
        self,
        pairs: Sequence[tuple[int | str, int | str]],
        zero: float = float("nan"),
        append: bool = False,
    ) -> None:
        self.pairs = pairs
        self.zero = zero
        self.append = append

    def learn(self, x: NDArray[Any]) -> None:
        check_flag("Ratio: append", self.append)
        zero: Any = self.zero
        if not (is_number(zero) or (isinstance(zero, float | np.floating) and np.isnan(zero))):
            raise BlockError(f"Ratio: zero: expected a finite number or NaN, found {self.zero!r}.")
        known = list(getattr(self, "feature_names_in_", ()))
        given: Any = self.pairs
        pairs = [
            tuple(known.index(item) if item in known else item for item in pair)
            for pair in map(listed, listed(given))
        ]
        right = all(len(pair) == 2 and all(is_whole(at, 0, x.shape[1] - 1) for at in pair)
                    for pair in pairs)  # fmt: skip
        if not pairs or not right or len(set(pairs)) < len(pairs):
            names = f", or of {', '.join(known[:10])}" if known else ""
            raise BlockError(
                f"Ratio: pairs: expected different pairs of columns from 0 to {x.shape[1] - 1}{names}; "
                f"found {given!r}."
            )
        self.above_ = np.array([above for above, _ in pairs])
        self.below_ = np.array([below for _, below in pairs])

    def compute(self, x: Array) -> Array:
        above, below = np.take(x, self.above_, axis=1), np.take(x, self.below_, axis=1)
        none = below == 0
        ratio = np.where(none, np.float32(self.zero), above / np.where(none, np.float32(1), below))
        return np.concatenate([x, ratio], axis=1) if self.append else ratio

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "zero": None if np.isnan(self.zero) else float(self.zero)}

    def names(self, inputs: list[str]) -> list[str]:
        pairs = zip(self.above_, self.below_, strict=True)
        made = [f"{inputs[above]}_over_{inputs[below]}" for above, below in pairs]
        return [*inputs, *made] if self.append else made


class Cyclic(Block):
    """Numbers that come round again, as points on a circle: sin(2 pi x / period) and cos of the same.

    Parameters
    ----------
    period : after how much x is the same again, above 0: 24 for hours, 86,400 for Unix seconds and the
        time of day. One for all columns (rows, columns), or one each.

    Answer: (rows, 2 columns) float32, all sines and then all cosines: `hour_sin`, `hour_cos`. NaN stays
    NaN. Whole numbers (an int64 column) are divided by whole periods before anything is rounded, so
    Unix seconds keep every second; others are rounded to float32 first. Error against numpy in float64,
    of such numbers: 6e-7, where the period is a float32 number, as whole ones up to 16,777,216 are;
    each other period rounds by up to 6e-8, so x of n periods is off by 4e-7 n more.

    `fit` raises BlockError for a period of 0 or below, and another number of periods than columns.
    """

    reads = "columns"
    allow_nan = True

    def __init__(self, period: float | Sequence[float]) -> None:
        self.period = period

    def learn(self, x: NDArray[Any]) -> None:
        self.period_ = one_each("Cyclic: period", self.period, x.shape[1], "column")
        if not (self.period_ > 0).all():
            raise BlockError(f"Cyclic: period: expected numbers above 0, found {self.period!r}.")

    def as_read(self, x: Array) -> Array:
        """int64 for whole numbers, float32 for others."""
        return x.astype(np.int64) if x.dtype.kind in "iu" else super().as_read(x)

    def compute(self, x: Array) -> Array:
        period = self.period_.astype(np.float32)
        if x.dtype == np.int64 and (self.period_ == np.floor(self.period_)).all():
            whole = self.period_.astype(np.int64)
            rest = (x - ops.truncated(x, whole) * whole).astype(np.float32)
        else:
            rest = np.fmod(x.astype(np.float32), period)
        angle = rest * (2 * np.pi / self.period_).astype(np.float32)
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{name}_{wave}" for wave in ("sin", "cos") for name in inputs]
