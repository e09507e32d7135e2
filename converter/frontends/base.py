"""What every front end does: read a trained model, ask it, and hand on a finished graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from converter.graph import IR_VERSION, OPSETS, Graph
from converter.inputs import Labels, Rows
from converter.lowering.registry import Call
from converter.source import Answer
from edge_runtime.bundle.manifest import Input, Label, Output, Step, Task


@dataclass(frozen=True)
class Halves:
    """A model cut in front of its trees, to tell rounding before the cut from faults after.

    features_onnx: a graph from the model's inputs to `features`, the same nodes as in the whole.
    output: what that graph gives. features: the source's own first half. rest: what its second half
    answers to features.
    """

    features_onnx: bytes
    output: Output
    features: Callable[[Rows], NDArray[Any]]
    rest: Callable[[NDArray[Any]], Answer]


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
    preprocessing: names of the nodes that are not the model's own but go before it, scalers and blocks:
        they are never quantized.
    refusals: why the output `refused`, where there is one, refuses a row: its number, from 1.
    parts: makes once more how the model was put together, to find where a fault began; a large graph
        is not kept for that.
    opsets, ir_version: that the graph is written in.
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
    preprocessing: frozenset[str] = frozenset()
    opsets: Mapping[str, int] = field(default_factory=lambda: OPSETS)
    ir_version: int = IR_VERSION


class SourceModel(Protocol):
    """A trained model as its author left it, whoever trained it: what the variant must agree with.

    model: the author's own object. classes: one array of classes a label, as the author writes them;
    none for values. value_names: of the outputs that are values, in the order of `Answer.tensors`.
    libraries: the distributions that it was made with.
    """

    @property
    def model(self) -> Any: ...
    @property
    def task(self) -> Task: ...
    @property
    def classes(self) -> tuple[NDArray[Any], ...]: ...
    @property
    def is_multi_label(self) -> bool: ...
    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> tuple[Label, ...]: ...
    @property
    def value_names(self) -> tuple[str, ...]: ...
    @property
    def libraries(self) -> tuple[str, ...]: ...

    def describe(self) -> str:
        """In a few words."""

    def run(self, rows: Rows) -> Answer:
        """Ask the model about every row. Raises ConversionError when it refuses them."""


@dataclass(frozen=True)
class Trained:
    """A model that was read, and what makes a graph of it: called with the rows it is for and what the
    source says of them, and perhaps `standard=True`, for standard operators and float32 only."""

    source: SourceModel
    convert: Callable[..., Converted]


class FrontEnd(Protocol):
    """One kind of trained model, with the preprocessing before it, on its way to a graph."""

    def input_names(self) -> tuple[str, ...]:
        """Of a model that takes several arrays, what they are called; else empty."""

    def rows(self, inputs: Any, dtype: str | None) -> Rows:
        """What the author hands over as inputs, checked. Raises InputError."""

    def read(self, rows: Rows, labels: Labels | None, classes: Sequence[Any] | None) -> Trained:
        """Look at the model. labels, classes: what the author says of its answers, perhaps nothing."""
