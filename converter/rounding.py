"""What making float32 of the inputs does to the source model's own answers.

Source and variant are compared on float32, so that parity says nothing of this: seconds since 1970 and
categories such as 0.7 are other numbers once they are rounded, and uint8 no longer wraps around.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.inputs import DTYPES, Rows, as_array, as_rows
from converter.parity import NEAR_TIE
from converter.progress import Progress
from converter.source import Answer, Source
from edge_runtime.errors import ConversionError, InputError

# Trees behind a scaler may flip a split by rounding, and few trees a label or two of few inputs.
MAX_LABELS = 0.01
_FEW = 2
MAX_UNEXPLAINED = 0.1
_ROUNDING = 1e-12


def check_rounding(
    source: Any, inputs: Any, rows: Rows, expected: Answer, *, is_chosen: bool, progress: Progress
) -> None:
    """Tell what a scikit-learn model says otherwise of `inputs` as they were given.

    rows, expected: the inputs in float32, and what the source says of those. is_chosen: whether the
    author said which dtype devices give. Raises InputError where more than 1 % of the labels are others
    or more than 10 % of the variance of its numbers is, and nobody chose that;
    ConversionError where the source does not answer the same twice.
    """
    if not isinstance(source, Source) or rows.is_table or rows.array.dtype != np.float32:
        return
    given = as_array(inputs, "inputs")
    if given.dtype.kind == "f" and np.array_equal(given, rows.array, equal_nan=True):
        return
    own = {"f": "float64", "i": "int64", "u": "int64"}.get(given.dtype.kind)
    own = given.dtype.name if given.dtype.name in DTYPES else own
    if own is None:
        return
    try:
        exact = source.run(as_rows(inputs, source.model, own))
    except (ConversionError, InputError):  # it takes float32 alone, or these are beyond int64
        return
    told, is_much = _change(exact, expected)
    if is_much and _change(expected, source.run(rows))[1]:
        raise ConversionError(
            f"the source model {source.describe()} says otherwise when it is asked the same again. Take "
            "chance and clocks out of its steps: draw in `fit`, and keep what was drawn."
        )
    if is_much and not is_chosen:
        raise InputError(
            f"inputs: made float32, which devices are asked for, they change {told} of those in {own}. "
            f"Say input_dtype='{own}' (--input-dtype {own}) if devices give that, else 'float32'."
        )
    if told:
        progress(f"float32 changes {told} of inputs in {own}")


def _change(exact: Answer, rounded: Answer) -> tuple[str, bool]:
    """What is said otherwise, perhaps nothing, and whether that is much."""
    for name, said in exact.tensors.items():
        heard = rounded.tensors[name]
        if name == "label":
            changed = (said != heard).reshape(len(said), -1).any(axis=1)
            if len(exact.margin):
                changed &= (exact.margin >= NEAR_TIE) | (rounded.margin >= NEAR_TIE)
            count = int(changed.sum())
            if count:
                is_much = count > max(_FEW, MAX_LABELS * len(said))
                return f"{count} of {len(said)} labels", is_much
        elif (share := _unexplained(said, heard)) > MAX_UNEXPLAINED:
            return f"the {name} (R² {1 - share:.3f}, expected {1 - MAX_UNEXPLAINED:g} or more)", True
    return "", False


def _unexplained(said: NDArray[np.float64], heard: NDArray[np.float64]) -> float:
    """1 less R² of all numbers together, each column less its mean; 0 where nothing varies."""
    flat = said.reshape(len(said), -1)
    centred = np.square(flat - np.nanmean(flat, axis=0))
    residual = np.nansum(np.square(flat - heard.reshape(flat.shape)))
    total = np.nansum(centred)
    return float(residual / total) if total > _ROUNDING * np.nansum(np.square(flat)) else 0.0
