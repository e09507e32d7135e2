"""An array that is not there yet: numpy operations on it write ONNX nodes.

It answers numpy's protocols (NEP 13 and 18), so code written for arrays runs on it as it stands. One
axis, mostly the first, is the batch: its size is not known, and nothing may mix its rows.

As in numpy an array can be written into, and what slicing gives is a view: writing into one is seen
through the other. A tensor therefore counts its writes, and a view looks at its base when it is read.
"""

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from converter.graph import Graph
from converter.tracing.asker import is_author
from converter.tracing.dispatch import FUNCTIONS, UFUNCS, name_of
from converter.tracing.errors import NoSuchMethodError, TracingError
from converter.tracing.shapes import Shape, describe

#: While an author's own code is traced: what stands for the number of rows in `shape`.
rows_symbol: ContextVar[Callable[["Tensor"], Any] | None] = ContextVar("rows_symbol", default=None)


@dataclass
class _View:
    """How a view reads its base and writes into it; None where numpy might have made a copy."""

    base: "Tensor"
    seen: int
    read: Callable[["Tensor"], "Tensor"] | None
    write: Callable[["Tensor", Any], None] | None


class Tensor(np.lib.mixins.NDArrayOperatorsMixin):
    """A value in a graph. `dtype` object means texts; in `sizes` None is the number of rows."""

    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, graph: Graph, name: str, dtype: DTypeLike, shape: Sequence[int | None]) -> None:
        self.graph = graph
        self._name = name
        self._dtype = np.dtype(dtype)
        self.sizes: Shape = tuple(shape)
        self._view: _View | None = None
        self._writes = 0
        self._unclear = False

    @classmethod
    def input(cls, graph: Graph, name: str, dtype: DTypeLike, shape: Sequence[int | None]) -> "Tensor":
        """Declare an input of the graph; dtype object is texts."""
        kind = np.dtype(dtype)
        if kind.kind in "US":
            kind = np.dtype(object)
        return cls(
            graph, graph.input(name, "object" if kind.kind == "O" else kind.name, shape), kind, shape
        )

    # what it is

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """To an author's `isinstance(X, np.ndarray)` an array, so that the code goes its usual way."""
        return self._stands_for() if rows_symbol.get() is not None and is_author() else type(self)

    def _stands_for(self) -> type:
        return np.ndarray

    @property
    def name(self) -> str:
        """The value's name in the graph, as it is now."""
        self._refresh()
        return self._name

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    @property
    def shape(self) -> Any:
        """Sizes; the number of rows is None, or a symbol while an author's own code is traced."""
        symbol = rows_symbol.get()
        if symbol is None:
            return self.sizes
        return tuple(symbol(self) if size is None else size for size in self.sizes)

    @property
    def ndim(self) -> int:
        return len(self.sizes)

    @property
    def T(self) -> "Tensor":  # noqa: N802 -- numpy's name
        return self.transpose()

    @property
    def size(self) -> int:
        raise TracingError("`.size` counts the rows, and a device has one at a time: use `.shape[1]`.")

    @property
    def values(self) -> "Tensor":
        """Itself: what `.values` of a DataFrame is."""
        return self

    def to_numpy(self, dtype: DTypeLike | None = None, copy: bool = False) -> "Tensor":
        """Itself, or as another dtype."""
        return self.astype(self.dtype if dtype is None else dtype, copy=copy)

    def __repr__(self) -> str:
        return f"Tensor(shape={describe(self.sizes)}, dtype={self.dtype})"

    # numpy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        from converter.tracing.calls import call_ufunc

        return call_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        rule = FUNCTIONS.get(function)
        if rule is None:
            raise TracingError(
                f"{name_of(function)} has no ONNX form. docs/custom-steps.md lists what has."
            )
        return rule(*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TracingError(
            "this needs the numbers themselves, which are there only on the device: keep to numpy "
            "functions of whole arrays, and write results into arrays made with np.zeros_like or "
            "np.column_stack."
        )

    def __getitem__(self, index: Any) -> Any:
        from converter.tracing.indexing import get_item

        return get_item(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from converter.tracing.indexing import set_item

        set_item(self, index, value)

    def __len__(self) -> int:
        if not self.sizes or self.sizes[0] is None:
            raise TracingError(
                "`len()` counts the rows, and a device has one at a time: np.zeros_like, np.full_like "
                "and `reshape(-1, k)` do without."
            )
        return self.sizes[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.sizes or self.sizes[0] is None:
            raise TracingError(
                "a loop over rows: a device predicts one row at a time. Write it for whole columns: "
                "`X[:, 0] * X[:, 1]`, np.where, np.sum(X, axis=1)."
            )
        return (self[i] for i in range(self.sizes[0]))

    def __bool__(self) -> bool:
        raise TracingError(
            "a decision on data (`if`, `while`, `and`, `or`, `not`, `in`, `a < x < b`): a graph has no "
            "branches. Use np.where(condition, a, b), np.minimum/np.maximum, and & | ~ on conditions."
        )

    def __contains__(self, item: Any) -> bool:
        return bool(self)

    def _one_number(self) -> Any:
        raise TracingError(
            "float(), int(), round(), math.* or a format string needs one number, where there is one "
            "for each row: use the numpy function of the same name on the whole column."
        )

    __float__ = __int__ = __index__ = __complex__ = __round__ = __trunc__ = _one_number
    item = tolist = _one_number

    def __format__(self, spec: str) -> str:
        return repr(self) if not spec else str(self._one_number())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NoSuchMethodError(
            f"`.{name}` of an array has no ONNX form. docs/custom-steps.md lists what has."
        )

    # writing

    def __deepcopy__(self, memo: Any) -> "Tensor":
        return self.copy()

    def copy(self, order: str = "C") -> "Tensor":  # noqa: ARG002
        """Another array of the same numbers: writing into one leaves the other."""
        return Tensor(self.graph, self.name, self.dtype, self.sizes)

    __copy__ = copy

    def assign(self, value: Any, casting: Any = "unsafe") -> None:
        """Write a whole array into this one, cast and broadcast. Raises what numpy raises."""
        from converter.tracing.nodes import cast, expand, shape_of
        from converter.tracing.shapes import broadcast

        found = value if isinstance(value, Tensor) else np.asarray(value)
        if not np.can_cast(found.dtype, self.dtype, casting):
            raise TypeError(
                f"Cannot cast from {found.dtype!r} to {self.dtype!r} with casting rule '{casting}'"
            )
        shape = broadcast(shape_of(found), self.sizes)
        if shape != self.sizes:
            raise ValueError(f"cannot write {describe(shape)} into {describe(self.sizes)}")
        self._refresh()
        filled = cast(found, self.dtype)
        if shape_of(filled) != self.sizes:
            filled = expand(filled, self, self.sizes)
        self._write(filled)

    def _write(self, value: "Tensor") -> None:
        name = value.name
        view = self._view
        if view is not None and view.write is not None:
            view.write(view.base, value)
            view.seen = view.base._count()
        elif view is not None:
            # numpy may or may not have changed the base as well: nobody may read that any more
            base = view.base
            while base._view is not None:
                base = base._view.base
            base._unclear, self._view = True, None
        self._name = name
        self._writes += 1

    def viewed(self, base: "Tensor", read: Any, write: Any) -> "Tensor":
        """This tensor, marked as a view of `base`: see `_View`."""
        if self is not base:
            self._view = _View(base, base._count(), read, write)
        return self

    def _count(self) -> int:
        self._refresh()
        return self._writes

    def _refresh(self) -> None:
        """Look again at what this is a view of."""
        if self._unclear:
            raise TracingError(
                "an array is read after something was written into a reshaped form of it, which may or "
                "may not be a copy: write `.copy()` where one is meant."
            )
        view = self._view
        if view is None:
            return
        count = view.base._count()
        if count == view.seen:
            return
        if view.read is None:
            raise TracingError(
                "a reshaped form of an array is read after something was written into the array, and it "
                "may or may not be a copy: write `.copy()` where one is meant."
            )
        self._name = view.read(view.base).name
        view.seen = count
        self._writes += 1

    # numpy's methods

    def astype(self, dtype: DTypeLike, *, copy: bool = True, **_layout: Any) -> "Tensor":
        from converter.tracing.nodes import cast

        if np.dtype(dtype).kind in "OUS" and self.dtype.kind == "O":
            return self.copy() if copy else self
        if np.dtype(dtype) == self.dtype:
            return self.copy() if copy else self
        return cast(self, dtype)  # type: ignore[no-any-return]

    def reshape(self, *shape: Any, order: str = "C") -> "Tensor":
        sizes = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, sizes, order=order)  # type: ignore[call-overload, no-any-return]

    def transpose(self, *axes: Any) -> "Tensor":
        given = axes[0] if len(axes) == 1 else axes
        found: Tensor = FUNCTIONS[np.transpose](self, given or None)
        return found

    def flatten(self, order: str = "C") -> "Tensor":
        return np.ravel(self, order=order).copy()  # type: ignore[call-overload, no-any-return]


def _method(name: str) -> Callable[..., Any]:
    """A method that is numpy's function of the same name."""
    function = getattr(np, name)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[function](self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"As `np.{name}`."
    return method


METHODS = (
    "all", "any", "argmax", "argmin", "argsort", "clip", "cumprod", "cumsum", "dot", "max",
    "mean", "min", "prod", "ptp", "ravel", "repeat", "round", "squeeze", "std", "sum",
    "swapaxes", "take", "var",
)  # fmt: skip
for _name in METHODS:
    setattr(Tensor, _name, _method(_name))

__all__ = ["METHODS", "UFUNCS", "Tensor", "rows_symbol"]
