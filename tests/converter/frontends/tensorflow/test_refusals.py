"""What does not convert: one sentence, its exit code, and no file left behind."""

import io
import json
import subprocess
import sys
import zipfile
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.cli import run
from edge_runtime.errors import ConversionError, InputError, UnsupportedModelError
from tests.converter.frontends.tensorflow.models import ROWS, converted, kit, rows_model


def test_a_layer_without_translation_is_named_with_its_operator() -> None:
    model = kit().model((2,), kit().layers.Hashing(5, name="buckets"), dtype="string")
    texts = np.array([["a", "b"]] * 4, dtype=object)
    with pytest.raises(UnsupportedModelError, match=r"layer 'buckets.*StringToHashBucketFast has no"):
        converted(model, texts)


def test_a_model_that_was_never_built_is_refused() -> None:
    with pytest.raises(ConversionError, match="Keras Sequential has no weights yet"):
        converted(kit().keras.Sequential([kit().layers.Dense(3)]), ROWS)


@pytest.mark.parametrize("shape", [(5,), (6, 1), (2, 3)])
def test_inputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected shape \(inputs, 6\).*found \(inputs, "):
        converted(rows_model(2), np.zeros((10, *shape), np.float32))


def test_classes_and_labels_that_are_not_the_models() -> None:
    model = rows_model(3, "softmax")
    with pytest.raises(InputError, match=r"classes: expected 3.*found 2"):
        converted(model, ROWS, classes=["a", "b"])
    with pytest.raises(InputError, match=r"labels: found texts.*Give classes="):
        converted(model, ROWS, ["a"] * len(ROWS))
    with pytest.raises(InputError, match="labels: row 0: expected one of the model's classes"):
        converted(model, ROWS, [7] * len(ROWS))


@pytest.mark.parametrize("mode", ["multi_hot", "count"])
def test_words_that_are_counted_are_refused(mode: str) -> None:
    words = kit().layers.TextVectorization(output_mode=mode, name="words")
    words.adapt(["the sensor is hot"])
    model = kit().model((1,), words, dtype="string")
    with pytest.raises(UnsupportedModelError, match=r"layer 'words' \(TextVectorization\): expected"):
        converted(model, np.array([["hot"], ["cold"]], dtype=object))


def saved_by(version: str, path: Path) -> None:
    """A .keras file that says it was saved by this version."""
    rows_model(2).save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    described = json.loads(files["metadata.json"])
    files["metadata.json"] = json.dumps({**described, "keras_version": version}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)


def make_bad(kind: str, path: Path) -> None:
    keras = kit().keras
    if kind == "other version":
        saved_by("2.15.0", path)
    elif kind == "damaged":
        path.write_bytes(b"PK\x03\x04 nothing")
    elif kind == "no SavedModel":
        path.mkdir()
        (path / "notes.txt").write_text("hello")
    elif kind == "weights":
        rows_model(2).save_weights(path)
    elif kind == "Lambda":
        kit().model((6,), keras.layers.Lambda(lambda x: x * 2)).save(path)
    elif kind == "class":
        keras.Sequential([keras.Input((6,)), own_layer()]).save(path)


def own_layer() -> Any:
    class Own(kit().keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x * 2

    return Own()


BAD = {
    "other version": ("net.keras", "saved by Keras 2.15.0, here is Keras 3"),
    "damaged": ("net.keras", "damaged or of another kind"),
    "no SavedModel": ("folder", "expected a SavedModel, a folder with saved_model.pb"),
    "weights": ("net.weights.h5", "expected a whole model, found weights alone"),
    "Lambda": ("net.keras", "Python code of a Lambda layer, which is not run from a file"),
    "class": ("net.keras", "needs a class that Keras does not know here"),
    "absent": ("net.keras", "no such file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_cannot_be_read_is_exit_code_9_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    name, said = BAD[kind]
    make_bad(kind, tmp_path / name)
    np.save(tmp_path / "rows.npy", ROWS)
    before = sorted(tmp_path.iterdir())
    told = io.StringIO()
    with redirect_stderr(told):
        code = run(
            ["convert", str(tmp_path / name), "--inputs", str(tmp_path / "rows.npy"), "--name", "net",
             "--version", "1.0.0", "--output", str(tmp_path / "net.edge"), "--unsigned"],
        )  # fmt: skip
    assert code == ConversionError.exit_code, told.getvalue()
    assert said in told.getvalue()
    assert sorted(tmp_path.iterdir()) == before


_WITHOUT = """
import sys
sys.modules["tensorflow"] = None
from edge_runtime.cli import main
main()
"""


def test_without_tensorflow_the_extra_is_named(tmp_path: Path) -> None:
    rows_model(2).save(tmp_path / "net.keras")
    arguments = ["convert", "net.keras", "--inputs", "rows.npy", "--name", "net", "--version", "1.0.0"]
    found = subprocess.run(
        [sys.executable, "-c", _WITHOUT, *arguments, "--output", "net.edge", "--unsigned"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 10, found.stderr
    assert 'pip install "edge-runtime[tensorflow]"' in found.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["net.keras"]
