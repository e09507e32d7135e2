"""What the author hands over, checked once: rows for the model, labels of the same length."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import MISSING_TEXT, Input
from edge_runtime.errors import InputError

DTYPES = ("float32", "float64", "int64", "int32", "uint8")
# Of a model of several outputs perhaps an array for each, by the output's name.
Labels = NDArray[Any] | dict[str, NDArray[Any]]
_Indices = NDArray[Any] | list[int] | slice


@dataclass(frozen=True)
class Rows:
    """What a model is called on: one array, a table's columns by name, or several arrays by name.

    arrays: by input name, each of the declared dtype and of shape (n, …); a table's are (n,). Texts have
        dtype object, None where one is missing. Of several arrays that are no table each is numbers.
    frame: a table's own dtype of each column; None when the source model takes an array.
    nan_texts: where the source is to find NaN, and not None, for a missing text.
    """

    arrays: dict[str, NDArray[Any]]
    is_table: bool = False
    frame: dict[str, Any] | None = None
    nan_texts: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    @property
    def is_several(self) -> bool:
        """Whether these are several arrays by name, and no table."""
        return not self.is_table and len(self.arrays) > 1

    @property
    def array(self) -> NDArray[Any]:
        """The one array of a model of one input that is no table's."""
        (array,) = self.arrays.values()
        return array

    @property
    def given(self) -> NDArray[Any] | dict[str, NDArray[Any]]:
        """As a device takes them: the one array, or arrays by name."""
        return self.arrays if self.is_table or self.is_several else self.array

    @property
    def shape(self) -> tuple[int, ...]:
        """Without the batch: (features,), (samples, axes), (height, width, channels), or (columns,).

        Of several arrays there is no one shape: ().
        """
        if self.is_several:
            return ()
        return (len(self.arrays),) if self.is_table else self.array.shape[1:]

    def take(self, where: _Indices) -> "Rows":
        """Some of the rows."""
        return replace(self, arrays={name: array[where] for name, array in self.arrays.items()})

    def changed(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> "Rows":
        """The same rows, each array of floats through `change`."""
        arrays = {
            name: change(array) if array.dtype.kind == "f" else array
            for name, array in self.arrays.items()
        }
        return replace(self, arrays=arrays)

    def joined(self, others: "list[Rows]") -> "Rows":
        """These rows and others of the same columns, one after another."""
        every = [self, *others]
        arrays = {name: np.concatenate([rows.arrays[name] for rows in every]) for name in self.arrays}
        return replace(self, arrays=arrays)

    def for_source(self) -> Any:
        """As the source model takes them, a copy: a step with copy=False writes into its input."""
        own = {name: self._own(name, array) for name, array in self.arrays.items()}
        if self.is_several:
            return own
        if not self.is_table:
            (array,) = own.values()
            return array
        if self.frame is None:
            return np.stack(list(own.values()), axis=1)
        import pandas as pd

        frame = {}
        for name, array in own.items():
            dtype = self.frame[name]
            known = getattr(dtype, "categories", None)
            # What is no category is a missing one, as in any other DataFrame of that dtype.
            kept = (
                array if known is None else pd.Series(array, dtype=object).where(np.isin(array, known))
            )
            try:
                frame[name] = pd.Series(kept, dtype=dtype)
            except (OverflowError, TypeError, ValueError):  # numbers that int8, say, does not hold
                frame[name] = pd.Series(kept)
        return pd.DataFrame(frame)

    def _own(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        return np.where(is_missing(array), np.nan, array) if name in self.nan_texts else array.copy()

    def declared(self) -> tuple[Input, ...]:
        """The manifest's inputs; missing values are allowed where these rows have some."""
        return tuple(
            Input(
                name=name,
                dtype="string" if array.dtype.kind == "O" else array.dtype.name,  # type: ignore[arg-type]
                shape=(None, *array.shape[1:]),
                allow_nan=bool(is_missing(array).any()),
            )
            for name, array in self.arrays.items()
        )


def is_missing(array: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a number is NaN, or a text is None."""
    found = np.zeros(array.shape, dtype=np.bool_)
    if array.dtype.kind == "f":
        found |= np.isnan(array)
    elif array.dtype.kind == "O":
        found |= np.array([value is None for value in array.flat]).reshape(array.shape)
    return found


def as_rows(inputs: Any, model: Any = None, dtype: str | None = None) -> Rows:
    """Inputs of shape (inputs, …) or a DataFrame, NaN allowed. Raises InputError.

    An array of numbers is declared as `dtype`, by default float32; of a DataFrame every column keeps
    its name and its own dtype, `dtype` standing for the floating ones. Columns are those that `model`
    was fitted on, in its order; others are left out.
    """
    if dtype is not None and dtype not in DTYPES:
        raise InputError(f"input_dtype: expected one of {', '.join(DTYPES)}, found {dtype!r}.")
    if hasattr(inputs, "columns"):
        return _table(inputs, getattr(model, "feature_names_in_", None), dtype)
    if isinstance(inputs, Mapping):
        raise InputError(
            "inputs: expected one array or a DataFrame, which the model takes; found arrays by name: "
            f"{', '.join(map(repr, list(inputs)[:5]))}. Of columns make a DataFrame."
        )
    given = as_array(inputs, "inputs")
    if given.ndim == 1 and given.dtype.kind in "OSU" and model is not None:
        name = type(getattr(model, "steps", [("", model)])[0][1]).__name__
        raise InputError(
            f"inputs: expected rows of columns, found a list of texts. What reads one, such as {name}, "
            "splits them into words, which no graph does alike on every board: convert what follows it, "
            "and give it numbers."
        )
    if given.ndim < 2 or 0 in given.shape:
        is_array = given.ndim or isinstance(inputs, np.ndarray)
        found = given.shape if is_array else f"an object of type {type(inputs).__name__}"
        raise InputError(
            "inputs: expected shape (inputs, features), (windows, samples, axes) or (images, height, "
            f"width, channels), none of them 0; found {found}."
        )
    name = {2: "rows", 3: "windows"}.get(given.ndim, "images")
    if given.dtype.kind in "OSU":
        nan = frozenset([name]) if _has_nan(given) else frozenset()
        return Rows({name: _texts(given, "inputs")}, nan_texts=nan)
    return Rows({name: as_numbers(given, dtype or "float32", "inputs")})


def as_array(given: Any, what: str) -> NDArray[Any]:
    """An array of numbers or texts. Raises InputError, which begins with `what`."""
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise InputError(
            f"{what}: expected a plain array, found a masked one. Say what masked values are, as in "
            "filled(np.nan)."
        )
    try:
        array = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what}: expected an array, found {type(given).__name__} of another kind: {error}"
        ) from error
    if array.dtype.kind not in "biufOSU":
        raise InputError(f"{what}: expected numbers or texts, found dtype {array.dtype}.")
    return array


def _table(frame: Any, known: Any, dtype: str | None) -> Rows:
    names = list(frame.columns) if known is None else [str(name) for name in known]
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise InputError(f"inputs: expected column names that are texts, found {wrong[:5]}.")
    if missing := [name for name in names if name not in frame.columns]:
        raise InputError(
            f"inputs: expected the columns of training; missing {missing[:5]}, found "
            f"{list(frame.columns)[:10]}."
        )
    if not len(frame) or not names:
        raise InputError(f"inputs: expected rows and columns, found {frame.shape}.")
    arrays = {name: _column(frame[name], name, dtype) for name in names}
    own = None if known is None else {name: frame[name].dtype for name in names}
    if known is None and len({array.dtype.kind == "O" for array in arrays.values()}) > 1:
        raise InputError(
            "inputs: a DataFrame of texts and numbers needs a model that was fitted on a DataFrame, so "
            "that it knows its columns by name."
        )
    texts = [name for name in names if arrays[name].dtype.kind == "O"]
    nan = frozenset(name for name in texts if _has_nan(np.asarray(frame[name].astype(object))))
    return Rows(arrays, is_table=True, frame=own, nan_texts=nan)


def _column(series: Any, name: str, dtype: str | None) -> NDArray[Any]:
    what = f"inputs: column {name!r}"
    if series.ndim != 1:
        raise InputError(f"{what}: found twice. Give every column a name of its own.")
    kind = getattr(getattr(series.dtype, "categories", series), "dtype", series.dtype)
    missing = np.asarray(series.isna())
    letter = getattr(kind, "kind", "O")
    if letter in "Mm":
        raise InputError(f"{what}: expected numbers or texts, found {kind}. Make a number of it first.")
    if letter == "b" and not missing.any():
        return np.asarray(series, dtype=np.bool_)
    if letter in "iu" and not missing.any():
        return as_numbers(np.asarray(series), "int64", what)
    if letter in "biuf":
        whole = np.asarray(series.astype(object).where(~missing, np.nan), dtype=np.float64)
        own = "float32" if getattr(kind, "name", "").lower() == "float32" else "float64"
        return as_numbers(whole, dtype or own, what)
    return _objects(np.asarray(series.astype(object).where(~missing, None)), dtype, what)


def _objects(values: NDArray[Any], dtype: str | None, what: str) -> NDArray[Any]:
    """A column of Python objects: all texts, or all numbers."""
    present = [value for value in values.tolist() if value is not None]
    if present and all(isinstance(value, int | float) for value in present):
        return as_numbers(np.array(values, dtype=np.float64), dtype or "float64", what)
    return _texts(values, what)


def _has_nan(values: NDArray[Any]) -> bool:
    return any(isinstance(value, float) and value != value for value in values.flat)  # noqa: PLR0124


def _texts(values: NDArray[Any], what: str) -> NDArray[Any]:
    found = np.array(values, dtype=object)
    flat = found.reshape(-1)
    for at, value in enumerate(flat.tolist()):
        if value is None or (isinstance(value, float) and np.isnan(value)):
            flat[at] = None
        elif not isinstance(value, str):
            raise InputError(
                f"{what}: expected texts, found {value!r} in row {at * len(found) // flat.size}."
            )
        elif value == MISSING_TEXT:
            raise InputError(f"{what}: expected texts, found U+FFFF, which stands for a missing one.")
    return flat.reshape(found.shape)


def as_numbers(given: NDArray[Any], dtype: str, what: str) -> NDArray[Any]:
    """The same numbers as `dtype`, a copy, NaN allowed. Raises InputError, which begins with `what`."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.array(given, dtype=dtype, order="C")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what}: expected an array of numbers, found {given.dtype}: {error}"
        ) from error
    if rows.dtype.kind != "f" and (unequal := np.argwhere(rows != given)).size:
        place = tuple(unequal[0].tolist())
        raise InputError(
            f"{what}: expected whole numbers within {dtype}, found {given[place]} at {place}."
        )
    if np.isinf(rows).any():
        place = tuple(np.argwhere(np.isinf(rows))[0].tolist())
        raise InputError(
            f"{what}: expected numbers within {dtype} (to {np.finfo(dtype).max:.2g}); found "
            f"{given[place]} at {place}."
        )
    return rows


def as_labels(labels: Any, count: int) -> Labels:
    """Labels as an array, one (or for several targets one row) an input; a mapping stays one of arrays.

    Raises InputError.
    """
    if isinstance(labels, Mapping):
        return {str(name): _labels(each, count, f"labels: {name!r}") for name, each in labels.items()}
    return _labels(labels, count, "labels")


def _labels(labels: Any, count: int, what: str) -> NDArray[Any]:
    given = as_array(labels, what)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if not given.ndim or len(given) != count:
        raise InputError(
            f"{what}: expected {count}, one an input; found an array of shape {given.shape}."
        )
    return given


def with_missing_text(array: NDArray[Any]) -> NDArray[np.str_]:
    """Texts as files and graphs hold them: the reserved character where one is missing."""
    return np.where(is_missing(array), MISSING_TEXT, array).astype(np.str_)
