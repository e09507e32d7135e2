"""Expressions that nobody wrote: random compositions of operations, against numpy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.converter.tracing.traced import check

Operation = Callable[[Any], Any]

# Each keeps the shape (n, 4); none magnifies the last digit, so that results are comparable.
STEPS: list[Operation] = [
    lambda x: x + 1,
    lambda x: x * -0.5,
    lambda x: x - x[:, :1],
    lambda x: np.maximum(x, x[:, ::-1]),
    lambda x: np.where(x > 0.25, x, 2 * x),
    lambda x: x[:, [3, 1, 0, 2]],
    lambda x: np.roll(x, 1, axis=1),
    lambda x: np.sort(x, axis=1),
    lambda x: np.clip(x, -3, 3),
    lambda x: x.reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1, 4),
    lambda x: np.concatenate([x[:, 2:], x[:, :2]], axis=1),
    lambda x: (x.T * 2).T,
    lambda x: np.stack([x[:, 0], x[:, 1], x[:, 3], x[:, 2]], axis=1),
    lambda x: x.max(axis=1, keepdims=True) - x,
    lambda x: np.abs(x),  # noqa: PLW0108 -- np.abs would be told apart by its name
    lambda x: np.take_along_axis(x, np.argsort(-x, axis=1, kind="stable"), axis=1),
    lambda x: x % 3,
    lambda x: np.rint(x),  # noqa: PLW0108
    lambda x: np.trunc(x) / 2,
    lambda x: written(x, 1),
    lambda x: written(x, slice(0, None, 2)),
]


def written(x: Any, columns: Any) -> Any:
    x = x.copy()
    part = x[:, columns]
    x[x < 0] = 0.5
    part += 1
    x[:, columns] *= 2
    return x


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    x=arrays(np.float64, (3, 4), elements=st.integers(-40, 40).map(lambda n: n / 8)),
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=6),
)
def test_composed_operations_are_numpys_to_the_bit(x: np.ndarray, steps: list[Operation]) -> None:
    def composed(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    check(composed, x)
