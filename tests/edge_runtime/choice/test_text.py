"""A table of candidates, in columns and in one line."""

from edge_runtime.choice.text import columns, in_short
from edge_runtime.engine.candidate import Candidate
from tests.edge_runtime.choice.rows import row

ROWS = [row("int8", 10), row("fp32", 1234.56), row("fp16", why_not="needs tensorrt (no GPU)")]


def test_people_get_columns_marks_and_a_sentence_for_each_that_cannot_serve() -> None:
    assert columns(ROWS, {Candidate("int8", "cpu"): "runs"}) == [
        "variant   on  p50 µs  p99.9 µs  peak MB  allocated MB",
        "int8     cpu    10.0      20.0       40            50  runs",
        "fp32     cpu  1234.6    2469.1       40            50",
        "fp16     cpu       -         -        -             -",
        "fp16 on cpu: needs tensorrt (no GPU)",
    ]


def test_one_alone_has_no_columns_of_figures() -> None:
    assert columns([row("fp32", provider="")]) == ["variant  on", "fp32      -"]


def test_a_log_gets_one_line() -> None:
    assert in_short(ROWS) == (
        "int8 on cpu 10.0 µs, 40 MB; fp32 on cpu 1234.6 µs, 40 MB; fp16 on cpu cannot serve: needs "
        "tensorrt (no GPU)"
    )
    assert in_short([row("fp32")]) == "fp32 on cpu"
