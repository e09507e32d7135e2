"""The engine is imported by a process of its own, whose end is told whatever it is."""

import sys
from pathlib import Path

import pytest

from edge_runtime.doctor.findings import Device
from edge_runtime.doctor.software import import_in, onnxruntime, python


def interpreter(folder: Path, script: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_this_environment_is_in_order() -> None:
    (engine,) = onnxruntime(Device())
    assert engine.state == "ok"
    assert engine.what.startswith("onnxruntime 1.")
    (found,) = python(Device())
    assert sys.prefix in found.what


@pytest.mark.parametrize(
    ("script", "words", "advice"),
    [
        ("kill -ILL $$", "the processor lacks instructions", "built for this processor"),
        ("kill -SEGV $$", "The engine's process fails: status -11.", "--force-reinstall"),
        ("echo 'No module named x' >&2; exit 1", "fails: No module named x.", "/pip install --force"),
        (
            "echo '!it cannot be imported'",
            "onnxruntime: it cannot be imported.",
            "pip install onnxruntime",
        ),
        (
            "echo '!there is too little memory to start it: failed to map segment'",
            "onnxruntime: there is too little memory",
            "Stop other programs",
        ),
    ],
)
def test_an_engine_that_cannot_be_imported_is_a_problem(
    tmp_path: Path, script: str, words: str, advice: str
) -> None:
    found = import_in(interpreter(tmp_path, script))
    assert found.state == "problem"
    assert words in found.what
    assert advice in found.advice


def test_a_python_that_may_not_be_run_is_a_problem_and_no_fault_of_the_program(tmp_path: Path) -> None:
    closed = interpreter(tmp_path, "true")
    closed.chmod(0o644)
    found = import_in(closed)
    assert found.state == "problem"
    assert found.what == f"{closed}: this user cannot start it: Permission denied."
