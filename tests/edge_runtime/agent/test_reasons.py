"""When two sentences tell the same."""

import pytest

from edge_runtime.agent.reasons import reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("process 7 was ended", "process 812 was ended"),
        ("a fault at 0x7f3a00", "a fault at 0x55d1c8"),
        ("2026-11-28 20:10:11.123 [W:onnxruntime]", "2026-11-29 01:00:00.5 [W:onnxruntime]"),
        ("a buffer of size 4096", "a buffer of size 512MB"),
    ],
)
def test_numbers_make_no_other_reason(one: str, other: str) -> None:
    assert reason(one) == reason(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ended by SIGKILL", "ended by SIGSEGV"), ("int8 does not run", "fp32 does not run")],
)
def test_other_words_do(one: str, other: str) -> None:
    assert reason(one) != reason(other)
