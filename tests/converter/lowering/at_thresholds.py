"""Rows placed where rounding decides, and the leaves that a graph sends them to."""

from dataclasses import replace

import numpy as np

from converter.graph import Graph
from converter.lowering.thresholds import from_ordered, ordered
from converter.lowering.trees import Forest, sum_of_leaves
from converter.standard.graph import StandardGraph
from converter.tracing.tensor import Tensor
from tests.converter.onnx_run import run_onnx


def graph_of(forest: Forest, dtype: str = "float32", *, standard: bool = False) -> bytes:
    """The average of the leaves, for rows of `dtype`; in standard operators where asked for."""
    graph = StandardGraph() if standard else Graph()
    rows = Tensor.input(graph, "rows", dtype, (None, forest.n_features))
    value = sum_of_leaves(forest, rows, average=True)
    return graph.to_bytes({"average": (value.name, "float32", value.shape)})


def beside_thresholds(table: np.ndarray, forest: Forest, count: int, seed: int = 0) -> np.ndarray:
    """Real rows, each with one feature within 3 ulp of one of its thresholds."""
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        thresholds = forest.threshold.astype(np.float32)
    reachable = np.flatnonzero(forest.inner & np.isfinite(thresholds))
    node = rng.choice(reachable, count)
    rows = table[rng.integers(0, len(table), count)]
    rows[np.arange(count), forest.feature[node]] = from_ordered(
        ordered(thresholds[node]) + rng.integers(-3, 4, count)
    )
    return rows


def leaves_in_onnx(forest: Forest, rows: np.ndarray, *, standard: bool = False) -> np.ndarray:
    """(rows, trees): the leaf each tree ends in, by a graph whose leaves hold their own numbers."""
    numbers = np.zeros((len(forest.node), forest.n_trees))
    numbers[np.arange(len(forest.node)), forest.tree] = forest.node
    (average,) = run_onnx(graph_of(replace(forest, values=numbers), standard=standard), rows)
    return np.rint(average.astype(np.float64) * forest.n_trees).astype(int)
