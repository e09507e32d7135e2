"""What a caller hands to a model of texts becomes an array of `str`, or an InputError.

Only text is text: a number is not written out, as nobody knows how the training data wrote it. A missing
text (None, NaN, pandas.NA) passes where the model was trained with some, as MISSING_TEXT.
"""

from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import MISSING_TEXT, Input
from edge_runtime.engine.base import Array, matches, shape_text
from edge_runtime.engine.inputs import is_missing
from edge_runtime.errors import EngineError, InputError


class TextCheck:
    """The rules of one input tensor of texts, from the manifest."""

    # The place of a text in memory is not fixed: each row goes the way of a batch.
    short_way = None

    def __init__(self, declared: Input) -> None:
        if not declared.shape or declared.shape[0] is not None or declared.dtype != "string":
            raise EngineError(
                f"input {declared.name!r}: expected texts with an open batch axis, found "
                f"{declared.dtype} of shape {list(declared.shape)}. Convert the model again."
            )
        self._declared = declared
        self._subject = declared.name

    def feed(self, values: Any) -> dict[str, Array]:
        """See `Check.feed`."""
        return {self._declared.name: self.batch(values)}

    def batch(self, values: Any) -> Array:
        """A new C-ordered array of `str` (dtype object) of the declared shape. Raises InputError."""
        try:
            array = np.asarray(values, dtype=np.object_)
        except (ValueError, TypeError) as error:
            raise self._fault("texts in rows of equal length", f"something else ({error})") from error
        self._check_shape(array.shape)
        texts = [
            self._text(value, at, array.shape) for at, value in enumerate(array.reshape(-1).tolist())
        ]
        self._check_encodable(texts, array.shape)
        checked = np.empty(len(texts), np.object_)
        checked[:] = texts
        return checked.reshape(array.shape)

    def _text(self, value: Any, at: int, shape: tuple[int, ...]) -> str:
        if isinstance(value, str):
            if value != MISSING_TEXT:
                return value
            raise self._wrong(
                at, shape, "a text", "the character U+FFFF, which is kept for internal use"
            )
        if is_missing(value):
            if self._declared.allow_nan:
                return MISSING_TEXT
            raise self._wrong(at, shape, "a text", f"a missing value ({value})")
        expected = "a text or None" if self._declared.allow_nan else "a text"
        raise self._wrong(at, shape, expected, f"{value!r:.60} of type {type(value).__name__}")

    def _check_encodable(self, texts: list[str], shape: tuple[int, ...]) -> None:
        """An engine reads UTF-8, which has no surrogates."""
        if _is_encodable("".join(texts)):
            return
        at = next(at for at, text in enumerate(texts) if not _is_encodable(text))
        raise self._wrong(
            at, shape, "a text", f"half a character (a lone surrogate) in {texts[at]!a:.60}"
        )

    def _check_shape(self, found: tuple[int, ...]) -> None:
        expected = self._declared.shape
        if not matches(found, expected):
            raise self._fault(f"texts of shape {shape_text(expected)}", f"shape {found}")

    def _place(self, at: tuple[int, ...]) -> str:
        """Where a value is, in the caller's terms."""
        return f"{self._subject}[{', '.join(map(str, at))}]"

    def _wrong(self, at: int, shape: tuple[int, ...], expected: str, found: str) -> InputError:
        place = self._place(tuple(int(index) for index in np.unravel_index(at, shape)))
        return InputError(f"{place}: expected {expected}, found {found}.")

    def _fault(self, expected: str, found: str) -> InputError:
        return InputError(f"{self._subject}: expected {expected}, found {found}.")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
