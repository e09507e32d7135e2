"""What a caller hands to a model of one array of numbers becomes a batch of it, or an InputError.

Nothing is guessed: no axis is added, no text parsed, no value clipped. Values are finite. Where the
model was trained with missing values (`allow_nan`) NaN stands for one and passes; infinity never does.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.bundle.manifest import Input, Window
from edge_runtime.engine.base import Array, matches, numpy_dtype, shape_text
from edge_runtime.errors import EngineError, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_NUMBERS = "biuf"
_MAX_NAMED = 20
_PART = 1 << 16


class InputCheck:
    """The rules of one input tensor of numbers, from the manifest."""

    def __init__(self, declared: Input, window: Window | None = None) -> None:
        if not declared.shape or declared.shape[0] is not None or declared.dtype == "string":
            raise EngineError(
                f"input {declared.name!r}: expected numbers with an open batch axis, found "
                f"{declared.dtype} of shape {list(declared.shape)}. Convert the model again."
            )
        self._declared = declared
        self._subject = declared.name
        self._channels = window.channels if window else ()
        self.dtype = numpy_dtype(declared.dtype)
        # `look(array)` is a mask in whose bytes `wrong` stands for a value that is refused. A number is
        # found 0.2 µs faster than a byte string, which Python takes for a number first, and fails.
        self.look: np.ufunc = np.isinf if declared.allow_nan else np.isfinite
        self.wrong = 1 if declared.allow_nan else 0

    @property
    def short_way(self) -> "InputCheck | None":
        """See `Check.short_way`."""
        return self

    def feed(self, values: "ArrayLike") -> dict[str, Array]:
        """See `Check.feed`."""
        return {self._declared.name: self.batch(values)}

    def batch(self, values: "ArrayLike") -> Array:
        """A C-ordered array of the declared dtype and shape (n, ...), checked value by value.

        It may be the caller's own array: read it only. Raises InputError.
        """
        if type(values) is np.ndarray and values.dtype == self.dtype and values.flags.c_contiguous:
            self._check_shape(values.shape)
            array = converted = values
        else:
            array = self._array(values)
            self._check_shape(array.shape)
            converted = self._cast(array)
        if not self.is_clean(converted):
            self.explain(array, converted)
        return converted

    def is_clean(self, array: Array) -> bool:
        """Whether every value of an array of the declared dtype may go into the model."""
        if array.size <= _PART:
            return self.wrong not in self.look(array).tobytes()
        # In parts: the mask of a large batch would be memory that the system gives and takes each time,
        # which costs ten times what looking at the values does.
        values = array.reshape(-1)
        return all(self.is_clean(values[at : at + _PART]) for at in range(0, values.size, _PART))

    def explain(self, given: Array, converted: Array) -> None:
        """Raise the InputError that says where the first refused value is and what it is."""
        wrong = self.look(converted) == bool(self.wrong)
        at = tuple(int(index) for index in np.argwhere(wrong)[0])
        value = given[at]
        expected = "numbers or NaN" if self._declared.allow_nan else "finite numbers"
        if np.isfinite(value):
            expected = f"numbers within {self.dtype}"
        count = int(wrong.sum())
        others = f" and {count - 1} more" if count > 1 else ""
        raise InputError(f"{self._place(at)}: expected {expected}, found {value}{others}.")

    def _array(self, values: "ArrayLike") -> Array:
        if isinstance(values, Mapping):
            raise self._fault(
                f"one array of numbers ({self.dtype})", "a mapping", ": give the array alone."
            )
        if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
            hint = f": say what masked values are, as in {self._subject}.filled(numpy.nan)."
            raise self._fault("a plain array", "a masked one", hint)
        try:
            array = self._read(values)
        except (ValueError, TypeError, OverflowError) as error:
            raise self._fault("numbers in rows of equal length", f"something else ({error})") from error
        if array.dtype.kind not in _NUMBERS:
            found = "text" if array.dtype.kind in "SU" else f"dtype {array.dtype}"
            raise self._fault(f"numbers ({self.dtype})", found)
        return array

    def _read(self, values: "ArrayLike") -> Array:
        return np.asarray(values)

    def _check_shape(self, found: tuple[int, ...]) -> None:
        expected = self._declared.shape
        if matches(found, expected):
            return
        hint = "."
        if matches(found, expected[1:]):
            hint = f": add a batch axis with {self._declared.name}[None]."
        elif len(found) == 3 == len(expected) and matches((found[0], found[2], found[1]), expected):
            hint = f": swap the last two axes with {self._declared.name}.transpose(0, 2, 1)."
        raise self._fault(f"shape {shape_text(expected)}", f"{found}", hint)

    def _cast(self, array: Array) -> Array:
        if array.dtype == self.dtype:
            return np.ascontiguousarray(array)
        if self.dtype.kind == "f":
            # A finite value beyond the range becomes infinite here, and is found by the next check.
            with np.errstate(over="ignore"):
                return np.ascontiguousarray(array, dtype=self.dtype)
        if array.dtype.kind == "f":
            kind = "true or false" if self.dtype.kind == "b" else "whole numbers"
            raise self._fault(f"{kind} ({self.dtype})", f"dtype {array.dtype}")
        least, most = _limits(self.dtype)
        if array.size and (int(array.min()) < least or int(array.max()) > most):
            found = f"values from {array.min()} to {array.max()}"
            raise self._fault(f"{self.dtype}, {least} to {most}", found)
        return np.ascontiguousarray(array, dtype=self.dtype)

    def _place(self, at: tuple[int, ...]) -> str:
        """Where a value is, in the caller's terms."""
        if len(at) == 3 and len(self._channels) == self._declared.shape[-1]:
            return f"{self._subject}[{at[0]}], sample {at[1]}, channel {self._channels[at[2]]!r}"
        return f"{self._subject}[{', '.join(map(str, at))}]"

    def _fault(self, expected: str, found: str, hint: str = ".") -> InputError:
        return InputError(f"{self._subject}: expected {expected}, found {found}{hint}")


def is_missing(value: Any) -> bool:
    """Whether an object stands for no value: None, NaN or pandas.NA (never imported here)."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def check_equal_rows(batches: Mapping[str, Array], subject: str, like: str) -> None:
    """Raise an InputError unless all batches have as many rows as the first.

    `subject` goes before the name of the one that has not, `like` before the first one's.
    """
    first, rows = next((name, len(array)) for name, array in batches.items())
    for name, array in batches.items():
        if len(array) != rows:
            raise InputError(
                f"{subject} {name!r}: expected {rows} rows {like} {first!r}, found {len(array)}."
            )


def listed(names: Iterable[Any]) -> str:
    """Names for an error: the first 20, and how many more."""
    shown = [repr(name) for name in names]
    rest = len(shown) - _MAX_NAMED
    return ", ".join(shown[:_MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "") or "none"


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind == "b":
        return 0, 1
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)
