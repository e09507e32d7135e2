"""Rows become JSON that every collector takes, or are refused before they get a number."""

import math
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from edge_runtime.telemetry.messages import Metrics, Row
from edge_runtime.telemetry.row_json import encode_row, lane_of
from tests.edge_runtime.telemetry.rows import event, metrics, prediction


@pytest.mark.parametrize("row", [prediction(3), metrics(cpu_percent=1.5), event()])
def test_a_row_comes_back_with_the_number_it_was_given(row: Row) -> None:
    found = msgspec.json.decode(encode_row(row, 7), type=Row)
    assert found == msgspec.structs.replace(row, seq=7)


def test_an_answer_that_is_no_number_is_named() -> None:
    row = msgspec.structs.replace(prediction(1), values=(1.0, math.nan))
    told = "a prediction row: expected finite numbers, found nan among the model's values."
    with pytest.raises(InputError, match=re.escape(told)):
        encode_row(row, 1)


@pytest.mark.parametrize(
    "row",
    [
        metrics(x=math.nan),
        metrics(x=math.inf),
        msgspec.structs.replace(prediction(1), values=(1.0, math.nan)),
        msgspec.structs.replace(prediction(1), time=math.inf),
        msgspec.structs.replace(prediction(1), first=-1),
        msgspec.structs.replace(prediction(1), last=1 << 60),
        msgspec.structs.replace(prediction(1), first=1 << 80),
        msgspec.structs.replace(prediction(1), label="\ud800"),
        msgspec.structs.replace(event(), count=-1),
        msgspec.structs.replace(event(), detail="x" * 70_000),
        metrics(x="much"),  # type: ignore[arg-type]
        metrics(x=object()),  # type: ignore[arg-type]
    ],
)
def test_what_no_collector_would_take_is_refused(row: Row) -> None:
    with pytest.raises(InputError, match="row"):
        encode_row(row, 1)


@pytest.mark.parametrize("model", ["", "a/b", "a b", "+", "#", "Ä", "x" * 100])
def test_a_model_whose_name_makes_no_topic_is_refused(model: str) -> None:
    with pytest.raises(InputError, match="model"):
        lane_of(prediction(1, model))


def test_predictions_of_a_model_share_a_lane_and_all_else_another() -> None:
    assert [lane_of(row) for row in (prediction(1, "a"), metrics(), event())] == ["a", "", ""]


@given(st.dictionaries(st.text(max_size=20), st.floats(), max_size=5))
def test_finite_metrics_pass_and_no_others(values: dict[str, float]) -> None:
    row = Metrics(seq=0, time=0.0, values=values)
    try:
        body = encode_row(row, 1)
    except InputError:
        assert not all(map(math.isfinite, values.values())) or _has_surrogate(values)
    else:
        assert msgspec.json.decode(body, type=Row) == msgspec.structs.replace(row, seq=1)


def _has_surrogate(values: dict[str, float]) -> bool:
    return any(0xD800 <= ord(character) < 0xE000 for name in values for character in name)
