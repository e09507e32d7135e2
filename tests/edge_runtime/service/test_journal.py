"""The journal is known by the stream itself, not by the variable alone."""

import os
from pathlib import Path

import pytest

from edge_runtime.service.journal import Level, goes_to_journal, prefix


def named(descriptor: int) -> dict[str, str]:
    found = os.fstat(descriptor)
    return {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}


def test_only_the_named_stream_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "one").open("w") as one, (tmp_path / "other").open("w") as other:
        assert goes_to_journal(one.fileno(), named(one.fileno()))
        assert not goes_to_journal(one.fileno(), named(other.fileno()))
        assert not goes_to_journal(one.fileno(), {})
        closed = one.fileno()
    assert not goes_to_journal(closed, {"JOURNAL_STREAM": "1:2"})


@pytest.mark.parametrize(("name", "expected"), [("error", "<3>"), ("warning", "<4>"), ("debug", "<7>")])
def test_levels_have_the_numbers_of_syslog(name: str, expected: str) -> None:
    assert prefix(Level.named(name)) == expected
