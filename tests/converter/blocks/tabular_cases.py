"""Blocks of columns against numpy in float64, and pandas for dates."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from converter.blocks import Clip, Cyclic, DateParts, Log, Ratio
from converter.blocks.dates import PARTS
from tests.converter.blocks.cases import Case


def columns(width: int = 4, low: float = -50, missing: float = 0.0) -> Callable[[int], np.ndarray]:
    """float32 numbers of several sizes from `low` up; some are NaN."""

    def make(count: int) -> np.ndarray:
        rng = np.random.default_rng((width, count))
        sizes = rng.choice([1e-5, 0.1, 1, 30, 1e4], size=(200 * count, width))
        found = np.maximum(rng.normal(size=sizes.shape) * sizes, low).astype(np.float32)
        found[:3] = 0
        found[rng.random(found.shape) < missing] = np.nan
        return found

    return make


def whole(low: int, high: int, width: int = 2) -> Callable[[int], np.ndarray]:
    """int64 from low to high."""

    def make(count: int) -> np.ndarray:
        rng = np.random.default_rng(count)
        return rng.integers(low, high, size=(200 * count, width), endpoint=True)

    return make


def _dates(unix: np.ndarray) -> np.ndarray:
    """pandas' parts of a date, in the order of PARTS."""
    found = pd.DatetimeIndex(unix.ravel().astype("datetime64[s]"))
    parts = {part: getattr(found, part) for part in PARTS if part not in ("weekday", "second_of_day")}
    parts["weekday"] = found.day_of_week
    parts["second_of_day"] = found.hour * 3600 + found.minute * 60 + found.second
    stacked = np.stack([np.asarray(parts[part]).reshape(unix.shape) for part in PARTS], axis=1)
    return stacked.reshape(len(unix), -1)


def _circle(period: float) -> Callable[[np.ndarray], np.ndarray]:
    def reference(x: np.ndarray) -> np.ndarray:
        angle = 2 * np.pi * np.fmod(x if x.dtype.kind == "i" else x.astype(np.float64), period) / period
        return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)

    return reference


def _ratio(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        found = wide[:, [0, 2]] / wide[:, [1, 3]]
    return np.where(wide[:, [1, 3]] == 0, -1, found)


def _signed(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.log1p(np.abs(x.astype(np.float64)))


CASES = (
    Case("Clip", Clip(-1.5, [1, 2, 3, 4]), columns(missing=0.1),
         lambda x: np.clip(x, np.float32(-1.5), np.float32([1, 2, 3, 4])), "numpy", 0.0),
    Case("Clip above", Clip(high=3), columns(), lambda x: np.clip(x, None, 3), "numpy", 0.0),
    Case("Log", Log(), columns(low=-0.99, missing=0.1), lambda x: np.log1p(x.astype(np.float64)),
         "numpy", 3e-7),
    Case("Log of offset 60", Log(60), columns(), lambda x: np.log(x.astype(np.float64) + 60),
         "numpy", 3e-7),
    Case("Log signed", Log(signed=True), columns(), _signed, "numpy", 3e-7),
    Case("Ratio", Ratio(((0, 1), (2, 3)), zero=-1.0), columns(), _ratio, "numpy", 1e-7),
    Case("DateParts", DateParts(PARTS), whole(0, 2_000_000_000), _dates, "pandas", 0.0),
    Case("DateParts of years 1 to 9999", DateParts(PARTS), whole(-62_135_596_800, 253_402_300_799),
         _dates, "pandas", 0.0),
    Case("Cyclic of hours", Cyclic(24), columns(), _circle(24), "numpy", 6e-7),
    Case("Cyclic of Unix seconds", Cyclic(86_400), whole(-(10**9), 2 * 10**9), _circle(86_400),
         "numpy", 6e-7),
)  # fmt: skip
