"""Energy in the levels of a discrete wavelet transform, as PyWavelets transforms."""

from math import comb, floor, log2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.blocks import signals
from converter.blocks.base import Array, Block, BlockError
from converter.blocks.fourier import Float32, Float64, side_by_side
from converter.blocks.lines import lines
from converter.blocks.parameters import check_choice, check_flag
from converter.tracing import ops

WAVELETS = ("haar", *(f"db{n}" for n in range(1, 11)))
_MODES = ("symmetric", "periodization")
_DENSE = 256  # samples up to which all levels are one matrix
_TINY = np.float32(1e-30)


class WaveletEnergy(Block):
    """The sum of squares of the coefficients in each level of a discrete wavelet transform.

    The coefficients are those of `pywt.wavedec(x, wavelet, mode, level)`. Details of level j lie at
    about rate / 2**(j + 1) to rate / 2**j. S. Mallat, IEEE Trans. PAMI 11, 1989; filters from
    I. Daubechies, Ten Lectures on Wavelets, 1992, section 6.1.

    Parameters
    ----------
    wavelet : "haar" or "db1" to "db10".
    level : how deep; None: as deep as `pywt.dwt_max_level` says, where a filter still fits.
    mode : how a window goes on beyond its ends: "symmetric" (mirrored, the ends twice) or
        "periodization" (round and round; of a whole power of two of samples the energies then add up to
        the window's own).
    relative : shares of all levels' sum; 0 for a window of zeros.

    Gives features (n, axes * (level + 1)), float32, axis by axis, the approximation first and details
    from coarse to fine: axis0_a3, axis0_d3, axis0_d2, axis0_d1. An energy is within 5e-7 of
    the window's largest one, its constant part not counted. Raises BlockError for an unknown wavelet,
    and for a level too deep for the window.
    """

    def __init__(
        self,
        wavelet: str = "db4",
        level: int | None = None,
        mode: str = "symmetric",
        relative: bool = False,
    ) -> None:
        self.wavelet = wavelet
        self.level = level
        self.mode = mode
        self.relative = relative

    def learn(self, x: NDArray[Any]) -> None:
        name, length = "WaveletEnergy", x.shape[1]
        signals.check_length(name, length)
        check_choice(f"{name}: wavelet", self.wavelet, WAVELETS)
        check_choice(f"{name}: mode", self.mode, _MODES)
        check_flag(f"{name}: relative", self.relative)
        filters = daubechies(self.wavelet)
        self.level_ = self._level(length, filters.shape[1])
        self.kernels_: Float32 = filters.astype(np.float32)
        self.extensions_ = []  # of the levels that are convolutions: which samples stand at the ends
        for _ in range(self.level_):
            if length <= _DENSE:
                break
            places = _extension(length, filters.shape[1], self.mode)
            start = filters.shape[1] - 2 if self.mode == "symmetric" else filters.shape[1] // 2 - 1
            self.extensions_.append((places[:start], places[start + length :]))
            length = _halved(length, filters.shape[1], self.mode)
        self._learn_rest(filters, length, self.level_ - len(self.extensions_))

    def compute(self, x: Array) -> Array:
        x = lines(x)
        mean = ops.mean(x, axis=2, keepdims=True)
        rest = x - mean  # details do not see a constant, and their rounding shall not either
        norms = []
        for before, after in self.extensions_:
            ends = [[rest[:, :, places]] if len(places) else [] for places in (before, after)]
            parts = ops.correlate(np.concatenate([*ends[0], rest, *ends[1]], axis=2), self.kernels_, 2)
            norms.append(ops.norm(parts[:, :, 1], axis=2, keepdims=True))
            rest = parts[:, :, 0]
        if self.matrix_ is not None:
            rest = np.matmul(rest, self.matrix_)
        squares = np.square(rest + mean * self.of_constant_)
        energies = np.matmul(squares, self.groups_)
        if norms:
            energies = np.concatenate([energies, *map(np.square, reversed(norms))], axis=2)
        if self.relative:
            energies = energies / np.maximum(np.sum(energies, axis=2, keepdims=True), _TINY)
        return side_by_side(energies)

    def names(self, inputs: list[str]) -> list[str]:
        kinds = [f"a{self.level_}", *(f"d{j}" for j in range(self.level_, 0, -1))]
        return [f"{axis}_{kind}" for axis in inputs for kind in kinds]

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "level": self.level_}

    def _level(self, length: int, taps: int) -> int:
        deepest = floor(log2(length / (taps - 1))) if length >= taps - 1 else 0
        if deepest < 1:
            raise BlockError(
                f"WaveletEnergy: {self.wavelet} needs windows of at least {2 * (taps - 1)} samples, "
                f"found {length}. Give longer windows, or a shorter wavelet."
            )
        if self.level is None:
            return deepest
        why = f", as deep as {self.wavelet} fits into {length} samples"
        return signals.whole("WaveletEnergy: level", self.level, 1, deepest, why)

    def _learn_rest(self, filters: Float64, length: int, levels: int) -> None:
        """What is left after the convolutions is one matrix: approximation, then coarse to fine."""
        rest, parts = np.eye(length), []
        for _ in range(levels):
            places = _extension(rest.shape[1], filters.shape[1], self.mode)
            low, high = np.moveaxis(ops.correlate(rest[None, :, places], filters, 2)[0], 1, 0)
            rest = low
            parts.append(high)
        parts = [rest, *reversed(parts)]
        sizes = [part.shape[1] for part in parts]
        self.matrix_ = np.concatenate(parts, axis=1).astype(np.float32) if levels else None
        constant = np.repeat([sqrt(2) ** self.level_, *[0.0] * levels], sizes)
        self.of_constant_ = constant.astype(np.float32)
        self.groups_ = np.repeat(np.eye(len(sizes)), sizes, axis=0).astype(np.float32)


def daubechies(name: str) -> Float64:
    """Low-pass and high-pass analysis filters, reversed, to slide over the samples: (2, taps).

    The low-pass of order n is (1 + z)**n times the factor of Daubechies' polynomial
    sum(comb(n - 1 + k, k) y**k), y = (2 - z - 1/z) / 4, with its zeros inside the unit circle.
    """
    order = 1 if name == "haar" else int(name[2:])
    ys = np.roots([comb(order - 1 + k, k) for k in reversed(range(order))])
    middle = 1 - 2 * ys
    zeros = middle + np.sqrt(middle**2 - 1 + 0j)
    zeros = np.where(np.abs(zeros) > 1, 1 / zeros, zeros)
    low = np.poly([*[-1.0] * order, *zeros]).real
    low *= sqrt(2) / low.sum()
    high = low[::-1] * (-1.0) ** np.arange(len(low))
    return np.stack([low, high])


def _halved(length: int, taps: int, mode: str) -> int:
    """Coefficients of one level."""
    return (length + 1) // 2 if mode == "periodization" else (length + taps - 1) // 2


def _extension(length: int, taps: int, mode: str) -> NDArray[np.int64]:
    """Which sample stands at each place of the window as one level of PyWavelets extends it."""
    last = 2 * _halved(length, taps, mode) - 1
    if mode == "periodization":
        whole = np.append(np.arange(length), [length - 1] * (length % 2))
        places = np.arange(taps // 2 - taps + 1, last - 1 + taps // 2 + 1)
        return np.asarray(whole[places % len(whole)], np.int64)
    places = np.arange(2 - taps, last + 1)
    folded = places % (2 * length)
    return np.asarray(np.minimum(folded, 2 * length - 1 - folded), np.int64)
