"""A tensor whose columns have names: what an author who trained on a DataFrame is given."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.tracing.errors import TracingError
from converter.tracing.tensor import Tensor

# pandas leaves nan out, or divides by n - 1, or answers in another form
_OTHERWISE = {
    "all", "amax", "amin", "any", "argmax", "argmin", "argsort", "cumprod", "cumsum", "diff", "dot",
    "max", "mean", "median", "min", "percentile", "prod", "ptp", "quantile", "squeeze", "std", "sum",
    "swapaxes", "take", "transpose", "var", "T",
}  # fmt: skip


class Frame(Tensor):
    """Columns by name, new columns, `.to_numpy()`: the part of pandas that is plain numpy."""

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, x: Tensor, names: Sequence[str]) -> "Frame":
        found = cls(x.graph, x.name, x.dtype, x.sizes)
        found.names = tuple(names)
        return found

    def _stands_for(self) -> type:
        import pandas as pd

        found: type = pd.DataFrame
        return found

    @property
    def columns(self) -> list[str]:
        return list(self.names)

    @property
    def values(self) -> Tensor:
        return self.to_numpy()

    def to_numpy(self, dtype: Any = None, copy: bool = False) -> Tensor:  # noqa: ARG002
        plain = Tensor(self.graph, self.name, self.dtype, self.sizes)
        return plain if dtype is None else plain.astype(dtype)

    def copy(self, deep: Any = True) -> "Frame":  # noqa: ARG002
        return Frame.of(self, self.names)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ in _OTHERWISE:
            raise _beyond(f".{function.__name__}()")
        return super().__array_function__(function, types, args, kwargs)

    def __getattribute__(self, name: str) -> Any:
        if name in _OTHERWISE:
            raise _beyond(f".{name}()")
        return super().__getattribute__(name)

    def _at(self, name: str) -> int:
        if name not in self.names:
            raise KeyError(name)
        return self.names.index(name)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self.to_numpy()[:, self._at(key)].copy()
        if isinstance(key, list) and key and all(isinstance(item, str) for item in key):
            return Frame.of(self.to_numpy()[:, [self._at(name) for name in key]], key)
        raise _beyond(f"[{key!r}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, str):
            raise _beyond("[...] = ...")
        column = np.zeros_like(self.to_numpy()[:, 0], dtype=np.result_type(value)) + value
        parts = {name: self[name] for name in self.names}
        parts[key] = column
        joined: Any = np.column_stack(list(parts.values()))
        self._name, self._dtype, self.sizes = joined.name, joined.dtype, joined.sizes
        self.names = tuple(parts)


def _beyond(what: str) -> TracingError:
    return TracingError(
        f"`X{what}` of a DataFrame has no ONNX form: take columns by name, `X['a']` or `X[['a', 'b']]`, "
        "or go on with `X.to_numpy()`."
    )
