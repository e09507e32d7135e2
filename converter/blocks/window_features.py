"""Statistics and a magnitude spectrum of windows of sensor readings."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from edge_runtime.errors import InputError

if TYPE_CHECKING:
    from converter.graph import Graph

Float32 = NDArray[np.float32]

STATISTICS = ("mean", "std", "rms", "min", "max")
DEFAULT_BINS = 20
MAX_LENGTH = 65_536


class BlockError(InputError, ValueError):
    """A block's parameter or input is wrong; a ValueError too, as users of scikit-learn expect."""


class WindowFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn windows of shape (windows, samples, axes) into float32 features, axis by axis.

    Parameters
    ----------
    statistics : which of "mean", "std" (population, two passes), "rms", "min" and "max", in the
        order the features get.
    spectrum_bins : how many bins of the magnitude spectrum, from bin 1 up; bin k is the frequency
        k * rate / samples. Bin 0 is left out: it is the mean. None means 20, or all
        samples // 2 of a shorter window. 0 means no spectrum.

    The spectrum is scaled to amplitude: a sine of amplitude a that falls on a bin gives a there,
    whatever the window's length. It is 2 / samples * abs(rfft), and half of that at samples / 2.

    All arithmetic is float32, in numpy as in the converted graph. Against float64, for windows of up
    to 4,096 samples and with m the largest absolute value in the window, each feature is within
    2e-6 * m; minimum and maximum are exact. Squares bound the useful range: 1e-15 < m < 1e15.

    Features come statistic by statistic, then bin by bin, each with all its axes side by side.
    """

    def __init__(
        self, statistics: tuple[str, ...] = STATISTICS, spectrum_bins: int | None = None
    ) -> None:
        self.statistics = statistics
        self.spectrum_bins = spectrum_bins

    def fit(self, X: Any, y: Any = None) -> "WindowFeatures":  # noqa: ARG002
        """Learn the windows' shape. Raises BlockError (a ValueError) for wrong parameters or input."""
        windows = _as_windows(X)
        length, axes = windows.shape[1:]
        if not 2 <= length <= MAX_LENGTH or axes < 1:
            raise BlockError(
                f"WindowFeatures: expected windows of 2 to {MAX_LENGTH} samples and at least 1 axis, "
                f"found {length} samples and {axes} axes."
            )
        self._check_parameters(length)
        self.length_, self.n_axes_ = length, axes
        bins = min(DEFAULT_BINS, length // 2) if self.spectrum_bins is None else self.spectrum_bins
        self.n_bins_ = int(bins)
        return self

    def transform(self, X: Any) -> Float32:
        """Features, float32 of shape (windows, features). Raises BlockError for another shape, NaN."""
        check_is_fitted(self)
        windows = _as_windows(X)
        if windows.shape[1:] != (self.length_, self.n_axes_):
            raise BlockError(
                f"WindowFeatures: expected windows of shape ({self.length_}, {self.n_axes_}), "
                f"(samples, axes), as in fit; found {windows.shape[1:]}."
            )
        with np.errstate(over="ignore"):
            parts = [self._statistic(name, windows) for name in self.statistics]
            if self.n_bins_:
                parts.append(self._spectrum(windows))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names such as `axis0_mean` and `axis0_bin3`; `input_features` names the axes."""
        check_is_fitted(self)
        axes = [f"axis{i}" for i in range(self.n_axes_)] if input_features is None else input_features
        if len(axes) != self.n_axes_:
            raise BlockError(f"expected {self.n_axes_} names, one an axis, found {len(axes)}.")
        kinds = [*self.statistics, *(f"bin{k}" for k in range(1, self.n_bins_ + 1))]
        return np.array([f"{axis}_{kind}" for kind in kinds for axis in axes], dtype=object)

    def window_shape(self) -> tuple[int, int]:
        """(samples, axes) of one window."""
        check_is_fitted(self)
        return self.length_, self.n_axes_

    def describe(self) -> dict[str, Any]:
        return {"statistics": list(self.statistics), "spectrum_bins": self.n_bins_}

    def add_to_graph(self, graph: "Graph", windows: str) -> str:
        """The same arithmetic in operators that ONNX Runtime and TensorRT both take."""
        centred = mean = ""
        if {"mean", "std"} & set(self.statistics) or self.n_bins_:
            mean = graph.node("ReduceMean", windows, axes=[1], keepdims=1)
            centred = graph.node("Sub", windows, mean)
        one_over_root = graph.constant(_one_over_root(self.length_))
        parts = []
        for name in self.statistics:
            if name == "mean":
                shape = graph.constant(np.array([-1, self.n_axes_]))
                parts.append(graph.node("Reshape", mean, shape))
            elif name in ("std", "rms"):
                source = centred if name == "std" else windows
                norm = graph.node("ReduceL2", source, axes=[1], keepdims=0)
                parts.append(graph.node("Mul", norm, one_over_root))
            else:
                operator = "ReduceMin" if name == "min" else "ReduceMax"
                parts.append(graph.node(operator, windows, axes=[1], keepdims=0))
        if self.n_bins_:
            parts.append(self._add_spectrum(graph, centred))
        return graph.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def _check_parameters(self, length: int) -> None:
        names: Any = self.statistics
        bins: Any = self.spectrum_bins
        if isinstance(names, str) or not set(names) <= set(STATISTICS) or len(set(names)) < len(names):
            raise BlockError(
                f"WindowFeatures: statistics: expected each of {', '.join(STATISTICS)} at most once, "
                f"found {names!r}."
            )
        whole = isinstance(bins, int | np.integer) and not isinstance(bins, bool)
        if bins is not None and not (whole and 0 <= bins <= length // 2):
            raise BlockError(
                f"WindowFeatures: spectrum_bins: expected None or 0 to {length // 2}, half of the "
                f"window's {length} samples; found {bins!r}."
            )
        if not len(names) and bins == 0:
            raise BlockError("WindowFeatures: expected a statistic or a spectrum, found neither.")

    def _statistic(self, name: str, windows: Float32) -> Float32:
        if name in ("mean", "min", "max"):
            found: Float32 = getattr(windows, name)(axis=1)
            return found
        if name == "std":  # two passes: the mean of squares minus the squared mean cancels
            windows = windows - windows.mean(axis=1, keepdims=True)
        root: Float32 = np.sqrt(np.square(windows).sum(axis=1)) * _one_over_root(self.length_)
        return root

    def _spectrum(self, windows: Float32) -> Float32:
        # Bins above 0 do not see a constant; taking it out first keeps its rounding out of them.
        centred = windows - windows.mean(axis=1, keepdims=True)
        parts = _fourier(self.length_, self.n_bins_) @ centred
        halves = parts.reshape(len(windows), 2, self.n_bins_ * self.n_axes_)
        magnitude: Float32 = np.sqrt(np.square(halves).sum(axis=1))
        return magnitude

    def _add_spectrum(self, graph: "Graph", centred: str) -> str:
        parts = graph.node("MatMul", graph.constant(_fourier(self.length_, self.n_bins_)), centred)
        shape = graph.constant(np.array([-1, 2, self.n_bins_ * self.n_axes_]))
        halves = graph.node("Reshape", parts, shape)
        return graph.node("ReduceL2", halves, axes=[1], keepdims=0)


def _fourier(length: int, bins: int) -> Float32:
    """Cosines over sines, (2 * bins, length): the DFT's bins 1 to `bins`, scaled to amplitude."""
    k = np.arange(1, bins + 1)
    angles = 2 * np.pi * (np.outer(k, np.arange(length)) % length) / length
    scale = np.where(2 * k == length, 1.0, 2.0)[:, None] / length
    return np.concatenate([np.cos(angles) * scale, np.sin(angles) * scale]).astype(np.float32)


def _one_over_root(length: int) -> NDArray[np.float32]:
    return np.array(1 / np.sqrt(length), dtype=np.float32)


def _as_windows(X: Any) -> Float32:
    try:
        windows: Float32 = np.asarray(X, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise BlockError(
            "WindowFeatures: expected numbers of shape (windows, samples, axes), "
            f"found {type(X).__name__} that numpy cannot read: {error}"
        ) from error
    if windows.ndim != 3:
        raise BlockError(
            "WindowFeatures: expected an array of shape (windows, samples, axes), "
            f"found {windows.shape}."
        )
    if not np.isfinite(windows).all():
        window, sample, axis = np.argwhere(~np.isfinite(windows))[0]
        raise BlockError(
            f"WindowFeatures: window {window}, sample {sample}, axis {axis}: expected a finite "
            f"number, found {windows[window, sample, axis]}."
        )
    return windows
