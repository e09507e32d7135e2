"""`np.take(constant, tensor)`: numpy's protocol asks only the first argument, so here is who asks both.

NEP 18 leaves the choice of arguments to each function, and np.take's does not name its indices. This
module therefore puts a np.take in numpy's place that looks at them; without tensors it is numpy's own.
"""

from typing import Any

import numpy as np

from converter.tracing.dispatch import FUNCTIONS
from converter.tracing.tensor import Tensor

_numpys_take = np.take


def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Any:
    """As `numpy.take`, whose indices may be a tensor."""
    if isinstance(indices, Tensor):
        return FUNCTIONS[_numpys_take](a, indices, axis=axis, out=out, mode=mode)
    return _numpys_take(a, indices, axis=axis, out=out, mode=mode)


FUNCTIONS[take] = FUNCTIONS[_numpys_take]
np.take = take
