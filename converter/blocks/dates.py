"""Unix time as the parts of a date."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import Array, Block, BlockError
from converter.blocks.parameters import check_names
from converter.tracing import ops

_DAY_S = 86_400
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # years 1 to 9999, as Python's datetime
_TO_1970 = 719_468  # days from 1 March of year 0
_DEFAULT = ("year", "month", "day", "weekday", "hour")


class DateParts(Block):
    """Unix seconds (UTC), whole numbers, as parts of the date: columns (rows, columns) to features.

    Parameters
    ----------
    parts : which ones, in the order the features get: "year", "quarter" (1 to 4), "month" (1 to 12),
        "day" (of the month, 1 to 31), "day_of_year" (1 to 366), "weekday" (Monday 0 to Sunday 6),
        "hour", "minute", "second", "second_of_day" (0 to 86,399).

    Answer: (rows, parts x columns) float32, part by part, each with all its columns side by side:
    `sold_at_year`. Proleptic Gregorian calendar, no time zone, no leap seconds. Equal to numpy's
    datetime64 and pandas, error 0: int64 arithmetic throughout, by Howard Hinnant's civil_from_days
    (https://howardhinnant.github.io/date_algorithms.html).

    Columns are of whole numbers, such as int64: float32 holds Unix seconds to 128 s only. A row before
    0001-01-01 or after 9999-12-31 has no answer: `fit` and `transform` raise BlockError, and a device
    refuses the row. `fit` also raises it for a part that is unknown or named twice.
    """

    reads = "columns"

    def __init__(self, parts: Sequence[str] = _DEFAULT) -> None:
        self.parts = parts

    def learn(self, x: NDArray[Any]) -> None:  # noqa: ARG002
        check_names("DateParts: parts", self.parts, PARTS)

    def as_read(self, x: Array) -> Array:
        """int64. Raises BlockError for dtypes that are not of whole numbers."""
        if x.dtype.kind not in "iu":
            raise BlockError(
                f"DateParts: expected whole Unix seconds, int64, found {x.dtype}. Fill missing dates "
                "first, and make whole numbers of them: t.astype('int64')."
            )
        return x.astype(np.int64)

    def refused(self, x: Array) -> Sequence[tuple[Array, str]]:
        beyond = np.any((x < _FIRST) | (x > _LAST), axis=1)
        return [(beyond, "expected Unix seconds of the years 1 to 9999; are they milliseconds?")]

    def compute(self, x: Array) -> Array:
        date = _Date(x)
        parts = [getattr(date, name).astype(np.float32) for name in self.parts]
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def names(self, inputs: list[str]) -> list[str]:
        return [f"{name}_{part}" for part in self.parts for name in inputs]


class _Date:
    """civil_from_days, of int64 that is never below 0, so that divisions round down.

    Years begin on 1 March here, so that a leap day is a year's last.
    """

    def __init__(self, unix: Array) -> None:
        self.seconds = unix + _TO_1970 * _DAY_S

    @cached_property
    def days(self) -> Array:
        return ops.truncated(self.seconds, _DAY_S)

    @cached_property
    def second_of_day(self) -> Array:
        return self.seconds - self.days * _DAY_S

    @cached_property
    def era(self) -> Array:
        """400 years, 146,097 days."""
        return ops.truncated(self.days, 146_097)

    @cached_property
    def year_of_era(self) -> Array:
        day = self.days - self.era * 146_097
        leaps = ops.truncated(day, 1460) - ops.truncated(day, 36_524) + ops.truncated(day, 146_096)
        return ops.truncated(day - leaps, 365)

    @cached_property
    def leap_days(self) -> Array:
        """Those of the era before this year."""
        return ops.truncated(self.year_of_era, 4) - ops.truncated(self.year_of_era, 100)

    @cached_property
    def from_march(self) -> Array:
        """Days since 1 March, 0 to 365."""
        return self.days - self.era * 146_097 - (365 * self.year_of_era + self.leap_days)

    @cached_property
    def month_from_march(self) -> Array:
        return ops.truncated(5 * self.from_march + 2, 153)

    @cached_property
    def is_next_year(self) -> Array:
        """January and February, int64 0 or 1."""
        return ops.truncated(self.month_from_march, 10)

    @property
    def year(self) -> Array:
        return self.era * 400 + self.year_of_era + self.is_next_year

    @cached_property
    def month(self) -> Array:
        return self.month_from_march + 3 - 12 * self.is_next_year

    @property
    def day(self) -> Array:
        return self.from_march + 1 - ops.truncated(153 * self.month_from_march + 2, 5)

    @property
    def day_of_year(self) -> Array:
        """1 March is day 60, or 61 of a leap year; 1 January is 306 days later, and day 1."""
        return self.from_march + 1 + np.where(self.is_next_year == 1, -306, 59 + self.is_leap)

    @property
    def is_leap(self) -> Array:
        """int64 0 or 1: of 4, 100 and 400 years, those that divide the year."""
        year = self.year_of_era
        before = ops.truncated(year + 3, 4) - ops.truncated(year + 99, 100)
        return self.leap_days - before + 1 - ops.truncated(year + 399, 400)

    @property
    def weekday(self) -> Array:
        """1 March of year 0 was a Wednesday."""
        since = self.days + 2
        return since - ops.truncated(since, 7) * 7

    @property
    def quarter(self) -> Array:
        return ops.truncated(self.month + 2, 3)

    @property
    def hour(self) -> Array:
        return ops.truncated(self.second_of_day, 3600)

    @property
    def minute(self) -> Array:
        return ops.truncated(self.second_of_day, 60) - self.hour * 60

    @property
    def second(self) -> Array:
        return self.second_of_day - ops.truncated(self.second_of_day, 60) * 60


PARTS = (
    "year", "quarter", "month", "day", "day_of_year", "weekday", "hour", "minute", "second",
    "second_of_day",
)  # fmt: skip
