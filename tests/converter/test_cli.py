import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from edge_runtime.bundle import generate_private_key, open_bundle
from edge_runtime.bundle.keys import encode_private_key
from edge_runtime.cli import run
from tests.support.full_disk import files_of_at_most
from tests.support.motion import RECORDINGS, motion_model

ROWS, SPECIES = load_iris(return_X_y=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trained model, a signing key, inputs and labels in each kind of file."""
    joblib.dump(motion_model(10), tmp_path / "motion.joblib")
    forest = RandomForestClassifier(5, random_state=0).fit(ROWS, SPECIES)
    (tmp_path / "iris.pkl").write_bytes(pickle.dumps(forest))
    np.savetxt(tmp_path / "rows.csv", ROWS, delimiter=",", fmt="%.6f")
    np.savetxt(tmp_path / "labels.csv", SPECIES, fmt="%d")
    np.save(tmp_path / "rows.npy", ROWS)
    key = tmp_path / "key.pem"
    key.write_bytes(encode_private_key(generate_private_key()))
    key.chmod(0o600)
    return tmp_path


def convert(folder: Path, model: str = "motion.joblib", **changes: str | None) -> int:
    """Run the command with the motion model's options, changed; None leaves one out, "" is a flag."""
    options: dict[str, str | None] = {
        "inputs": f"{RECORDINGS}:test_windows",
        "labels": f"{RECORDINGS}:test_labels",
        "name": "motion",
        "version": "1.0.0",
        "output": str(folder / "motion.edge"),
        "signing_key": str(folder / "key.pem"),
    }
    arguments = ["convert", str(folder / model)]
    for name, value in (options | changes).items():
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", *([value] if value else [])]
    return run(arguments)


ROWS_ONLY: dict[str, str | None] = {"name": "iris", "labels": None}


def test_a_model_becomes_a_signed_bundle_with_a_report(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(folder, channels="a, b,c,d,e,f", rate_hz="10", stride="25") == 0
    out, err = capsys.readouterr()
    assert "accuracy 0.9" in out
    assert f"wrote {folder / 'motion.edge'}" in out
    assert f"signed by {folder / 'key.pem'}" in out
    assert "proving parity" in err
    with open_bundle(folder / "motion.edge", root=None, allow_unsigned=True) as bundle:
        assert bundle.manifest.window is not None
        assert bundle.manifest.window.channels == tuple("abcdef")
        assert (bundle.manifest.window.rate_hz, bundle.manifest.window.stride) == (10.0, 25)


def test_training_data_and_a_report_are_files_like_any_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = {
        "training": f"{RECORDINGS}:train_windows",
        "training_labels": f"{RECORDINGS}:train_labels",
    }
    report = folder / "report.html"
    assert convert(folder, report=str(report), cross_validation="2", **trained) == 0
    out, err = capsys.readouterr()
    assert "cross-validation of 2 folds of 40 training inputs" in out
    assert "sketches of 40 training inputs travel with the model" in out
    assert "measuring the variants for the report" in err
    assert "cross-validation of 2 folds" in report.read_text(encoding="utf-8")


def test_training_inputs_alone_are_sketched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(folder, training=f"{RECORDINGS}:train_windows") == 0
    out = capsys.readouterr().out
    assert "sketches of 40 training inputs" in out
    assert "cross-validation" not in out


@pytest.mark.parametrize(
    ("changes", "code", "what"),
    [
        ({"training_labels": f"{RECORDINGS}:train_labels"}, 2, "expected --training FILE too"),
        ({"report": "/no/such/folder/a.html"}, 11, "folder does not exist"),
        ({"report": "motion.edge"}, 2, "another file than --output"),
        ({"report": "../{here}/motion.edge"}, 2, "another file than --output"),
        ({"training": f"{RECORDINGS}:train_labels"}, 4, "expected numbers"),
        (
            {"training": f"{RECORDINGS}:train_windows", "training_labels": f"{RECORDINGS}:test_labels",
             "cross_validation": "11"},
            4, "at least 11 rows of every class, one a fold, found 10",
        ),
    ],
)  # fmt: skip
def test_training_data_or_a_report_that_cannot_be_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict, code: int, what: str
) -> None:
    if "motion.edge" in changes.get("report", ""):
        changes = {"report": str(folder / changes["report"].format(here=folder.name))}
    before = sorted(folder.iterdir())
    assert convert(folder, **changes) == code
    assert what in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_json_is_the_manifest_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(folder, json="", release="7", floor="5") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert (manifest["name"], manifest["release"], manifest["floor"]) == ("motion", 7, 5)


@pytest.mark.parametrize("inputs", ["rows.csv", "rows.npy"])
def test_pickles_and_plain_rows_do_as_well(folder: Path, inputs: str) -> None:
    labels = str(folder / "labels.csv")
    assert convert(folder, "iris.pkl", inputs=str(folder / inputs), labels=labels, name="iris") == 0


def test_signing_is_forgotten_by_nobody(
    folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert convert(folder, signing_key=None) == 2
    assert "--unsigned" in capsys.readouterr().err
    assert convert(folder, unsigned="") == 2
    assert not (folder / "motion.edge").exists()
    assert convert(folder, signing_key=None, unsigned="") == 0
    file = folder / "motion.edge"
    assert f"{file} is not signed: devices refuse it. Sign it: edge-runtime sign {file}" in caplog.text
    assert "replacing" not in capsys.readouterr().err


def test_a_file_that_is_replaced_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert convert(folder) == 0
    replacing = f"replacing {folder / 'motion.edge'}, which is there already"
    assert capsys.readouterr().err.count(replacing) == 1


def broken_pickle(folder: Path) -> None:
    whole = (folder / "iris.pkl").read_bytes()
    (folder / "iris.pkl").write_bytes(whole[: len(whole) // 2])


def older_sklearn(folder: Path) -> None:
    import sklearn

    raw = (folder / "iris.pkl").read_bytes()
    version = sklearn.__version__.encode()
    (folder / "iris.pkl").write_bytes(raw.replace(version, b"0" + version[1:]))


def unknown_class(folder: Path) -> None:
    (folder / "iris.pkl").write_bytes(b"cno_such_module\nThing\n.")


def not_a_model(folder: Path) -> None:
    (folder / "iris.pkl").write_bytes(pickle.dumps([1, 2, 3]))


def no_file(folder: Path) -> None:
    (folder / "iris.pkl").unlink()


def a_folder(folder: Path) -> None:
    no_file(folder)
    (folder / "iris.pkl").mkdir()


def empty(folder: Path) -> None:
    (folder / "iris.pkl").write_bytes(b"")


def a_text(folder: Path) -> None:
    (folder / "iris.pkl").write_text("hello, this is no model\n")


def a_dict(folder: Path) -> None:
    whole = pickle.loads((folder / "iris.pkl").read_bytes())
    (folder / "iris.pkl").write_bytes(pickle.dumps({"model": whole}))


def not_fitted(folder: Path) -> None:
    (folder / "iris.pkl").write_bytes(pickle.dumps(RandomForestClassifier()))


def says_nothing_of_new_rows(folder: Path) -> None:
    (folder / "iris.pkl").write_bytes(pickle.dumps(DBSCAN().fit(ROWS)))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (broken_pickle, r"found a file that is damaged or of another kind .* joblib\.dump\("),
        (empty, r"expected a saved model, found an empty file.*joblib\.dump\("),
        (a_text, r"expected a model saved by joblib or pickle.*joblib\.dump\("),
        (a_folder, "cannot be read: Is a directory"),
        (a_dict, "found an object of type dict. Give the fitted model itself"),
        (not_fitted, "is not fitted. Call fit on the model first"),
        (says_nothing_of_new_rows, "DBSCAN neither predicts nor transforms"),
        (older_sklearn, "saved by scikit-learn 0"),
        (unknown_class, "cannot be imported here.*no_such_module"),
        (not_a_model, "expected a fitted scikit-learn.*found an object of type list"),
        (no_file, "no such file"),
    ],
)
def test_a_model_file_that_is_no_model_is_one_clear_error(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: object, what: str
) -> None:
    spoil(folder)
    before = sorted(folder.iterdir())
    assert convert(folder, "iris.pkl", inputs=str(folder / "rows.csv"), **ROWS_ONLY) == 9
    _is_one_clear_error(capsys.readouterr().err, what)
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may do everything")
class TestWithoutPermission:
    def test_a_model_file_is_one_clear_error(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "iris.pkl").chmod(0)
        assert convert(folder, "iris.pkl", inputs=str(folder / "rows.csv"), **ROWS_ONLY) == 9
        _is_one_clear_error(capsys.readouterr().err, "iris.pkl: cannot be read: Permission denied")

    def test_inputs_are_one_clear_error(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "rows.csv").chmod(0)
        assert convert(folder, "iris.pkl", inputs=str(folder / "rows.csv"), **ROWS_ONLY) == 4
        _is_one_clear_error(capsys.readouterr().err, "rows.csv: cannot be read: Permission denied")

    def test_a_folder_to_write_is_told_before_the_work(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "out").mkdir(0o555)
        assert convert(folder, "no-such.pkl", output=str(folder / "out" / "a.edge")) == 11
        _is_one_clear_error(capsys.readouterr().err, "its folder is not writable for you")


NOT_INPUTS = {
    "short.npy": (ROWS[:, :3], "expected 4 features, as in training; found 3"),
    "windows.npy": (ROWS.reshape(10, 15, 4), "found 3 dimensions. Windows need a block"),
    "one.npy": (ROWS[0], r"expected shape \(inputs, features\).* found \(4,\)"),
    "none.npy": (ROWS[:0], r"none of them 0; found \(0, 4\)"),
    "number.npy": (np.float64(3), r"expected shape .* found \(\)"),
    "texts.npy": (ROWS.astype(str), "expected numbers, found dtype <U32"),
    "complex.npy": (ROWS.astype(complex), "found dtype complex128. Save a plain array"),
    "objects.npy": (ROWS.astype(object), "found dtype object. Objects are never read from a file"),
    "infinite.npy": (np.where(ROWS > 6, np.inf, ROWS), "found inf at"),
    "cut.npy": (b"\x93NUMPY", "expected a numpy .npy file, found something else"),
    "words.csv": (b"a,b,c,d\n1,2,x,4\n", "found 'x' in line 2, column 3"),
    "ragged.csv": (b"1,2,3,4\n1,2,3\n", "found 3 columns in line 2, and 4 before"),
    "semicolons.csv": (b"1;2;3;4\n5;6;7;8\n", "found '5;6;7;8' in line 2, column 1"),
    "latin.csv": ("a,b\n1,é\n".encode("latin-1"), "expected text in UTF-8"),
    "empty.csv": (b"", "expected rows, found an empty file"),
    "rows.txt": (b"1 2 3 4\n", "expected a file that ends in .npz, .npy or .csv"),
    "two.npz:rows": ({"x": ROWS, "y": SPECIES}, "expected an array 'rows', found: x, y"),
}


@pytest.mark.parametrize("name", NOT_INPUTS)
def test_inputs_that_do_not_fit_are_one_clear_error(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    content, what = NOT_INPUTS[name]
    path = folder / name.partition(":")[0]
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    else:
        np.save(path, content)
    before = sorted(folder.iterdir())
    assert convert(folder, "iris.pkl", inputs=str(folder / name), **ROWS_ONLY) == 4
    _is_one_clear_error(capsys.readouterr().err, what)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (SPECIES[:-1], r"expected 150, one an input; found an array of shape \(149,\)"),
        (np.stack([SPECIES, SPECIES], axis=1), r"expected one an input, found .* \(150, 2\)"),
        (np.float64(1), r"expected labels of shape \(rows,\) or \(rows, labels\), found \(\)"),
        (SPECIES + 7, r"row 0: expected one of the model's classes \[0, 1, 2\], found 7"),
        (np.where(SPECIES == 1, np.nan, SPECIES), "row 50: expected one of .* found nan"),
    ],
)
def test_labels_that_do_not_fit_are_one_clear_error(
    folder: Path, capsys: pytest.CaptureFixture[str], labels: np.ndarray, what: str
) -> None:
    np.save(folder / "labels.npy", labels)
    options = {"inputs": str(folder / "rows.csv"), "labels": str(folder / "labels.npy"), "name": "iris"}
    assert convert(folder, "iris.pkl", **options) == 4
    _is_one_clear_error(capsys.readouterr().err, what)
    assert not (folder / "motion.edge").exists()


def test_labels_of_several_targets_are_read_too(folder: Path) -> None:
    both = np.stack([SPECIES, SPECIES == 1], axis=1)
    forest = RandomForestClassifier(3, random_state=0).fit(ROWS, both)
    (folder / "iris.pkl").write_bytes(pickle.dumps(forest))
    np.save(folder / "labels.npy", both)
    options = {"inputs": str(folder / "rows.csv"), "labels": str(folder / "labels.npy"), "name": "iris"}
    assert convert(folder, "iris.pkl", **options) == 0


def test_a_missing_number_that_the_model_refuses_is_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "iris.pkl").write_bytes(pickle.dumps(LinearRegression().fit(ROWS, SPECIES)))
    rows = ROWS.copy()
    rows[7, 2] = np.nan
    np.save(folder / "rows.npy", rows)
    assert convert(folder, "iris.pkl", inputs=str(folder / "rows.npy"), **ROWS_ONLY) == 4
    _is_one_clear_error(capsys.readouterr().err, "row 7 has a missing value in column 2, and the model")


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("a,b,c,x\n1,2,3,4\n", r"missing \['d'\]"),
        ("1,2,3,4\n5,6,7,8\n", "expected a first line with the columns of training"),
        ("a,b,c,d\n", r"expected rows and columns, found \(0, 4\)"),
        ("a,b,c,d\n1,,3,4\n", "row 0 has a missing value in column 'b'"),
        ("a,b,c,d\n1,2,3,4\n1,2,3,4,5\n", "with a line of titles: Expected 4 fields in line 3, saw 5"),
        ("a,b,c,d\n1,2,3,\udce9\n", "expected text in UTF-8"),
        ("", "expected a table with a line of titles"),
    ],
)
def test_a_table_that_does_not_fit_is_one_clear_error(
    folder: Path, capsys: pytest.CaptureFixture[str], table: str, what: str
) -> None:
    frame = pd.DataFrame(ROWS, columns=list("abcd"))
    (folder / "iris.pkl").write_bytes(pickle.dumps(LinearRegression().fit(frame, SPECIES)))
    (folder / "rows.csv").write_bytes(table.encode(errors="surrogateescape"))
    assert convert(folder, "iris.pkl", inputs=str(folder / "rows.csv"), **ROWS_ONLY) == 4
    _is_one_clear_error(capsys.readouterr().err, what)


def test_a_full_disk_is_told_and_leaves_what_was_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system lets no file grow to the bundle's size: the older one stays, and no half of a new one.

    The draft that parity loads still fits, as it has no signature.
    """
    options = {"inputs": str(folder / "rows.csv"), **ROWS_ONLY}
    assert convert(folder, "iris.pkl", **options) == 0
    before = {path: path.read_bytes() for path in sorted(folder.iterdir())}
    capsys.readouterr()
    with files_of_at_most(len(before[folder / "motion.edge"]) - 100):
        assert convert(folder, "iris.pkl", version="1.0.1", **options) == 11
    _is_one_clear_error(capsys.readouterr().err, r"motion\.edge.*: the disk is full.*Free space and try")
    assert {path: path.read_bytes() for path in sorted(folder.iterdir())} == before


@pytest.mark.parametrize(
    ("changes", "code", "what"),
    [
        ({"output": "/no/such/folder/a.edge"}, 11, "folder does not exist"),
        ({"output": "/tmp"}, 11, "expected a file to write, found a folder"),
        ({"output": "/dev/full"}, 11, "expected a file to write, found a device"),
        ({"output": "a" * 300}, 11, "cannot be written: File name too long"),
        ({"inputs": "/no/such/file.npz"}, 4, "no/such/file.npz"),
        ({"inputs": "a" * 300 + ".npz"}, 4, "File name too long"),
        ({"channels": "a,b"}, 3, "6 different channel names"),
        ({"signing_key": "/no/such/key.pem"}, 6, "key.pem.*`edge-runtime keys generate FOLDER` makes"),
    ],
)
def test_each_fault_has_its_exit_code_and_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict, code: int, what: str
) -> None:
    assert convert(folder, **changes) == code
    _is_one_clear_error(capsys.readouterr().err, what)
    assert not (folder / "motion.edge").exists()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "No Good"}, "name 'No Good': expected 1 to 64 of a-z"),
        ({"version": "1"}, "version '1': expected a semantic version such as 1.0.0"),
        ({"release": "-1"}, "release: expected 0 to"),
        ({"floor": "1002004"}, "floor: expected 0 to"),
        ({"board": "toaster"}, "board: expected one of"),
        ({"max_accuracy_drop": "0.05"}, "--max-accuracy-drop: expected --quantize too, found none."),
    ],
)
def test_a_wrong_word_on_the_command_line_is_wrong_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict, what: str
) -> None:
    assert convert(folder, **changes) == 2
    assert what in capsys.readouterr().err
    assert not (folder / "motion.edge").exists()


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({"output": "motion.joblib"}, "MODEL"),
        ({"output": "./motion.joblib"}, "MODEL"),
        ({"report": "motion.joblib"}, "MODEL"),
        ({"output": "key.pem"}, "--signing-key"),
        ({"inputs": "held.npz:windows", "output": "held.npz"}, "--inputs"),
        ({"labels": "labels.csv", "output": "labels.csv"}, "--labels"),
    ],
)
def test_nothing_that_is_read_is_ever_written_over(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict,
    read: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "held.npz").write_bytes(RECORDINGS.read_bytes())
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert convert(folder, **changes) == 2
    assert f"is what {read} names, and would be overwritten" in " ".join(capsys.readouterr().err.split())
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def _is_one_clear_error(err: str, what: str) -> None:
    import re

    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.search(what, errors[0])
    assert "Traceback" not in err


def test_the_suffix_says_what_a_file_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.pt").write_bytes(b"")
    assert convert(folder, "model.pt") == 9
    assert "expected a model saved by joblib" in capsys.readouterr().err


def test_help_warns_that_opening_a_model_runs_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "--help"]) == 0
    assert "runs code" in capsys.readouterr().out.replace("\n", " ")


def test_a_missing_extra_says_what_to_install(tmp_path: Path) -> None:
    """A fresh interpreter in which scikit-learn cannot be found."""
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from edge_runtime.cli import main\n"
        f"main(['convert', 'm.joblib', '--inputs', 'a.npy', '--name', 'a', '--version', '1.0.0',"
        f" '--output', {str(tmp_path / 'a.edge')!r}, '--unsigned'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 10
    assert 'pip install "edge-runtime[convert]"' in done.stderr
