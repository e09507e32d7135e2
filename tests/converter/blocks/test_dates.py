from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest

from converter.blocks import BlockError, DateParts
from converter.blocks.dates import PARTS
from converter.graph import Graph
from converter.tracing.tensor import Tensor
from tests.converter.blocks.in_graph import in_onnx

FIRST, LAST = -62_135_596_800, 253_402_300_799


def unix(*dates: str) -> np.ndarray:
    return np.array([[np.datetime64(date, "s").astype(np.int64)] for date in dates])


@pytest.mark.parametrize(
    ("date", "parts"),
    [
        ("1970-01-01T00:00:00", (1970, 1, 1, 1, 1, 3, 0, 0, 0, 0)),
        ("2024-02-29T23:59:59", (2024, 1, 2, 29, 60, 3, 23, 59, 59, 86_399)),
        ("2024-12-31T12:00:00", (2024, 4, 12, 31, 366, 1, 12, 0, 0, 43_200)),
        ("1900-03-01T06:30:15", (1900, 1, 3, 1, 60, 3, 6, 30, 15, 23_415)),
        ("2000-03-01T00:00:00", (2000, 1, 3, 1, 61, 2, 0, 0, 0, 0)),
        ("0001-01-01T00:00:00", (1, 1, 1, 1, 1, 0, 0, 0, 0, 0)),
        ("9999-12-31T23:59:59", (9999, 4, 12, 31, 365, 4, 23, 59, 59, 86_399)),
    ],
)
def test_the_parts_of_a_date(date: str, parts: tuple[int, ...]) -> None:
    block = DateParts(PARTS).fit(unix(date))
    assert tuple(block.transform(unix(date))[0]) == parts
    assert tuple(in_onnx(block, unix(date))[0]) == parts


def test_every_day_of_four_centuries_is_pythons() -> None:
    days = np.arange(-135_000, 12_000)[:, None] * 86_400
    found = DateParts(("year", "month", "day", "weekday", "day_of_year")).fit_transform(days)
    for row, second in zip(found[::97], days[::97, 0].tolist(), strict=True):
        date = datetime.fromtimestamp(second, timezone.utc)
        yday = date.timetuple().tm_yday
        assert row.tolist() == [date.year, date.month, date.day, date.weekday(), yday]
    assert np.array_equal(found[:, 4], pd.DatetimeIndex(days[:, 0].astype("datetime64[s]")).day_of_year)


def test_any_whole_numbers_are_seconds_and_columns_keep_their_names() -> None:
    frame = pd.DataFrame({"made": [0], "sold": [86_400]}, dtype="int32")
    block = DateParts(("month", "day")).fit(frame)
    assert block.transform(frame).tolist() == [[1, 1, 1, 2]]
    assert block.get_feature_names_out().tolist() == [
        "made_month", "sold_month", "made_day", "sold_day",
    ]  # fmt: skip


@pytest.mark.parametrize("second", [FIRST - 1, LAST + 1, np.iinfo(np.int64).max, np.iinfo(np.int64).min])
def test_dates_beyond_the_calendar_are_refused_with_their_row(second: int) -> None:
    block = DateParts().fit([[FIRST], [LAST]])
    with pytest.raises(BlockError, match="row 1: expected Unix seconds of the years 1 to 9999"):
        block.transform([[0], [second]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_what_cannot_hold_every_second_is_refused(dtype: str) -> None:
    with pytest.raises(BlockError, match=f"expected whole Unix seconds, int64, found {dtype}"):
        DateParts().fit(np.zeros((1, 1), dtype))


def test_a_column_of_dates_is_told_how_to_become_seconds() -> None:
    column = pd.DataFrame({"sold": pd.to_datetime(["2024-02-29 12:00"])})
    with pytest.raises(BlockError, match=r"found datetime64.*t.astype\('datetime64\[s\]'\)"):
        DateParts().fit(column)
    seconds = column["sold"].astype("datetime64[s]").astype("int64").to_frame()
    assert DateParts(("hour",)).fit_transform(seconds) == 12


def test_a_graph_of_floats_is_refused_too() -> None:
    with pytest.raises(BlockError, match="found float32"):
        DateParts().as_read(Tensor.input(Graph(), "t", np.float32, (None, 1)))


@pytest.mark.parametrize("parts", [("week",), (), "year", ("year", "year"), (1,)])
def test_unknown_parts_are_refused(parts: object) -> None:
    with pytest.raises(BlockError, match="DateParts: parts: expected each of year, quarter"):
        DateParts(parts).fit(unix("1970-01-01"))
