import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

from edge_runtime.bundle import generate_private_key, open_bundle
from edge_runtime.bundle.keys import encode_private_key
from edge_runtime.cli import run
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


def test_json_is_the_manifest_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(folder, json="", release="7") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert (manifest["name"], manifest["release"]) == ("motion", 7)


@pytest.mark.parametrize("inputs", ["rows.csv", "rows.npy"])
def test_pickles_and_plain_rows_do_as_well(folder: Path, inputs: str) -> None:
    labels = str(folder / "labels.csv")
    assert convert(folder, "iris.pkl", inputs=str(folder / inputs), labels=labels, name="iris") == 0


def test_signing_is_forgotten_by_nobody(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(folder, signing_key=None) == 2
    assert "--unsigned" in capsys.readouterr().err
    assert convert(folder, unsigned="") == 2
    assert not (folder / "motion.edge").exists()
    assert convert(folder, signing_key=None, unsigned="") == 0


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


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (broken_pickle, "expected a saved model"),
        (older_sklearn, "saved by scikit-learn 0"),
        (unknown_class, "cannot be imported here.*no_such_module"),
        (not_a_model, "expected a fitted scikit-learn.*found list"),
        (no_file, "no such file"),
    ],
)
def test_a_model_file_that_is_no_model_is_one_clear_error(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: object, what: str
) -> None:
    spoil(folder)
    assert convert(folder, "iris.pkl", inputs=str(folder / "rows.csv"), **ROWS_ONLY) == 9
    _is_one_clear_error(capsys.readouterr().err, what)
    assert not (folder / "motion.edge").exists()


@pytest.mark.parametrize(
    ("changes", "code", "what"),
    [
        ({"output": "/no/such/folder/a.edge"}, 11, "folder does not exist"),
        ({"inputs": "/no/such/file.npz"}, 4, "no/such/file.npz"),
        ({"name": "No Good"}, 5, "name"),
        ({"channels": "a,b"}, 3, "6 different channel names"),
        ({"signing_key": "/no/such/key.pem"}, 6, "key.pem"),
    ],
)
def test_each_fault_has_its_exit_code_and_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict, code: int, what: str
) -> None:
    assert convert(folder, **changes) == code
    _is_one_clear_error(capsys.readouterr().err, what)
    assert not (folder / "motion.edge").exists()


def _is_one_clear_error(err: str, what: str) -> None:
    import re

    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.search(what, errors[0])
    assert "Traceback" not in err


def test_the_suffix_says_what_a_file_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.h5").write_bytes(b"")
    assert convert(folder, "model.h5") == 9
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
