"""A real SIGKILL before every line of the journal's code: between any two of its stores into memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.end_to_end
def test_the_samples_and_runs_are_those_of_a_life_without_a_kill(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    command = [sys.executable, "-m", "tests.support.killed_journal", str(tmp_path)]

    found = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert found.stderr == ""
    assert int(found.stdout) > 500
    record_property("power: path", "journal")
    record_property("power: kills", int(found.stdout))
