"""The commands on a bundle of several inputs and outputs."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import cli
from tests.support.several import GIVEN, GRID, said, several

PREDICT = "predict two.edge --allow-unsigned --inputs"


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    several(Path("two.edge"))
    several(Path("grid.edge"), outputs=(GRID,))
    np.savez("new.npz", **GIVEN, other=np.zeros(1))


pytestmark = pytest.mark.usefixtures("_folder")


def _run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = cli.run(line.split())
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_predict_prints_a_line_of_titles_and_all_outputs_side_by_side(capsys) -> None:
    code, out, err = _run(capsys, f"{PREDICT} new.npz")

    titles, *lines = out.splitlines()
    assert (code, err) == (0, "")
    assert (
        titles == 'total,"grid[0, 0]","grid[0, 1]","grid[1, 0]","grid[1, 1]","grid[2, 0]","grid[2, 1]"'
    )
    expected = said(GIVEN)
    found = np.array([line.split(",") for line in lines], np.float32)
    assert np.array_equal(found[:, 0], expected["total"])
    assert np.array_equal(found[:, 1:], expected["grid"].reshape(4, -1))


def test_predict_prints_each_output_by_its_name_for_programs(capsys) -> None:
    _, out, _ = _run(capsys, f"{PREDICT} new.npz --json")

    expected = {name: array.tolist() for name, array in said(GIVEN).items()}
    assert json.loads(out)["predictions"] == expected


def test_one_output_of_many_axes_is_a_line_a_row(capsys) -> None:
    _, out, _ = _run(capsys, "predict grid.edge --allow-unsigned --inputs new.npz")

    found = np.array([line.split(",") for line in out.splitlines()], np.float32)
    assert np.array_equal(found, said(GIVEN)["grid"].reshape(4, -1))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("new.npy", "expected an .npz with the arrays 'points', 'factors', one an input, found .npy"),
        ("some.npz", "one an input, found 'points': 'factors' is missing"),
        ("short.npz", "input 'factors': expected 4 rows as of input 'points', found 3"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(capsys, file: str, told: str) -> None:
    np.save("new.npy", GIVEN["points"])
    np.savez("some.npz", points=GIVEN["points"])
    np.savez("short.npz", points=GIVEN["points"], factors=GIVEN["factors"][:3])

    code, out, err = _run(capsys, f"{PREDICT} {file}")

    assert code != 0
    assert out == ""
    assert told in err
    assert len(err.splitlines()) == 1


def test_bench_measures_it(capsys) -> None:
    code, out, _ = _run(capsys, "bench two.edge --allow-unsigned --seconds 0.1 --json")

    assert code == 0
    assert json.loads(out)["one_row"]["p50_us"] > 0


def test_inspect_shows_inputs_and_outputs(capsys) -> None:
    _, out, _ = _run(capsys, "inspect two.edge")

    assert "  points: float32 (batch, 3)\n  factors: int64 (batch, 2)\n" in out
    assert "  total: float32 (batch), value\n  grid: float32 (batch, 3, 2), value\n" in out
