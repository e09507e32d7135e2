import math

import numpy as np
import pandas as pd
import pytest

from converter.blocks import Block, BlockError, Clip, Cyclic, Log, Ratio
from tests.converter.blocks.in_graph import in_onnx

NAN = float("nan")
ROWS = np.array([[1, 10], [2, NAN], [3, 30], [4, 40], [100, -1]], np.float32)


def test_clip_cuts_at_bounds_and_hands_missing_numbers_on() -> None:
    block = Clip(2, (25, 35)).fit(ROWS)
    expected = [[2, 10], [2, NAN], [3, 30], [4, 35], [25, 2]]
    for found in (block.transform(ROWS), in_onnx(block, ROWS)):
        assert np.array_equal(found, expected, equal_nan=True)


def test_clip_learns_quantiles_of_what_is_not_missing() -> None:
    block = Clip(quantiles=(0, 0.75)).fit(ROWS)
    assert block.high_.tolist() == [4, 32.5]
    assert block.transform(np.array([[1000, 1000]])).tolist() == [[4, 32.5]]
    assert block.describe() == {"low": [1, -1], "high": [4, 32.5], "quantiles": [0, 0.75]}


def test_one_bound_is_enough() -> None:
    assert Clip(high=3).fit_transform(ROWS[:, :1]).ravel().tolist() == [1, 2, 3, 3, 3]


def test_log_of_one_more_keeps_small_numbers() -> None:
    tiny = np.array([[1e-30], [1e-10], [0.0]], np.float32)
    block = Log().fit(tiny)
    for found in (block.transform(tiny), in_onnx(block, tiny)):
        assert np.allclose(found, tiny, rtol=1e-6, atol=0)


def test_signed_log_is_odd_and_zero_at_zero() -> None:
    values = np.array([[-7.0], [0.0], [7.0]])
    found = Log(offset=2, signed=True).fit_transform(values).ravel()
    assert found == pytest.approx([-math.log(4.5), 0, math.log(4.5)], rel=1e-6)


def test_a_row_without_a_logarithm_is_refused_with_its_number() -> None:
    block = Log(offset=0).fit([[1.0], [NAN]])
    assert np.isnan(block.transform([[NAN]]))
    with pytest.raises(BlockError, match="Log: row 1: expected numbers above 0, which have a logarithm"):
        block.transform([[2.0], [0.0]])
    with pytest.raises(BlockError, match="row 4: expected numbers above -1"):
        Log().fit(ROWS)


def test_ratio_knows_columns_by_number_or_name_and_says_what_zero_gives() -> None:
    frame = pd.DataFrame({"load": [1.0, 2.0, NAN], "limit": [2.0, 0.0, 5.0]})
    block = Ratio([("load", "limit")], zero=-1.0, append=True).fit(frame)
    expected = [[1, 2, 0.5], [2, 0, -1], [NAN, 5, NAN]]
    assert np.array_equal(block.transform(frame), expected, equal_nan=True)
    assert block.get_feature_names_out().tolist() == ["load", "limit", "load_over_limit"]
    numbers = Ratio([(0, 1)]).fit(frame.to_numpy())
    assert np.array_equal(numbers.transform(frame.to_numpy()), [[0.5], [NAN], [NAN]], equal_nan=True)
    assert numbers.get_feature_names_out().tolist() == ["x0_over_x1"]


def test_a_circle_closes() -> None:
    hours = np.array([[0.0], [6], [12], [18], [24], [-6], [NAN]], np.float32)
    found = Cyclic(24).fit_transform(hours)
    sines = [0, 1, 0, -1, 0, -1, NAN]
    assert np.allclose(found[:, 0], sines, atol=1e-6, equal_nan=True)
    assert np.allclose(found[:, 1], [1, 0, -1, 0, 1, 0, NAN], atol=1e-6, equal_nan=True)
    assert Cyclic(7).fit(hours).get_feature_names_out(["day"]).tolist() == ["day_sin", "day_cos"]


def test_unix_seconds_keep_every_second_of_a_day() -> None:
    noon = 20_000 * 86_400 + 43_200
    seconds = np.array([[noon - 1], [noon], [noon + 1]])
    block = Cyclic(86_400).fit(seconds)
    second = 2 * np.pi / 86_400
    for found in (block.transform(seconds), in_onnx(block, seconds)):
        assert found[:, 0] == pytest.approx([second, 0, -second], abs=6e-7)


def test_each_column_may_have_its_own_period() -> None:
    found = Cyclic([24, 7]).fit_transform([[6, 0], [0, 3.5]])
    assert np.allclose(found, [[1, 0, 0, 1], [0, 0, 1, -1]], atol=1e-6)


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (Clip(), "either low or high, or quantiles; found neither"),
        (Clip(0, quantiles=(0, 1)), "found both"),
        (Clip(3, 2), "column 0: expected low up to high, found 3 above 2"),
        (Clip((0, 1, 2)), "low: expected a finite number, or 2 of them, one a column"),
        (Clip(NAN), "found nan"),
        (Clip(quantiles=(0.5, 1.1)), "two numbers from 0 to 1"),
        (Clip(quantiles=(0.9, 0.1)), "the lower first; found \\(0.9, 0.1\\)"),
        (Clip(quantiles=0.5), "found 0.5"),
        (Log(-1), "offset: expected a number 0 or above, found -1"),
        (Log(0, signed=True), "offset: expected a number above 0, found 0"),
        (Log(signed="yes"), "True or False"),
        (Ratio([]), "different pairs of columns from 0 to 1; found \\[\\]"),
        (Ratio([(0, 2)]), "found \\[\\(0, 2\\)\\]"),
        (Ratio([(0,)]), "found \\[\\(0,\\)\\]"),
        (Ratio((0, 1)), "found \\(0, 1\\)"),
        (Ratio([("a", "b")]), "found \\[\\('a', 'b'\\)\\]"),
        (Ratio([(0, 1), (0, 1)]), "different pairs"),
        (Ratio([(0, 1)], zero=math.inf), "zero: expected a finite number or NaN, found inf"),
        (Cyclic(0), "period: expected numbers above 0, found 0"),
        (Cyclic((24, -7)), "numbers above 0, found \\(24, -7\\)"),
        (Cyclic((24, 7, 12)), "2 of them, one a column"),
        (Cyclic(math.inf), "found inf"),
    ],
)
def test_a_wrong_parameter_is_one_clear_error(block: Block, what: str) -> None:
    with pytest.raises(BlockError, match=what):
        block.fit(np.abs(ROWS))


def test_names_that_there_are_are_told() -> None:
    with pytest.raises(BlockError, match="from 0 to 1, or of load, limit; found"):
        Ratio([("load", "max")]).fit(pd.DataFrame({"load": [1.0], "limit": [2.0]}))


def test_quantiles_need_a_number() -> None:
    with pytest.raises(BlockError, match="column 1: expected numbers to learn quantiles of"):
        Clip(quantiles=(0, 1)).fit([[1.0, NAN]])


def test_infinity_is_no_number_and_no_missing_one() -> None:
    with pytest.raises(BlockError, match="row 0, column 1: expected a finite number, found inf"):
        Clip(0).fit([[1.0, math.inf]])
