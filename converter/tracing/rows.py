"""What an author's code sees as the number of rows."""

from typing import Any

from converter.tracing.errors import TracingError


class Rows:
    """The size of the batch: it may stand in a shape (`np.zeros((X.shape[0], 3))`), nothing else."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def _unknown(self, *_: Any, **__: Any) -> Any:
        raise TracingError(
            "the number of rows (`X.shape[0]`) is known only on the device, where it is mostly 1. It "
            "may stand in a shape, as in `np.zeros((X.shape[0], 3))` or `reshape(X.shape[0], -1)`, and "
            "nowhere else."
        )

    __int__ = __index__ = __float__ = __bool__ = __add__ = __radd__ = __sub__ = __rsub__ = _unknown
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _unknown
    __mod__ = __rmod__ = __lt__ = __le__ = __gt__ = __ge__ = __array__ = __pow__ = __neg__ = _unknown
    __array_ufunc__ = _unknown

    def __eq__(self, other: object) -> bool:
        return True if isinstance(other, Rows) else bool(self._unknown())

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "rows"
