"""Butterworth filters of windows, as scipy.signal runs them."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks import signals
from converter.blocks.base import Array, Block, BlockError
from converter.blocks.causal import Causal
from converter.blocks.fourier import Float32, Float64
from converter.blocks.lines import lines
from converter.blocks.parameters import check_choice, check_flag
from converter.tracing import ops

MAX_FILTERED = 16_384  # samples: constants grow faster than the window
_DENSE = 128  # samples up to which one matrix is as fast as blocks
_TYPES = ("lowpass", "highpass", "bandpass", "bandstop")


class Butterworth(Block, auto_wrap_output_keys=None):
    """A Butterworth filter along each axis of a window; the window keeps its shape.

    As `scipy.signal.sosfilt(butter(order, cutoff_hz, btype, fs=rate_hz, output="sos"), x)`, or
    sosfiltfilt, which are linear: scipy's own impulse response in float64 makes the constant matrices.

    Parameters
    ----------
    rate_hz : sampling rate.
    cutoff_hz : where the gain is 1 / sqrt(2), above 0 and below rate_hz / 2; (low, high) of a band.
    btype : "lowpass", "highpass", "bandpass" or "bandstop".
    order : 1 to 16; a band's filter has twice as many states.
    initial : how a window begins. "steady": as if its first sample had been there for ever, which is
        `zi=sosfilt_zi(sos) * x[0]`, so a constant part such as gravity makes no transient. "zero": as
        if all had been 0, as sosfilt does by default. Not used with zero_phase.
    zero_phase : there and back, as `scipy.signal.sosfiltfilt` with its own padding: nothing is delayed,
        and each sample depends on later ones of its window.

    Gives windows of the same shape, float32. With m the largest absolute value in the window, an answer
    is within 1e-6 * m of float64's, there and back within 2e-6 * m. Raises BlockError for a cut-off at
    or beyond rate_hz / 2, an order out of range, windows above 16,384 samples, and with zero_phase for
    windows shorter than its padding.
    """

    def __init__(
        self,
        rate_hz: float,
        cutoff_hz: float | tuple[float, float],
        btype: str = "lowpass",
        order: int = 4,
        *,
        initial: str = "steady",
        zero_phase: bool = False,
    ) -> None:
        self.rate_hz = rate_hz
        self.cutoff_hz = cutoff_hz
        self.btype = btype
        self.order = order
        self.initial = initial
        self.zero_phase = zero_phase

    def learn(self, x: NDArray[Any]) -> None:
        length = x.shape[1]
        signals.check_length("Butterworth", length, most=MAX_FILTERED)
        sos = self._sections()
        gain = float(np.prod(sos[:, :3].sum(axis=1) / sos[:, 3:].sum(axis=1)))
        self.gain_ = np.float32(0 if abs(gain) < 1e-9 else gain)  # of a constant, and 0 is 0
        self.padding_ = _padding(sos) if self.zero_phase else 0
        if self.zero_phase and length <= self.padding_:
            raise BlockError(
                f"Butterworth: zero_phase: expected windows of more than {self.padding_} samples, the "
                f"padding of a filter of order {self.order}; found {length}. Give longer windows or a "
                "lower order."
            )
        self.matrix_: Float32 | None = None
        self.steps_: tuple[Causal, ...] = ()
        if length <= _DENSE:
            self.matrix_ = self._answers(sos, np.eye(length)).T.astype(np.float32)
            return
        given = partial(_impulse, sos), length + 2 * self.padding_, 2 * len(sos)
        directions = (False, True) if self.zero_phase else (False,)
        self.steps_ = tuple(Causal.of(*given, backward=backward) for backward in directions)

    def compute(self, x: Array) -> Array:
        if self.matrix_ is not None:
            return np.matmul(self.matrix_, x)
        x = lines(x)
        if self.zero_phase:
            length, wide = self.input_shape_[0], self.padding_
            # odd extension: twice the end less its mirror image, and in the middle x itself
            x = ops.pad(x, wide, wide, "edge") * np.float32(2) - ops.pad(x, wide, wide, "reflect")
            x = self._steady(x, self.steps_[0], slice(0, 1))
            x = self._steady(x, self.steps_[1], slice(-1, None))
            x = x[:, :, wide : wide + length]
        elif self.initial == "steady":
            x = self._steady(x, self.steps_[0], slice(0, 1))
        else:
            x = self.steps_[0](x)
        return x.reshape(-1, *self.input_shape_) if x.shape[1] == 1 else np.swapaxes(x, 1, 2)

    def _steady(self, x: Array, step: Causal, where: slice) -> Array:
        """Filtered as if the sample at one end had been there for ever: a constant gives a constant."""
        end = x[:, :, where]
        found = step(x - end)
        if not self.gain_:
            return found
        return found + (end if self.gain_ == 1 else end * self.gain_)

    def _sections(self) -> Float64:
        """scipy's second-order sections, of checked parameters."""
        from scipy.signal import butter

        name, rate = "Butterworth", signals.rate("Butterworth", self.rate_hz)
        check_choice(f"{name}: btype", self.btype, _TYPES)
        check_choice(f"{name}: initial", self.initial, ("steady", "zero"))
        check_flag(f"{name}: zero_phase", self.zero_phase)
        signals.whole(f"{name}: order", self.order, 1, 16)
        band = self.btype.startswith("band")
        given: Any = self.cutoff_hz
        if band != isinstance(given, tuple | list | np.ndarray) or (band and len(given) != 2):
            expected = "(low, high) in Hz" if band else "one number of Hz"
            raise BlockError(
                f"{name}: cutoff_hz: expected {expected} for {self.btype}, found {given!r}."
            )
        edges = [self._cutoff(edge, rate) for edge in (given if band else [given])]
        if band and not edges[0] < edges[1]:
            raise BlockError(f"{name}: cutoff_hz: expected low < high in Hz, found {given!r}.")
        cut = edges if band else edges[0]
        sos: Float64 = butter(self.order, cut, self.btype, fs=rate, output="sos")
        return sos

    def _answers(self, sos: Float64, x: Float64) -> Float64:
        """scipy's answer to each row of x."""
        from scipy.signal import sosfilt, sosfilt_zi, sosfiltfilt

        found: Float64
        if self.zero_phase:
            found = sosfiltfilt(sos, x)
        elif self.initial == "zero":
            found = sosfilt(sos, x)
        else:
            found, _ = sosfilt(sos, x, zi=sosfilt_zi(sos)[:, None, :] * x[None, :, :1])
        return found

    def _cutoff(self, edge: Any, rate: float) -> float:
        found = signals.number("Butterworth: cutoff_hz", edge, 0.0, why=" Hz")
        if not rate * 1e-6 <= found < rate / 2:
            raise BlockError(
                f"Butterworth: cutoff_hz: expected from {rate * 1e-6:g} to below {rate / 2:g} Hz, half "
                f"of rate_hz; found {found:g}. Choose another frequency, or sample faster."
            )
        return found


def _impulse(sos: Float64, length: int) -> Float64:
    """scipy's answer to a single sample."""
    from scipy.signal import sosfilt

    unit = np.zeros(length)
    unit[0] = 1.0
    impulse: Float64 = sosfilt(sos, unit)
    return impulse


def _padding(sos: Float64) -> int:
    """How many samples sosfiltfilt adds at each end by default."""
    missing = min(np.count_nonzero(sos[:, 2] == 0), np.count_nonzero(sos[:, 5] == 0))
    return int(3 * (2 * len(sos) + 1 - missing))
