"""Every numbered example but the demo, which CI runs by itself, as a reader runs it: from its folder."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("[0-9]*/example.py"))


@pytest.mark.end_to_end
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.parent.name)
def test_an_example_runs_and_every_claim_it_prints_held(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "held     " in done.stdout
    assert "NOT HELD" not in done.stdout
    assert list(tmp_path.glob("*.edge"))
    assert list(tmp_path.glob("*.png"))


def test_every_numbered_example_is_run() -> None:
    run_here = {script.parent.name for script in SCRIPTS}
    assert {each.name for each in EXAMPLES.glob("[0-9]*")} == run_here | {"01_whole_loop"}
