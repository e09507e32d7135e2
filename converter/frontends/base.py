"""What every front end hands on: a finished graph and what is known about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.graph import Graph
from converter.inputs import Rows
from converter.lowering.registry import Call
from edge_runtime.bundle.manifest import Input, Output, Step


@dataclass(frozen=True)
class Halves:
    """A model cut in front of its trees, to tell rounding before the cut from faults after.

    features_onnx: a graph from the model's inputs to `features`, the same nodes as in the whole.
    output: what that graph gives. features: the source's own first half. rest: its second half, a
    fitted estimator.
    """

    features_onnx: bytes
    output: Output
    features: Callable[[Rows], NDArray[Any]]
    rest: Any


@dataclass(frozen=True)
class Parts:
    """A graph, and each estimator's part in it."""

    graph: Graph
    calls: tuple[Call, ...]


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A model in ONNX.

    exact: "leaves" when every input reaches the source's leaf in every tree, else "". Behind a
        block that holds from the block's features on.
    splits: (feature, threshold) of trees that read the inputs themselves; empty otherwise.
    halves: for trees behind computed features, else None.
    refusals: why the output `refused`, where there is one, refuses a row: its number, from 1.
    parts: makes once more how the model was put together, to find where a fault began; a large graph
        is not kept for that.
    """

    onnx: bytes
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    steps: tuple[Step, ...]
    exact: str
    splits: tuple[NDArray[np.int64], NDArray[np.float64]]
    halves: Halves | None
    refusals: tuple[str, ...]
    parts: Callable[[], Parts]
