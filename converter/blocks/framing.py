"""Windows cut into overlapping frames, as librosa.stft cuts them."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from converter.blocks import signals
from converter.blocks.base import Array, Block, BlockError
from converter.blocks.fourier import Float64, frame_count, frames
from converter.blocks.lines import lines
from converter.blocks.parameters import check_choice, check_flag
from converter.tracing import ops

_MAX_FRAMED = 2**24  # numbers in all frames of an axis
_PADDING = ("constant", "reflect", "edge")


class OverTime(Block, auto_wrap_output_keys=None):
    """Frames as `librosa.stft` cuts them, and what their transforms have in common."""

    stem: ClassVar[str]

    n_fft: int
    hop_length: int | None
    win_length: int | None
    window: str | tuple[Any, ...]
    center: bool
    pad_mode: str

    def learn(self, x: NDArray[Any]) -> None:
        name, length = self._name, x.shape[1]
        signals.check_length(name, length)
        signals.whole(f"{name}: n_fft", self.n_fft, 2, signals.MAX_LENGTH)
        win = self.n_fft if self.win_length is None else self.win_length
        signals.whole(f"{name}: win_length", win, 1, self.n_fft, ", n_fft")
        hop = max(win // 4, 1) if self.hop_length is None else self.hop_length
        self.hop_ = signals.whole(f"{name}: hop_length", hop, 1, signals.MAX_LENGTH)
        check_flag(f"{name}: center", self.center)
        check_choice(f"{name}: pad_mode", self.pad_mode, _PADDING)
        self.padding_ = self.n_fft // 2 if self.center else 0
        self._check_room(length)
        count = frame_count(length + 2 * self.padding_, self.n_fft, self.hop_)
        if count * self.n_fft > _MAX_FRAMED:
            raise BlockError(
                f"{name}: {count} frames of {self.n_fft} samples an axis, expected at most "
                f"{_MAX_FRAMED} numbers: give a longer hop_length or a shorter n_fft."
            )
        taper = np.zeros(self.n_fft)
        start = (self.n_fft - win) // 2
        taper[start : start + win] = signals.window_function(name, self.window, win)
        self.learn_bins(taper)

    def learn_bins(self, taper: Float64) -> None:
        """Make the constants of the transform; taper is the window function, (n_fft,)."""
        raise NotImplementedError

    def framed(self, x: Array) -> Array:
        """Windows to (n, axes, frames, n_fft)."""
        padded = ops.pad(lines(x), self.padding_, self.padding_, self.pad_mode)
        return frames(padded, self.n_fft, self.hop_)

    def numbered(self, inputs: list[str], numbers: Any) -> list[str]:
        return [f"{axis}_{self.stem}{k}" for axis in inputs for k in numbers]

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "hop_length": self.hop_}

    def _check_room(self, length: int) -> None:
        if not self.center and length < self.n_fft:
            raise BlockError(
                f"{self._name}: expected windows of at least n_fft = {self.n_fft} samples, found "
                f"{length}. Give longer windows, a smaller n_fft, or center=True."
            )
        if self.padding_ >= length and self.pad_mode == "reflect":
            raise BlockError(
                f"{self._name}: pad_mode 'reflect' needs more than n_fft // 2 = {self.padding_} samples "
                f"a window, found {length}. Give longer windows, a smaller n_fft, or 'constant'."
            )
