"""What blocks of signals ask of rates, lengths and window functions; each raises BlockError.

Every function takes first whose parameter it is, for the sentence: a block's name, or in `what` the
parameter's too, as in "Spectrum: n_fft".
"""

from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks.base import BlockError
from converter.blocks.parameters import is_number, is_whole

MAX_LENGTH = 65_536  # samples in a window
MAX_RATE_HZ = 1e9


def check_length(block: str, length: int, least: int = 2, most: int = MAX_LENGTH) -> None:
    """A window has as many samples as the block needs, and no more than it takes."""
    if not least <= length <= most:
        raise BlockError(
            f"{block}: expected windows of {least} to {most} samples, found {length}. Give windows of "
            "another length, or choose other parameters."
        )


def whole(what: str, value: Any, least: int, most: int, why: str = "") -> int:
    """A whole number in a range; `why` says where the range comes from."""
    if not is_whole(value, least, most):
        raise BlockError(
            f"{what}: expected a whole number from {least} to {most}{why}; found {value!r}."
        )
    return int(value)


def number(what: str, value: Any, least: float, most: float = inf, why: str = "") -> float:
    """A finite number in a closed range; `why` says its unit and where the range comes from."""
    if not is_number(value) or not least <= value <= most:
        span = f"a number from {least:g} to {most:g}" if most < inf else f"a number from {least:g} up"
        raise BlockError(f"{what}: expected {span}{why}; found {value!r}.")
    return float(value)


def rate(block: str, value: Any) -> float:
    """A sampling rate in Hz."""
    if not is_number(value) or not 0 < value <= MAX_RATE_HZ:
        raise BlockError(
            f"{block}: rate_hz: expected the sampling rate, a positive number of Hz up to "
            f"{MAX_RATE_HZ:g}; found {value!r}."
        )
    return float(value)


def window_function(block: str, window: Any, length: int) -> NDArray[np.float64]:
    """`scipy.signal.get_window(window, length)`: periodic, float64."""
    from scipy.signal import get_window

    try:
        if not isinstance(window, str | tuple):
            raise TypeError("a name or a tuple is expected")
        made: NDArray[np.float64] = np.asarray(get_window(window, length), np.float64)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise BlockError(
            f"{block}: window: expected what scipy.signal.get_window takes, such as 'boxcar', 'hann', "
            f"'hamming' or ('kaiser', 8.6); found {window!r}: {error}"
        ) from error
    if not np.isfinite(made).all() or not made.any():
        raise BlockError(
            f"{block}: window: {window!r} of {length} samples is zero or not finite: choose another "
            "window function, or a longer one."
        )
    return made


def points(block: str, n_fft: Any, length: int, least: int = 2) -> int:
    """n_fft, checked against the window's length."""
    check_length(block, length, least)
    if n_fft is None:
        return length
    return whole(f"{block}: n_fft", n_fft, length, MAX_LENGTH, ", and the window's samples")


def one_sided(bins: NDArray[Any], n_fft: int) -> NDArray[np.float64]:
    """2 for a bin that stands for its negative frequency too, 1 for bin 0 and n_fft / 2."""
    found: NDArray[np.float64] = np.where((bins == 0) | (2 * bins == n_fft), 1.0, 2.0)
    return found
