"""Keras models and SavedModels from files and folders."""

import json
import zipfile
from pathlib import Path
from typing import Any

from converter.foreign import told
from converter.frontends.tensorflow.library import load, quiet
from edge_runtime.errors import ConversionError

SUFFIXES = (".keras", ".h5", ".hdf5")
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")
_MAX_METADATA_BYTES = 1 << 20


def is_saved(path: Path) -> bool:
    """Whether a path is for this module: a file of Keras' suffixes, or a folder."""
    return path.suffix.lower() in SUFFIXES or path.is_dir()


def load_saved(path: Path) -> Any:
    """The Keras model in a `.keras` or `.h5` file, or what is in a SavedModel's folder.

    Raises ConversionError when it cannot be read, needs code that is not known here, or was saved by
    another major version of Keras; MissingExtraError without TensorFlow.
    """
    if path.is_dir() and not any((path / name).is_file() for name in _SAVED_MODEL):
        raise ConversionError(
            f"{path}: expected a SavedModel, a folder with {_SAVED_MODEL[0]}; found a folder without. "
            "Make it with model.export(folder), or give a .keras file."
        )
    if not path.exists():
        raise ConversionError(f"{path}: no such file. Give the path of a saved model.")
    library = load()
    if path.is_dir():
        return _opened(path, "a SavedModel", library.tf.saved_model.load)
    found = _opened(path, "a Keras model", _saved_by)
    here = library.keras.__version__
    if found and found.partition(".")[0] != here.partition(".")[0]:
        raise ConversionError(
            f"{path}: saved by Keras {found}, here is Keras {here}, whose layers need not do the same. "
            "Build the model in Keras 3, load its weights, and save it again as .keras."
        )
    return _opened(path, "a Keras model", _keras_model)


def _keras_model(path: str) -> Any:
    return load().keras.saving.load_model(path, compile=False)


def _opened(path: Path, kind: str, how: Any) -> Any:
    """What a library makes of a file; anything it raises is told as a damaged or foreign file."""
    try:
        with quiet():
            return how(str(path))
    except ConversionError:
        raise
    except Exception as error:  # Keras, h5py, zipfile and TensorFlow raise many kinds
        text = str(error)
        if "safe_mode" in text:
            raise ConversionError(
                f"{path}: holds Python code of a Lambda layer, which is not run from a file. Load the "
                "model in Python, and give converter.convert the model itself."
            ) from error
        if "Could not locate class" in text or "Unknown layer" in text:
            raise ConversionError(
                f"{path}: needs a class that Keras does not know here. Import the module that defines "
                "it in Python, load the model there, and give converter.convert the model itself."
            ) from error
        raise ConversionError(
            f"{path}: expected {kind}, found a file that is damaged or of another kind ({told(error)}). "
            "Save it again with model.save('model.keras')."
        ) from error


def _saved_by(path: str) -> str:
    """The version of Keras that wrote a file; "" where it does not say."""
    if path.lower().endswith(".keras"):
        with zipfile.ZipFile(path) as archive, archive.open("metadata.json") as file:
            return str(json.loads(file.read(_MAX_METADATA_BYTES)).get("keras_version", ""))
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ConversionError(
                f"{path}: expected a whole model, found weights alone. Save it with "
                "model.save('model.keras')."
            )
        found = file.attrs.get("keras_version", "")
    return found.decode() if isinstance(found, bytes) else str(found)
