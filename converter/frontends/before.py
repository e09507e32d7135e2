"""Fitted preprocessing in front of a network: asked, written into its graph, and described."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.foreign import translated, without_name_warnings
from converter.frontends.sklearn import parameters_of
from converter.inputs import Rows
from converter.lowering import registry
from converter.lowering.composition import steps_of
from converter.lowering.table import matrix
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Step

LIKE_TRAINING = "Give inputs like those that the model was trained on."


def transformed(before: Any, rows: Rows) -> NDArray[np.float32]:
    """What `before` makes of rows, (n, …). Raises ConversionError when it refuses them."""
    with translated("preprocessing refuses the inputs", advice=LIKE_TRAINING), without_name_warnings():
        found = before.transform(rows.for_source())
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=np.float32)


def lowered(before: Any, x: Any) -> Tensor:
    """The same in a graph, as float32; `x` is its inputs. Refusals go to the recording around it."""
    made: Tensor = matrix(registry.call("transform", before, x), np.float32)
    return made


def named(before: Any, name: str) -> str:
    """A model's name, with the preprocessing before it, such as `StandardScaler, Keras Sequential`."""
    if before is None:
        return name
    return f"{', '.join(type(step).__name__ for _, step in steps_of(before))}, {name}"


def steps(before: Any) -> tuple[Step, ...]:
    """The preprocessing, for people to read; empty for none."""
    if before is None:
        return ()
    return tuple(
        Step(name=type(step).__name__, parameters=parameters_of(step)) for _, step in steps_of(before)
    )
