"""`edge-runtime convert --compare`, as it is typed."""

from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from click import BadParameter, Command, Context, Option
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from converter.blocks import WindowFeatures
from converter.comparison.command import size
from edge_runtime.bundle import open_bundle
from edge_runtime.cli import run
from tests.support.html import elements
from tests.support.motion import RECORDINGS, motion_model, recordings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of one place: two that are both called forest, one of a line, and one that is none."""
    made = tmp_path_factory.mktemp("models")
    windows, labels = recordings("train")
    (made / "old").mkdir()
    joblib.dump(motion_model(100), made / "forest.joblib")
    joblib.dump(motion_model(5), made / "old" / "forest.joblib")
    line = make_pipeline(WindowFeatures(), StandardScaler(), LogisticRegression(max_iter=500))
    joblib.dump(line.fit(windows, labels), made / "line.joblib")
    joblib.dump(DBSCAN().fit(windows.reshape(40, -1)), made / "clusters.joblib")
    return made


def compare(folder: Path, models: list[str], **changes: str | None) -> int:
    """Run the command with options for the motion models, changed; None leaves one out, "" is a flag."""
    options: dict[str, str | None] = {
        "compare": "",
        "inputs": f"{RECORDINGS}:test_windows",
        "labels": f"{RECORDINGS}:test_labels",
        "name": "motion",
        "version": "1.0.0",
        "unsigned": "",
    }
    arguments = ["convert", *[str(folder / model) for model in models]]
    for name, value in (options | changes).items():
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", *([value] if value else [])]
    return run(arguments)


def test_one_bundle_is_written_and_the_report_says_why(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    models = ["forest.joblib", "clusters.joblib", "old/forest.joblib", "line.joblib"]
    changes = {"output": str(tmp_path / "a.edge"), "report": str(page), "max_size": "2 MB"}
    assert compare(folder, models, **changes) == 0
    out, err = capsys.readouterr()
    root = folder.name
    names = [f"{root}/forest.joblib", f"{root}/clusters.joblib", "old/forest.joblib"]
    assert [line.split()[0] for line in out.splitlines()[1:4]] == names
    assert f"{root}/clusters.joblib: left out: model: DBSCAN neither predicts nor transforms" in out
    assert out.count(": chosen: ") == 1
    assert "Allowed is at most 2.0 MB." in out
    assert f"wrote {tmp_path / 'a.edge'}" in out
    assert f"candidate {root}/line.joblib" in err
    assert "timing 3 candidates side by side" in err
    titles = [each.text for each in elements(page.read_text(encoding="utf-8")) if each.tag == "h2"]
    assert titles[0] == "Chosen among 4 candidates"
    with open_bundle(tmp_path / "a.edge", root=None, allow_unsigned=True) as bundle:
        assert "One of 4 candidates" in bundle.read("card.md").decode()


def test_each_model_reads_a_table_as_it_was_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One by the names of its columns, one by their places."""
    frame, species = load_iris(return_X_y=True, as_frame=True)
    frame.columns = list("abcd")
    joblib.dump(LogisticRegression(max_iter=500).fit(frame, species), tmp_path / "names.joblib")
    forest = RandomForestClassifier(20, random_state=0).fit(frame.to_numpy(), species)
    joblib.dump(forest, tmp_path / "places.joblib")
    pd.DataFrame(frame).to_csv(tmp_path / "rows.csv", index=False)
    np.savetxt(tmp_path / "labels.csv", species, fmt="%d")
    files = {"inputs": "rows.csv", "labels": "labels.csv", "output": "a.edge"}
    options = {name: str(tmp_path / file) for name, file in files.items()}
    assert compare(tmp_path, ["names.joblib", "places.joblib"], **options) == 0
    out = capsys.readouterr().out
    assert "left out" not in out
    assert [line.split()[0] for line in out.splitlines()[1:3]] == ["names.joblib", "places.joblib"]


@dataclass(frozen=True)
class Wrong:
    """A command line, the exit code that it ends with, and what is said."""

    models: list[str]
    changes: dict[str, str | None]
    code: int
    told: str


BOTH = ["forest.joblib", "line.joblib"]
ONE = BOTH[:1]
WRONG = [
    Wrong(BOTH, {"compare": None}, 2, "expected one MODEL, found 2. Add --compare"),
    Wrong(ONE, {"compare": None, "metric": "f1"}, 2, "--metric: expected --compare too, found none"),
    Wrong(ONE, {"compare": None, "max_size": "1MB"}, 2, "--max-size: expected --compare too"),
    Wrong(ONE, {}, 2, "--compare: expected two MODELs or more, found one."),
    Wrong([BOTH[0], f"old/../{BOTH[0]}"], {}, 2, "expected every MODEL once, found"),
    Wrong(BOTH, {"labels": None}, 2, "--compare: expected --labels FILE, the truth"),
    Wrong(BOTH, {"max_size": "500 apples"}, 2, "expected a size such as 500kB or 2MB, found '500 ap"),
    Wrong(BOTH, {"max_latency_us": "soon"}, 2, "'soon' is not a valid float"),
    Wrong(BOTH, {"metric": "beauty"}, 2, "'beauty' is not one of 'accuracy', 'f1'"),
    Wrong(BOTH, {"max_latency_us": "-1"}, 3, "max_latency_us: expected a number above 0"),
    Wrong(BOTH, {"metric": "mae"}, 3, "as the model is a classification; found mae"),
    Wrong(BOTH, {"labels": f"{RECORDINGS}:test_windows"}, 4, "expected labels of shape"),
    Wrong(BOTH, {"version": "1"}, 2, "version '1': expected a semantic version"),
    Wrong(BOTH, {"max_size": "1kB"}, 9, "at most 1.0 kB, found forest.joblib with"),
    Wrong([*BOTH, "typo.joblib"], {}, 9, "typo.joblib: no such file. Give the path of a saved model."),
    Wrong(BOTH, {"output": "/no/such/folder/a.edge"}, 11, "folder does not exist"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.code} {wrong.told}")
def test_each_fault_has_its_exit_code_and_one_sentence_and_writes_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: Wrong
) -> None:
    changes = {"output": str(tmp_path / "a.edge"), **wrong.changes}
    assert compare(folder, wrong.models, **changes) == wrong.code
    told = [line for line in capsys.readouterr().err.splitlines() if line.lower().startswith("error: ")]
    assert len(told) == 1
    assert wrong.told in told[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("500kB", 500_000),
        ("500 kb", 500_000),
        ("1.5MB", 1_500_000),
        ("2MiB", 2 << 20),
        ("1GB", 10**9),
        ("4096", 4096),
        ("12B", 12),
    ],
)
def test_sizes_are_read_as_people_write_them(given: str, found: int) -> None:
    assert asked(given) == found


@pytest.mark.parametrize(
    "given", ["", "kB", "0", "0.4 B", "-5kB", "5 k", "1e6", "nan", "9" * 16, "1,5MB"]
)
def test_what_is_no_size_is_told(given: str) -> None:
    with pytest.raises(BadParameter, match="expected a size such as 500kB or 2MB, found"):
        asked(given)


def asked(given: str) -> int | None:
    return size(Context(Command("convert")), Option(["--max-size"]), given)
