"""scikit-learn to ONNX: runs the lowering of a fitted model once, on tensors that write the graph."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from converter.blocks import Block
from converter.foreign import without_name_warnings
from converter.frontends.base import Converted, Halves, Parts, Trained
from converter.graph import Graph
from converter.inputs import Labels, Rows, as_rows
from converter.lowering import catalogue, registry
from converter.lowering.composition import steps_of
from converter.lowering.exactness import is_exact_step, leaves_are_exact
from converter.lowering.registry import Call, Method, Scores
from converter.lowering.table import Table, matrix
from converter.lowering.thresholds import is_monotone
from converter.lowering.trees import ensemble, folded, has_trees
from converter.source import MEANINGS, Answer, Source, read_source
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from edge_runtime.bundle.manifest import Input, Output, Step
from edge_runtime.errors import InputError, UnsupportedModelError
from edge_runtime.memory import return_freed_memory

_METHODS: dict[str, Method] = {"regression": "value", "transformation": "transform"}
End = tuple[str, str, tuple[int | None, ...]]
_NO_SPLITS = (np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True)
class Estimator:
    """A fitted estimator, or a Pipeline of the preprocessing and one."""

    model: Any

    def input_names(self) -> tuple[str, ...]:
        return ()

    def rows(self, inputs: Any, dtype: str | None) -> Rows:
        return as_rows(inputs, self.model, dtype)

    def read(
        self,
        rows: Rows,
        labels: Labels | None,  # noqa: ARG002
        classes: Sequence[Any] | None,
    ) -> Trained:
        if classes is not None:
            raise InputError("classes: expected none, a fitted estimator knows its own. Leave them out.")
        source = read_source(self.model, rows)
        return Trained(source, partial(convert, source))


def convert(source: Source, rows: Rows, expected: Answer, *, standard: bool = False) -> Converted:
    """Convert a fitted model for inputs like `rows`, of which the source says `expected`.

    standard: in standard operators and float32 only, as TensorRT takes them.
    Raises UnsupportedModelError, naming the step, where no conversion exists.
    """
    declared = rows.declared()
    write = partial(_written, source, declared, is_table=rows.is_table, standard=standard)
    graph, made, answer = write()
    values = _values(source, answer, expected)
    if made.refusals:
        values["refused"] = refused([mask for mask, _ in made.refusals])
    # Of a table only the columns that the answer depends on are asked for.
    read = graph.inputs_read(tensor.name for tensor in values.values())
    kept = [given for given in declared if given.name in read or not rows.is_table] or list(declared)
    names = [given.name for given in kept]
    outputs = outputs_of(values, names)
    raw = graph.to_bytes(ends(outputs, values), names)
    return_freed_memory()  # before a model's numbers are read once more
    exact = leaves_are_exact(source.lowered)
    if isinstance(graph, StandardGraph):
        exact = exact and graph.keeps_leaves
    return Converted(
        onnx=raw,
        inputs=tuple(kept),
        outputs=outputs,
        refusals=tuple(why for _, why in made.refusals),
        steps=_steps(source, made.calls),
        exact="leaves" if exact else "",
        splits=_splits(source, rows),
        halves=_halves(source, graph, made.calls, names),
        parts=partial(_parts, write),
        preprocessing=_preprocessing(source, graph, made.calls),
    )


_Written = tuple[Graph, registry.Recording, Any]


def _written(source: Source, declared: tuple[Input, ...], *, is_table: bool, standard: bool) -> _Written:
    """The model lowered on tensors: the graph, what happened on the way, and the answer."""
    catalogue.load()
    graph = StandardGraph() if standard else Graph()
    x = given_to(graph, declared, is_table=is_table)
    with registry.recording() as made:
        answer = registry.call(_METHODS.get(source.task, "scores"), source.lowered, x)
    return_freed_memory()  # a model's numbers, read and written into the graph
    return graph, made, answer


def _parts(write: Callable[[], _Written]) -> Parts:
    graph, made, _ = write()
    return Parts(graph, tuple(made.calls))


def tensors_of(graph: Graph, declared: tuple[Input, ...]) -> list[Tensor]:
    """The graph's inputs, one tensor each."""
    return [
        Tensor.input(graph, given.name, _numpy_dtype(given.dtype), given.shape) for given in declared
    ]


def given_to(graph: Graph, declared: tuple[Input, ...], *, is_table: bool) -> Tensor | Table:
    """The graph's inputs: one array, or a table of columns."""
    tensors = tensors_of(graph, declared)
    if not is_table:
        return tensors[0]
    columns = tuple(tensor[:, None] for tensor in tensors)
    return Table(columns, names=tuple(given.name for given in declared))


def _numpy_dtype(dtype: str) -> np.dtype[Any]:
    return np.dtype(object if dtype == "string" else dtype)


def _values(source: Source, answer: Any, expected: Answer) -> dict[str, Tensor]:
    """The graph's outputs by name; numbers are rounded to float32 here and not before."""
    if not isinstance(answer, Scores):
        value = matrix(answer, np.float32)
        wanted = expected.tensors["value"].shape[1:]
        if value.ndim != len(wanted) + 1:  # (n,) and (n, 1) are one to most of scikit-learn
            value = value[:, 0] if not wanted else value[:, None]
        return {"value": value}
    values = {"label": answer.label.astype(np.int64)}
    if source.task == "anomaly" and answer.decision is not None:
        values["score"] = answer.decision.astype(np.float32)
    if source.has_probabilities:
        if answer.probabilities is None:
            raise UnsupportedModelError(f"{source.describe()} gives probabilities that do not convert.")
        values["probabilities"] = answer.probabilities.astype(np.float32)
    return values


def refused(masks: list[Tensor]) -> Tensor:
    """int64 (n,): the number, from 1, of the first reason to refuse a row; 0 where there is none."""
    number: Any = 0
    for at in range(len(masks), 0, -1):
        number = np.where(masks[at - 1], at, number)
    tensor: Tensor = number.astype(np.int64)
    return tensor


def outputs_of(values: dict[str, Tensor], inputs: Collection[str] = ()) -> tuple[Output, ...]:
    """What the manifest says of a graph's outputs: those of `Answer.tensors`, under the same names.

    inputs: names that they cannot have; an output `value` of a table with a column `value` is
    `value_output`.
    """
    made = []
    for key, tensor in values.items():
        name, meaning = key, key if key in MEANINGS else "value"
        while name in inputs:
            name += "_output"
        made.append(
            Output(name=name, dtype=tensor.dtype.name, shape=tensor.shape, meaning=meaning)  # type: ignore[arg-type]
        )
    return tuple(made)


def ends(outputs: tuple[Output, ...], values: dict[str, Tensor]) -> dict[str, End]:
    """The same outputs as `Graph.to_bytes` takes them."""
    return {
        output.name: (tensor.name, tensor.dtype.name, tensor.shape)
        for output, tensor in zip(outputs, values.values(), strict=True)
    }


def _steps(source: Source, calls: list[Call]) -> tuple[Step, ...]:
    """The preprocessing, for people to read."""
    called = {id(call.estimator) for call in calls}
    steps = []
    last = len(source.steps) - (source.task != "transformation")
    for _, step in source.steps[:last]:
        parameters = parameters_of(step)
        if id(step) not in called:
            parameters = {"into": "thresholds"}
        steps.append(Step(name=type(step).__name__, parameters=parameters))
    return tuple(steps)


def parameters_of(step: Any) -> dict[str, Any]:
    """What people want to know of a step: a block's own words, or which columns go where."""
    if isinstance(step, Block):
        return step.describe()
    if type(step) is not ColumnTransformer:
        return {}
    names = getattr(step, "feature_names_in_", None)
    found = {}
    for name, part, _ in step.transformers_:
        columns = [
            str(at if names is None else names[at]) for at in step._transformer_to_input_indices[name]
        ]
        if columns and part != "drop":
            kinds = ", ".join(type(inner).__name__ for _, inner in steps_of(part))
            found[name] = f"{part if isinstance(part, str) else kinds} of {', '.join(columns)}"
    return found


def _splits(source: Source, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where trees that read the inputs themselves, perhaps through scalers, part them."""
    *before, (_, final) = source.steps
    reads = has_trees(final) and all(is_monotone(step) for _, step in before)
    if not reads or not any(array.dtype.kind == "f" for array in rows.arrays.values()):
        return _NO_SPLITS
    trees = ensemble(final)
    if trees.encoder is not None:
        return _NO_SPLITS
    forest = folded(trees.forest, [step for _, step in before]) if before else trees.forest
    return forest.feature[forest.inner], forest.threshold[forest.inner]


def _preprocessing(source: Source, graph: Graph, calls: list[Call]) -> frozenset[str]:
    """Names of the nodes in front of the last step; of a transformation every one is preprocessing."""
    steps = {
        id(step) for _, step in source.steps[: len(source.steps) - (source.task != "transformation")]
    }
    made = [call.answer for call in calls if id(call.estimator) in steps]
    return graph.upstream(matrix(each).name for each in made)


def _halves(source: Source, graph: Graph, calls: list[Call], inputs: list[str]) -> Halves | None:
    """Cut behind the last step that only comes close, where the rest is exact."""
    close = [at for at, (_, step) in enumerate(source.steps[:-1]) if not is_exact_step(step)]
    if not close:
        return None
    cut = close[-1] + 1
    before, after = (Pipeline(list(part)) for part in (source.steps[:cut], source.steps[cut:]))
    if not leaves_are_exact(after):
        return None
    answer = next(call.answer for call in calls if call.estimator is source.steps[cut - 1][1])
    tensor = matrix(answer)
    if isinstance(graph, StandardGraph):
        tensor = tensor.astype(np.float32)  # what becomes of float64 there
    elif tensor.dtype.kind != "f":
        tensor = tensor.astype(np.float64)  # values are asked for, and such a feature may be pixels
    name = "features"
    output = Output(name=name, dtype=tensor.dtype.name, shape=tensor.shape, meaning="value")
    raw = graph.to_bytes({name: (tensor.name, tensor.dtype.name, tensor.shape)}, inputs)

    def features(rows: Rows) -> NDArray[Any]:
        with without_name_warnings():
            found = before.transform(rows.for_source())
        dense = found.toarray() if hasattr(found, "toarray") else found
        return np.asarray(dense, dtype=output.dtype)

    return Halves(raw, output, features, lambda given: source.ask(after, given.copy))
