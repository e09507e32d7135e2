"""What every front end hands on: a finished graph and what is known about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import Input, Output, Step


@dataclass(frozen=True)
class Halves:
    """A model cut where its features are float32, to tell rounding before the cut from faults after.

    features_onnx: a graph from the model's input to `features`, the same nodes as in the whole.
    features: the source's own first half. rest: its second half, a fitted estimator.
    """

    features_onnx: bytes
    features: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    rest: Any


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A model in ONNX.

    exact: "leaves" when every input reaches the source's leaf in every tree, else "". Behind a
        block that holds from the block's features on.
    splits: (feature, threshold) of trees that read the inputs themselves; empty otherwise.
    halves: for trees behind computed features, else None.
    """

    onnx: bytes
    input: Input
    outputs: tuple[Output, ...]
    steps: tuple[Step, ...]
    exact: str
    used_skl2onnx: bool
    splits: tuple[NDArray[np.int64], NDArray[np.float32]]
    halves: Halves | None
