"""One line an event, with its level, on standard error: for the journal and for a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.agent.books import level_of
from edge_runtime.service.journal import Level

SAYS = """
import logging, os, sys
from edge_runtime.agent.log import alert, install_logging, say, warn
from edge_runtime.service.journal import Level
if len(sys.argv) > 2:
    found = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
install_logging(Level.named(sys.argv[1]))
alert("broken\\nin two")
warn("odd")
say("fine")
say("detail", Level.DEBUG)
try:
    raise ValueError("deep")
except ValueError:
    logging.getLogger("any").exception("a library failed")
"""
FOREIGN = """
import logging
from edge_runtime.agent.log import install_logging, warn
install_logging()
warn("worker: bye\\x1b[31m \\u202e\\x9b1m\\udc80 at 80 °C")
logging.getLogger("any").warning("a library \\x1b]0;title\\x07")
warn("x" * 5000)
"""


def lines(folder: Path, *arguments: str, script: str = SAYS) -> list[str]:
    with (folder / "stderr").open("w+") as stream:
        subprocess.run([sys.executable, "-c", script, *arguments], stderr=stream, check=True, timeout=30)
        stream.seek(0)
        return stream.read().splitlines()


def test_the_journal_gets_levels_and_no_time(tmp_path: Path) -> None:
    assert lines(tmp_path, "debug", "journal") == [
        "<3>broken in two",
        "<4>odd",
        "<6>fine",
        "<7>detail",
        "<3>a library failed (ValueError: deep)",
    ]


def test_elsewhere_a_line_has_its_time_and_a_word(tmp_path: Path) -> None:
    found = lines(tmp_path, "info")
    assert [line[24:] for line in found] == [
        "error   broken in two",
        "warning odd",
        "info    fine",
        "error   a library failed (ValueError: deep)",
    ]
    assert all(line[4] == "-" and line[13] == ":" for line in found)


def test_a_level_leaves_out_what_is_less_bad(tmp_path: Path) -> None:
    assert len(lines(tmp_path, "error")) == 2
    assert len(lines(tmp_path, "warning")) == 3


def test_what_a_terminal_would_act_on_is_escaped_in_every_line(tmp_path: Path) -> None:
    assert [line[24:] for line in lines(tmp_path, script=FOREIGN)] == [
        r"warning worker: bye\x1b[31m \u202e\x9b1m\udc80 at 80 °C",
        r"warning a library \x1b]0;title\x07",
        "warning " + "x" * 5000,
    ]


@pytest.mark.parametrize(
    ("event", "level"),
    [("activated", Level.INFO), ("samples late", Level.WARNING), ("rejected", Level.ERROR)],
)
def test_events_are_as_bad_as_what_somebody_has_to_do(event: str, level: Level) -> None:
    assert level_of(event) is level


def test_a_command_that_ends_in_the_journal_says_so_as_an_error(tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("w+") as stream:
        found = os.fstat(stream.fileno())
        done = subprocess.run(
            [Path(sys.executable).with_name("edge-runtime"), "run", "--config", tmp_path / "none.toml"],
            stderr=stream,
            env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
            check=False,
            timeout=60,
        )
        stream.seek(0)
        assert done.returncode == 3
        assert stream.read().startswith(f"<3>error: {tmp_path}/none.toml: cannot be read: ")
