"""The README's Python example runs as it stands."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from converter.blocks import WindowFeatures
from edge_runtime import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RECORDINGS = ROOT / "examples" / "data" / "basic_motions" / "basic_motions.npz"


def test_the_python_example_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["keys", "generate", "keys"]) == 0
    capsys.readouterr()
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with np.load(RECORDINGS) as recordings:
        train, labels = recordings["train_windows"], recordings["train_labels"]
        held_out = {"windows": recordings["test_windows"], "labels": recordings["test_labels"]}
    pipeline = make_pipeline(
        WindowFeatures(), StandardScaler(), RandomForestClassifier(20, random_state=0)
    ).fit(train, labels)

    exec(compile(example, "README.md", "exec"), {"pipeline": pipeline, **held_out})

    expected = str(pipeline.predict(held_out["windows"]))
    assert capsys.readouterr().out.strip() == expected


def test_the_python_example_is_five_lines() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    assert len([line for line in example.splitlines() if line.strip()]) == 5


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)", README))))
def test_every_link_into_the_repository_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists(), target


def test_every_command_the_readme_shows_exists(capsys: pytest.CaptureFixture[str]) -> None:
    shown = set(re.findall(r"^\$ edge-runtime (\w+)(?: (generate|serve|check))?", README, re.MULTILINE))
    assert shown, os.linesep.join(README.splitlines()[:5])

    for command, subcommand in shown:
        assert cli.run([command, *([subcommand] if subcommand else []), "--help"]) == 0
    capsys.readouterr()
