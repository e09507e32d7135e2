"""`predict` and `bench`, as a person and as a program use them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.engine import bench
from edge_runtime.engine.golden import rows_of
from edge_runtime.errors import GoldenMismatchError
from tests.support.graphs import (
    anomaly_windows,
    counting_texts,
    doubling_regression,
    two_labels,
)
from tests.support.own_engine import own_engine
from tests.support.persons import persons_table
from tests.support.refusing import refusing_table
from tests.support.tiny_bundle import golden_windows, root_bytes, tiny_bundle

WINDOWS = golden_windows()
LINES = ["still"] * 3 + ["moving"] * 3
RUN = "from edge_runtime.cli import main; main()"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.edge").write_bytes(tiny_bundle())
    Path("root.json").write_bytes(root_bytes())
    np.savez("new.npz", windows=WINDOWS, labels=np.array(LINES))
    np.save("new.npy", WINDOWS)
    return tmp_path


def _run(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    code = cli.run(line.split())
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    "command", ["predict tiny.edge --inputs new.npy", "bench tiny.edge --seconds 0.1"]
)
def test_a_bundle_for_another_board_does_not_run(folder: Path, capsys, command: str) -> None:
    Path("tiny.edge").write_bytes(tiny_bundle(boards=("pi5",)))

    code, out, err = _run(capsys, f"{command} --trust root.json --board pi4")
    assert (code, out) == (8, "")
    assert "fp32 is made for pi5 (this is pi4)" in err
    assert _run(capsys, f"{command} --trust root.json --board pi5")[0] == 0


def test_an_engine_that_does_not_give_the_golden_outputs_predicts_nothing(folder: Path, capsys) -> None:
    Path("tiny.edge").write_bytes(tiny_bundle(behaviour="wrong"))

    code, out, err = _run(capsys, "predict tiny.edge --inputs new.npy --trust root.json")

    assert (code, out) == (GoldenMismatchError.exit_code, "")
    assert "It must not serve on this machine." in err


@pytest.mark.parametrize("trust", ["--trust root.json", "--allow-unsigned"])
@pytest.mark.parametrize("inputs", ["new.npy", "new.npz:windows"])
def test_predict_prints_one_label_a_line(folder: Path, capsys, trust: str, inputs: str) -> None:
    code, out, err = _run(capsys, f"predict tiny.edge --inputs {inputs} {trust}")

    assert (code, out.splitlines(), err) == (0, LINES, "")


def test_probabilities_are_csv_with_titles(folder: Path, capsys) -> None:
    _, out, _ = _run(capsys, "predict tiny.edge --inputs new.npy --trust root.json --probabilities")

    titles, first, *others = out.splitlines()
    assert titles == "label,still,moving"
    label, still, moving = first.split(",")
    assert label == "still"
    assert np.float32(still) + np.float32(moving) == pytest.approx(1)
    assert len(others) == 5


def test_json_is_one_document(folder: Path, capsys) -> None:
    _, out, err = _run(capsys, "predict tiny.edge --inputs new.npy --trust root.json --json")
    assert json.loads(out) == {"name": "tiny", "version": "1.0.0", "predictions": LINES}
    assert err == ""

    _, out, _ = _run(
        capsys, "predict tiny.edge --inputs new.npy --trust root.json --json --probabilities"
    )
    document = json.loads(out)
    assert document["classes"] == ["still", "moving"]
    assert np.allclose(np.sum(document["probabilities"], axis=1), 1)


@pytest.mark.parametrize(("columns", "lines"), [(1, ["3.0", "0.2"]), (2, ["3.0,4.0", "0.2,-2.0"])])
def test_a_regression_prints_values_in_their_shortest_form(
    folder: Path, capsys, columns: int, lines: list[str]
) -> None:
    doubling_regression(folder / "double.edge", columns=columns)
    np.save("rows.npy", np.array([[1.5, 2], [0.1, -1]], np.float32)[:, :columns])

    _, out, _ = _run(capsys, "predict double.edge --inputs rows.npy --allow-unsigned")
    assert out.splitlines() == lines
    code, _, err = _run(capsys, "predict double.edge --inputs rows.npy --allow-unsigned --probabilities")
    assert code == 8
    assert "this regression model has no probabilities" in err


def test_a_refused_row_of_a_file_is_one_error_with_its_number(folder: Path, capsys) -> None:
    refusing_table(folder / "table.edge")
    Path("rows.csv").write_text("value_in,refused_in\n1.5,0\n2.5,0\n3.5,2\n")

    code, out, err = _run(capsys, "predict table.edge --allow-unsigned --inputs rows.csv")

    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert "row 2: a number beyond the knots. The model was not trained for it: correct" in err


def test_points_between_goldens_that_a_model_refuses_are_not_measured(
    folder: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing_table(folder / "table.edge")
    between = {"value_in": np.array([2.0]), "refused_in": np.array([1])}
    monkeypatch.setattr(bench, "rotating_rows", lambda golden: [*rows_of(golden), between])

    code, out, _ = _run(capsys, "bench table.edge --allow-unsigned --seconds 0.05 --json")

    assert code == 0
    assert json.loads(out)["one_row"]["rows"] > 0


def test_a_table_is_read_from_csv_or_npz_by_the_names_of_its_columns(folder: Path, capsys) -> None:
    persons_table(folder / "persons.edge")
    Path("rows.csv").write_text("member,home town,age,visits\n1,Ulm,30.5,0\ntrue,,7.25,12\n,Ulm,1,1\n")
    predict = "predict persons.edge --allow-unsigned --inputs"

    code, _, err = _run(capsys, f"{predict} rows.csv")
    assert code == 4
    assert "rows.csv, line 4, column 'member': expected true or false" in err

    Path("rows.csv").write_text("member,home town,age,visits\n1,Ulm,30.5,0\ntrue,,7.25,12\n")
    assert _run(capsys, f"{predict} rows.csv") == (0, "110030.5\n311207.25\n", "")

    columns = {"age": [30.5], "visits": [0], "member": [True], "home town": ["Ulm"]}
    np.savez("rows.npz", **columns)
    assert _run(capsys, f"{predict} rows.npz")[1] == "110030.5\n"

    code, _, err = _run(capsys, f"{predict} new.npz")
    assert code == 4
    assert "new.npz: expected the columns 'age', 'visits', 'member', 'home town', found" in err
    assert len(err.splitlines()) == 1


def test_an_array_of_texts_is_read_from_npy(folder: Path, capsys) -> None:
    counting_texts(folder / "texts.edge")
    np.save("texts.npy", np.array([["a", "b"]]))

    line = "predict texts.edge --allow-unsigned --inputs"
    assert _run(capsys, f"{line} texts.npy") == (0, "1.0,9.0\n", "")
    assert _run(capsys, f"{line} new.npy")[0] == 4


def test_several_labels_are_csv_with_their_names_as_titles(folder: Path, capsys) -> None:
    two_labels(folder / "two.edge")
    np.save("rows.npy", np.array([[0, 2], [1, 1]], np.float32))
    line = "predict two.edge --allow-unsigned --inputs rows.npy"

    assert _run(capsys, line)[1] == "colour,size\nred,L\nblue,M\n"
    assert _run(capsys, f"{line} --probabilities")[1].splitlines() == [
        "colour,size,colour: red,colour: blue,size: S,size: M,size: L",
        "red,L,1.0,0.0,0.0,0.0,1.0",
        "blue,M,0.0,1.0,0.0,1.0,0.0",
    ]
    document = json.loads(_run(capsys, f"{line} --probabilities --json")[1])
    assert document["predictions"] == [["red", "L"], ["blue", "M"]]
    assert document["labels"] == [
        {"name": "colour", "classes": ["red", "blue"]},
        {"name": "size", "classes": ["S", "M", "L"]},
    ]
    assert np.shape(document["probabilities"]) == (2, 2, 3)
    assert "classes" not in document


def test_an_anomaly_has_its_score_beside_the_label(folder: Path, capsys) -> None:
    anomaly_windows(folder / "anomaly.edge")
    np.save("rows.npy", np.zeros((2, 4, 2), np.float32) + np.float32([[[3]], [[0.5]]]))
    line = "predict anomaly.edge --allow-unsigned --inputs rows.npy"

    assert _run(capsys, line)[1] == "label,score\nanomaly,-2.0\nnormal,0.5\n"
    document = json.loads(_run(capsys, f"{line} --json")[1])
    assert document["predictions"] == ["anomaly", "normal"]
    assert document["scores"] == [-2, 0.5]


def test_no_rows_are_no_lines(folder: Path, capsys) -> None:
    anomaly_windows(folder / "anomaly.edge")
    persons_table(folder / "persons.edge")
    np.save("rows.npy", np.zeros((0, 4, 2), np.float32))
    Path("rows.csv").write_text("member,home town,age,visits\n")

    assert _run(capsys, "predict tiny.edge --allow-unsigned --inputs rows.npy") == (0, "", "")
    assert _run(capsys, "predict persons.edge --allow-unsigned --inputs rows.csv") == (0, "", "")
    _, out, _ = _run(capsys, "predict anomaly.edge --allow-unsigned --inputs rows.npy")
    assert out == "label,score\n"


def test_bench_measures_a_table(folder: Path, capsys) -> None:
    persons_table(folder / "persons.edge")

    code, out, _ = _run(capsys, "bench persons.edge --allow-unsigned --seconds 0.1 --json")
    assert code == 0
    assert json.loads(out)["one_row"]["rows"] > 10


@pytest.mark.parametrize("trust", ["", "--trust root.json --allow-unsigned"])
@pytest.mark.parametrize("command", ["predict tiny.edge --inputs new.npy", "bench tiny.edge"])
def test_exactly_one_way_to_trust_is_given(folder: Path, capsys, command: str, trust: str) -> None:
    code, _, err = _run(capsys, f"{command} {trust}")

    assert code == 2
    assert "give either --trust root.json or --allow-unsigned" in err


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("predict none.edge --inputs new.npy", 5, "cannot be read"),
        ("predict tiny.edge --inputs none.npy", 4, "none.npy: cannot be read"),
        ("predict tiny.edge --inputs new.npz", 4, "Choose one with new.npz:NAME"),
        ("predict tiny.edge --inputs flat.csv", 4, "expected shape (n, 4, 2), found (1, 2)"),
        ("bench none.edge", 5, "cannot be read"),
    ],
)
def test_an_error_is_one_line_and_its_code(
    folder: Path, capsys, line: str, code: int, told: str
) -> None:
    Path("flat.csv").write_text("1,2\n")

    found, out, err = _run(capsys, f"{line} --allow-unsigned")

    assert (found, out) == (code, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_bench_reports_in_json_and_shows_progress_beside_it(folder: Path, capsys) -> None:
    code, out, err = _run(capsys, "bench tiny.edge --trust root.json --seconds 0.2 --json")

    found = json.loads(out)
    assert code == 0
    assert "one row at a time" in err
    assert found["one_row"]["rows"] > 100
    assert 0 < found["one_row"]["p50_us"] <= found["one_row"]["p99_9_us"]
    assert found["load_ms"] > 0
    assert found["first_prediction_ms"] > 0
    assert found["batch_rows_per_s"] > 0
    assert found["peak_memory_mb"] > 20
    assert {"numpy", "onnxruntime", "edge-runtime"} <= set(found["installed_mb"])


@pytest.mark.parametrize(
    "command", ["predict tiny.edge --inputs new.npy", "bench tiny.edge --seconds 0.05"]
)
def test_what_an_engine_prints_is_no_part_of_the_answer(folder: Path, command: str) -> None:
    """By Python, past it, and from C, which keeps it in a buffer of its own."""
    Path("tiny.edge").write_bytes(tiny_bundle(engine="own"))
    prints = "print('py'); os.write(1, b'raw\\n'); ctypes.CDLL(None).printf(b'c\\n')"
    done = subprocess.run(
        [sys.executable, "-c", RUN, *command.split(), "--trust", "root.json", "--json"],
        env={**os.environ, "PYTHONUNBUFFERED": "", **own_engine(folder, load=prints)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["name"] == "tiny"
    assert {"py", "raw", "c"} <= set(done.stderr.splitlines())


def test_bench_prints_a_table(folder: Path, capsys) -> None:
    _, out, _ = _run(capsys, "bench tiny.edge --trust root.json --seconds 0.1")

    assert [line[:18].strip() for line in out.splitlines()] == [
        *("model", "load", "first prediction", "one row", "in batches", "peak memory", "installed")
    ]
