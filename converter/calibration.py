"""Inputs from training that quantization looks at: never those that the variants are judged by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.digests import rows_digest
from converter.inputs import Rows
from converter.training import rows_like
from edge_runtime.errors import InputError

LEAST = 10
_MOST = 512  # more change no range, and each one costs a run through every layer


@dataclass(frozen=True)
class Calibration:
    """rows: at most 512, evenly spread over what was given. sha256: their digest."""

    rows: Rows
    sha256: str


def read_calibration(
    like: Rows, given: Any, known: Rows | None, rows_of: Callable[[Any], Rows]
) -> Calibration | None:
    """What the author gave for calibration; else of `known`, training inputs. None where neither serves.

    like: the held-out inputs. What is equal to one of them is left out, so that nothing is both
    calibrated and judged by. Raises InputError for inputs of another shape, and for fewer than ten.
    """
    if given is None:
        kept = None if known is None else _kept(like, known)
        return None if kept is None or len(kept) < LEAST else _calibration(kept)
    rows = rows_like(like, given, rows_of, "calibration")
    kept = _kept(like, rows)
    if len(kept) < LEAST:
        same = len(rows) - len(kept)
        without = (
            f" {same} of the {len(rows)} are held-out inputs too, which do not count;" if same else ""
        )
        raise InputError(
            f"calibration: expected at least {LEAST} inputs from training,{without} found {len(kept)}. "
            "Give a few hundred that are like those on the device."
        )
    return _calibration(kept)


def _kept(like: Rows, rows: Rows) -> Rows:
    held_out = set(_keys(like))
    return rows.take([at for at, key in enumerate(_keys(rows)) if key not in held_out])


def _keys(rows: Rows) -> Iterator[bytes]:
    """The content of each row, to be compared."""
    arrays = list(rows.arrays.values())
    for at in range(len(rows)):
        parts = (array[at] for array in arrays)
        yield b"\0".join(
            repr(part.tolist() if isinstance(part, np.ndarray) else part).encode()
            if getattr(part, "dtype", np.dtype(object)).kind == "O"
            else part.tobytes()
            for part in parts
        )


def _calibration(rows: Rows) -> Calibration:
    places = np.linspace(0, len(rows) - 1, min(len(rows), _MOST)).round().astype(int)
    chosen = rows.take(places)
    return Calibration(chosen, rows_digest(chosen))
