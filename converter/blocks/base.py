"""What every block has in common: checked inputs, and one computation for numpy and for the graph."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from edge_runtime.errors import InputError

Array = Any  # a numpy array or a converter.tracing.Tensor; axis 0 is the batch
Reads = Literal["windows", "images", "columns", "arrays"]  # arrays: windows or images

# What one input of each kind is: its axes, and what the last one counts.
_AXES: dict[str, tuple[str, ...]] = {
    "windows": ("window", "sample", "axis"),
    "images": ("image", "row", "column", "channel"),
    "columns": ("row", "column"),
}
_SHAPES = {
    "windows": "(windows, samples, axes)",
    "images": "(images, height, width, channels)",
    "columns": "(rows, columns)",
}


class BlockError(InputError, ValueError):
    """A block's parameter or input is wrong; a ValueError too, as users of scikit-learn expect."""


class Block(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A preprocessing step that trains like a scikit-learn transformer and converts to ONNX.

    A block writes `compute`, in numpy and float32: given an array it computes, given a
    `converter.tracing.Tensor` the same lines write the graph. It may also write `learn`, which checks
    parameters against the first inputs and makes constants, and `names`, which names what comes out.

    reads: what one input is: windows (samples, axes), images (height, width, channels) or columns;
        arrays are windows or images.
    allow_nan: whether a missing number is one that the block hands on.

    A block that gives windows or images, not features, passes `auto_wrap_output_keys=None` where it is
    declared: a DataFrame has no third axis, so there is no `set_output`.
    """

    reads: ClassVar[Reads] = "windows"
    allow_nan: ClassVar[bool] = False

    input_shape_: tuple[int, ...]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)  # scikit-learn's auto_wrap_output_keys

    def learn(self, x: NDArray[Any]) -> None:
        """Check the parameters and make constants; x is the first input, checked. Raises BlockError."""

    def compute(self, x: Array) -> Array:
        """The answer, float32: features (n, k), or windows or images. x is as `as_read` gives it."""
        raise NotImplementedError

    def names(self, inputs: list[str]) -> Sequence[str]:
        """Names along the last axis of the answer, made of those of the input's last axis."""
        return inputs

    def refused(self, x: Array) -> Sequence[tuple[Array, str]]:  # noqa: ARG002
        """Conditions, bool (n,), under which a row has no answer, each with the reason: a sentence.

        x is as `compute` takes it. `fit` and `transform` raise BlockError for such a row, and a device
        answers it with that reason.
        """
        return ()

    def as_read(self, x: Array) -> Array:
        """Inputs in the dtype that `compute` takes: float32, unless a block reads whole numbers."""
        return x if x.dtype == np.float32 else x.astype(np.float32)

    def fit(self, X: Any, y: Any = None) -> "Block":  # noqa: ARG002
        """Learn the shape of one input and what follows from it. Raises BlockError (a ValueError)."""
        x = self._taken(X)
        if 0 in x.shape[1:]:
            raise BlockError(
                f"{self._name}: expected {_SHAPES[self._kind(x.ndim)]}, none 0; found {x.shape}."
            )
        names = getattr(X, "columns", None)
        self.__dict__.pop("feature_names_in_", None)  # of an earlier fit
        if self.reads == "columns":
            self.n_features_in_ = x.shape[1]  # so scikit-learn's containers know this step's width
            if names is not None and all(isinstance(name, str) for name in names):
                self.feature_names_in_ = np.array(list(names), dtype=object)
        self.input_shape_ = x.shape[1:]
        self.learn(x)
        self._check_rows(x)
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """The answer, float32. Raises BlockError for another shape or other columns than in `fit`, for
        NaN, and for rows that the block refuses."""
        check_is_fitted(self)
        x = self._taken(X)
        self._check_names(X)
        self.check_shape(x.shape[1:])
        self._check_rows(x)
        with np.errstate(all="ignore"):  # as a graph: it knows no warnings
            found: NDArray[Any] = self.compute(x)
        return found

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names along the answer's last axis, such as `axis0_mean`, made of those of the input's."""
        check_is_fitted(self)
        count, kind = self.input_shape_[-1], self._kind(len(self.input_shape_) + 1)
        given = getattr(self, "feature_names_in_", None) if input_features is None else input_features
        stem = {"windows": "axis", "images": "channel", "columns": "x"}[kind]
        names = [f"{stem}{i}" for i in range(count)] if given is None else [str(name) for name in given]
        if len(names) != count:
            raise BlockError(
                f"{self._name}: expected {count} names, one {_AXES[kind][-1]} each, found {len(names)}."
            )
        return np.array(list(self.names(names)), dtype=object)

    def describe(self) -> dict[str, Any]:
        """Parameters for people to read in the manifest; numbers, strings and lists only."""
        return {name: _plain(value) for name, value in self.get_params(deep=False).items()}

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raises BlockError where one input is not of the shape that it had in `fit`."""
        if shape != self.input_shape_:
            kind = self._kind(len(self.input_shape_) + 1)
            raise BlockError(
                f"{self._name}: expected {kind} of shape {self.input_shape_}, as in fit; "
                f"found {shape}. Give the model what it was trained on, or train it anew."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.reads == "columns"
        tags.input_tags.three_d_array = self.reads in ("windows", "arrays")
        tags.input_tags.allow_nan = self.allow_nan
        return tags

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _kind(self, ndim: int) -> str:
        """What inputs of so many axes, the batch included, are to this block."""
        return self.reads if self.reads != "arrays" else "images" if ndim == 4 else "windows"

    def _check_names(self, X: Any) -> None:
        """Raises BlockError where a DataFrame has other columns than in `fit`, or another order."""
        known, given = getattr(self, "feature_names_in_", None), getattr(X, "columns", None)
        if known is not None and given is not None and list(given) != list(known):
            raise BlockError(
                f"{self._name}: expected columns {list(known)[:10]}, as in fit; found "
                f"{list(given)[:10]}. Select them by name: X[{list(known)[:3]}]."
            )

    def _check_rows(self, x: NDArray[Any]) -> None:
        with np.errstate(all="ignore"):
            for rows, why in self.refused(x):
                if rows.any():
                    raise BlockError(f"{self._name}: row {int(np.argmax(rows))}: {why}")

    def _taken(self, X: Any) -> NDArray[Any]:
        """X as an array that `compute` takes. Raises BlockError."""
        try:
            given = np.asarray(X)
            if given.dtype.kind in "mM":
                raise BlockError(
                    f"{self._name}: expected numbers, found {given.dtype}. Make Unix seconds of dates, "
                    "t.astype('datetime64[s]').astype('int64'), which DateParts takes."
                )
            x: NDArray[Any] = self.as_read(given if given.dtype.kind in "biuf" else given.astype(float))
        except (TypeError, ValueError) as error:
            if isinstance(error, BlockError):
                raise
            raise BlockError(
                f"{self._name}: expected numbers of shape {_SHAPES[self._kind(3)]}, "
                f"found {type(X).__name__} that numpy cannot read: {error}"
            ) from error
        axes = _AXES[self._kind(x.ndim)]
        if x.ndim != len(axes):
            raise BlockError(
                f"{self._name}: expected an array of shape {_SHAPES[self._kind(x.ndim)]}, "
                f"found {x.shape}."
            )
        wrong = np.isinf(x) if self.allow_nan else ~np.isfinite(x)
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0].tolist())
            where = ", ".join(f"{axis} {at}" for axis, at in zip(axes, place, strict=True))
            raise BlockError(
                f"{self._name}: {where}: expected a finite number, found {x[place]}. Repair the "
                "recording, or leave this input out."
            )
        return x


def _plain(value: Any) -> Any:
    """A parameter as JSON has it."""
    if isinstance(value, tuple | list | np.ndarray):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
