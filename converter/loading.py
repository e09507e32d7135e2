"""Reads a trained model from a file. That runs code the file names: only for files you trust."""

import os
import warnings
from pathlib import Path
from typing import Any

import joblib
from sklearn.exceptions import InconsistentVersionWarning

from converter.foreign import told
from converter.frontends.choice import front_end_of, is_network
from converter.frontends.onnx import reading as onnx_files
from converter.frontends.tensorflow import loading as saved
from edge_runtime.arrays import read_array, read_members
from edge_runtime.errors import ConversionError, InputError, MissingExtraError
from edge_runtime.tables import read_arrays

SUFFIXES = (".joblib", ".pkl", ".pickle")


def load_model(path: Path) -> Any:
    """The object in a `.joblib` or `.pkl` file, a Keras model in `.keras` or `.h5`, a SavedModel, or an
    ONNX file with the data beside it.

    Raises ConversionError when it cannot be read, needs code that is not importable here, or was
    saved by another version of scikit-learn, whose estimators need not behave as they did.
    """
    if path.suffix.lower() == onnx_files.SUFFIX and not path.is_dir():
        return onnx_files.load_onnx(path)
    if path.suffix not in SUFFIXES and saved.is_saved(path):
        return saved.load_saved(path)
    if path.suffix not in SUFFIXES:
        raise ConversionError(
            f"{path}: expected a model saved by joblib (.joblib), pickle (.pkl) or Keras (.keras, .h5), "
            f"an ONNX file (.onnx), or the folder of a SavedModel; found {path.suffix or 'no suffix'}. "
            "Save it with joblib.dump(model, 'model.joblib')."
        )
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            return joblib.load(path)
    except InconsistentVersionWarning as error:
        raise ConversionError(
            f"{path}: saved by scikit-learn {error.original_sklearn_version}, here is "
            f"{error.current_sklearn_version}. Install that version, or train and save the model again."
        ) from error
    except (ImportError, AttributeError) as error:
        raise ConversionError(
            f"{path}: needs code that cannot be imported here ({error}). Install the package, or move "
            "the class out of the training script into a module on PYTHONPATH and save again."
        ) from error
    except Exception as error:
        # A damaged pickle, or a text read as one, may raise anything at all.
        raise ConversionError(
            f"{path}: expected a model saved by joblib or pickle, found a file that is damaged or of "
            f"another kind ({told(error)}). Save it again with joblib.dump(model, 'model.joblib')."
        ) from error


def opened(model: Any) -> Any:
    """A model given as itself, or as a path of what runs no code: a Keras or ONNX file, a SavedModel."""
    if not isinstance(model, str | os.PathLike):
        return model
    path = Path(model)
    is_one = saved.is_saved(path) or path.suffix.lower() == onnx_files.SUFFIX
    return load_model(path) if is_one else model


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(1)
    except FileNotFoundError as error:
        raise ConversionError(f"{path}: no such file. Give the path of a saved model.") from error
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if not start:
        raise ConversionError(
            f"{path}: expected a saved model, found an empty file. Save it again with "
            "joblib.dump(model, 'model.joblib')."
        )


def read_inputs(spec: str, model: Any) -> Any:
    """Inputs in a file: an array, or of a `.csv` for a model that knows its columns' names a DataFrame.

    Of a model of several inputs the arrays of an `.npz` that have their names. An empty cell is a
    missing value. Raises InputError, MissingExtraError without pandas.
    """
    if names := front_end_of(model, None).input_names():
        return read_arrays(spec, names)
    known = getattr(model, "feature_names_in_", None)
    path = Path(spec)
    if known is None or path.suffix.lower() != ".csv":
        return read_array(spec)
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{path}: the model was trained on a DataFrame, and reading one needs pandas, which is not "
            "installed. Run: pip install pandas"
        ) from error
    try:
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected text in UTF-8, found other bytes.") from error
    except Exception as error:  # pandas' parsers raise many kinds
        why = told(error).removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path}: expected a table with a line of titles: {why}.") from error
    if not any(str(name) in frame.columns for name in known):  # no titles, or others
        raise InputError(
            f"{path}: expected a first line with the columns of training, {list(known)[:5]}; found "
            f"{list(frame.columns)[:5]}."
        )
    return frame


def read_labels(spec: str, model: Any) -> Any:
    """Labels in a file: an array; for a network perhaps an `.npz` of several, by its outputs' names.

    Raises InputError.
    """
    path = Path(spec)
    if not is_network(model) or path.suffix.lower() != ".npz":
        return read_array(spec, kind="labels")
    found = read_members(path, lambda names: names)
    return found if len(found) > 1 else read_array(spec, kind="labels")
