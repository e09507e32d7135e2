"""What all blocks share, seen on the smallest ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline, make_union

from converter.blocks import (
    Block,
    BlockError,
    Clip,
    Detrend,
    Flatten,
    Log,
    Magnitude,
    Percentiles,
    Ratio,
    Statistics,
)
from tests.converter.blocks.cases import noise

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0], "c": [7.0, 8.0, 9.0]})


class Positive(Block):
    reads = "columns"

    def refused(self, x: Any) -> Sequence[tuple[Any, str]]:
        return [(np.any(x < 0, axis=1), "expected no debt."), (np.any(x == 0, axis=1), "expected some.")]

    def compute(self, x: Any) -> Any:
        return np.sqrt(x)


def test_rows_that_a_block_refuses_are_one_error_with_the_first_ones_number() -> None:
    block = Positive().fit([[1.0], [4.0]])
    assert block.transform([[4.0]]) == 2
    with pytest.raises(BlockError, match=r"^Positive: row 1: expected no debt\.$"):
        block.transform([[0.0], [-1.0]])
    with pytest.raises(BlockError, match="row 0: expected some"):
        Positive().fit([[0.0]])


def test_columns_in_another_order_are_refused_not_mixed_up() -> None:
    block = Clip(0, 5).fit(FRAME)
    assert block.transform(FRAME).shape == (3, 3)
    with pytest.raises(BlockError, match=r"expected columns \['a', 'b', 'c'\], as in fit; found"):
        block.transform(FRAME[["b", "a", "c"]])
    assert block.fit(FRAME.to_numpy()).transform(FRAME[["b", "a", "c"]]).shape == (3, 3)
    with pytest.raises(BlockError, match=r"columns of shape \(3,\), as in fit"):
        block.transform(FRAME.to_numpy()[:, :2])


def test_blocks_of_columns_stand_in_a_column_transformer_and_give_data_frames() -> None:
    columns = make_column_transformer(
        (Log(), ["a", "b"]),
        (make_pipeline(Clip(quantiles=(0, 0.5)), Ratio([(0, 1)])), ["b", "c"]),
        verbose_feature_names_out=False,
    )
    found = clone(columns.set_output(transform="pandas")).fit(FRAME).transform(FRAME)
    assert found.columns.tolist() == ["a", "b", "b_over_c"]
    assert found.dtypes.unique() == [np.float32]
    assert found["b_over_c"].tolist() == pytest.approx([4 / 7, 5 / 8, 5 / 8])


def test_blocks_of_windows_stand_side_by_side_behind_blocks_that_give_windows() -> None:
    windows = noise(50, 6)(8)
    union = make_union(
        Statistics(("mean",)),
        make_pipeline(Magnitude(((0, 1, 2), (3, 4, 5))), Detrend(), Percentiles((50,))),
        make_pipeline(Detrend(), Flatten()),
    )
    found = union.fit(windows).transform(windows)
    assert found.shape == (8, 6 + 2 + 300)
    assert found.dtype == np.float32
    names = union.get_feature_names_out(["ax", "ay", "az", "gx", "gy", "gz"])
    assert names[[0, 6, 8]].tolist() == [
        "statistics__ax_mean", "pipeline-1__magnitude_ax_ay_az_p50", "pipeline-2__ax_at0",
    ]  # fmt: skip
    features = union.transformer_list[0][1].set_output(transform="pandas").transform(windows)
    assert isinstance(features, pd.DataFrame)
