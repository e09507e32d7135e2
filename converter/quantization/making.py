"""A recipe and a model's graphs in, a variant's graph out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.calibration import Calibration
from converter.case import Case
from converter.frontends.base import Converted
from converter.inputs import Rows, with_missing_text
from converter.quantization import dynamic, half, search, static, weights
from converter.quantization.budget import lost
from converter.quantization.choices import Recipe
from converter.quantization.half_rounding import with_rounding
from converter.quantization.layers import layers
from converter.quantization.running import Feed
from converter.source import Tensors
from edge_runtime.bundle.manifest import Parity
from edge_runtime.errors import ConversionError

_BATCH = 32
# Where two calibrations cost no label, the one that moves the numbers less is the better one.
_TIE = 1e-3


@dataclass(frozen=True)
class Graphs:
    """A model's graph for ONNX Runtime, and what makes the one in standard operators and float32.

    lower: raises ConversionError, every time, where there is none. prove: of a graph of the same model,
    parity and its answers to the held-out inputs; raises ParityError. is_network: whether the plain
    graph computes in float32, as networks do; what scikit-learn made computes in float64 or is trees.
    """

    plain: Converted
    lower: Callable[[], Converted]
    prove: Callable[[Converted], tuple[Parity, Tensors]]
    is_network: bool

    def base(self, engine: str) -> Converted:
        """The graph that variants for an engine are made of."""
        return self.plain if engine == "onnxruntime" and self.is_network else self.lower()


@dataclass(frozen=True)
class Made:
    """A variant. recipe: with what was left open. onnx: what ships. whole: what ONNX Runtime runs here,
    the same but for float16, which it would compute in float32 if it were not told to round."""

    recipe: Recipe
    onnx: bytes
    whole: Converted


class Maker:
    """Makes variants of one model; what calibration finds out is found once for each graph."""

    def __init__(
        self, case: Case, graphs: Graphs, calibration: Calibration | None, allowed: float
    ) -> None:
        self._case = case
        self._graphs = graphs
        self._calibration = calibration
        self._allowed = allowed
        self._prepared: dict[int, tuple[bytes, Sequence[Feed]]] = {}
        self._observed: dict[int, tuple[bytes, static.Observed]] = {}

    def make(self, recipe: Recipe, *, is_fixed: bool) -> Made:
        """Make a variant.

        is_fixed: whether the recipe says all; else calibration and exclusions are searched for.
        Raises ConversionError where it cannot be had.
        """
        base = self._graphs.base(recipe.engine)
        if recipe.method == "float32":
            whole = self._in_float32(base)
            return Made(recipe, whole.onnx, whole)
        if recipe.method == "static":
            recipe, raw = self._static(recipe, base, is_fixed=is_fixed)
        elif recipe.method == "stored":
            kind: Any = recipe.precision
            raw = weights.stored(base.onnx, kind, base.preprocessing)
        elif recipe.method == "half":
            raw = half.half(base.onnx, base.preprocessing)
        else:
            raw = dynamic.dynamic(base.onnx, base.preprocessing)
        run = with_rounding(raw) if recipe.method == "half" else raw
        return Made(recipe, raw, replace(base, onnx=run, exact="", halves=None))

    def _in_float32(self, base: Converted) -> Converted:
        """What is faster than the plain graph and still the same model, rounding apart."""
        if base is not self._graphs.plain:
            return base
        raw, _ = self._fused(base)
        if raw == base.onnx:
            raise ConversionError("it has nothing to fuse, and computes in float32 as it is")
        return replace(base, onnx=raw)

    def weights_ratio(self, made: Made) -> float | None:
        """Of a statically quantized variant: its layers' weights over their float32."""
        if made.recipe.method != "static":
            return None
        fused, _ = self._observe(self._graphs.base(made.recipe.engine))
        return static.weights_ratio(fused, made.onnx)

    def _static(self, recipe: Recipe, base: Converted, *, is_fixed: bool) -> tuple[Recipe, bytes]:
        fused, observed = self._observe(base)
        flavour: Any = "uint8" if recipe.engine == "onnxruntime" else "int8"
        if is_fixed:
            method: Any = recipe.calibration
            excluded = recipe.excluded
            return recipe, static.quantized(
                fused, observed, method=method, flavour=flavour, excluded=excluded
            )
        found = search.best(
            fused, observed, flavour=flavour, error=self._error_of(base), allowed=self._allowed
        )
        return msgspec.structs.replace(
            recipe, calibration=found.method, excluded=tuple(found.excluded)
        ), found.raw

    def _fused(self, base: Converted) -> tuple[bytes, Sequence[Feed]]:
        """A graph in fewer nodes, and the calibration inputs, where there are any, as it takes them."""
        if id(base) not in self._prepared:
            fed = [] if self._calibration is None else list(feeds(self._calibration.rows, base))
            self._prepared[id(base)] = static.fused(base.onnx, base.preprocessing, fed), fed
        return self._prepared[id(base)]

    def _observe(self, base: Converted) -> tuple[bytes, static.Observed]:
        """A graph ready to be quantized, and what calibration saw in it."""
        if self._calibration is None:
            raise ConversionError("there are no calibration inputs: give calibration=, from training")
        if id(base) not in self._observed:
            fused, fed = self._fused(base)
            chosen = layers(fused, base.preprocessing)
            if not chosen:
                raise ConversionError("it has no layer with weights in float32")
            self._observed[id(base)] = (fused, static.observe(fused, fed, chosen))
        return self._observed[id(base)]

    def _error_of(self, base: Converted) -> Callable[[bytes], float]:
        """How far a variant is from the source model on the calibration inputs."""
        assert self._calibration is not None
        rows, expected = self._calibration.rows, self._said

        def error(raw: bytes) -> float:
            found = self._case.answers(replace(base, onnx=raw, exact="", halves=None), rows)
            return lost(expected, found, None, 0.0).drop + _TIE * _moved(expected, found)

        return error

    @cached_property
    def _said(self) -> Tensors:
        """What the source model says of the calibration inputs."""
        assert self._calibration is not None
        return self._case.source.run(self._calibration.rows).tensors


def _moved(expected: dict[str, NDArray[Any]], found: dict[str, NDArray[Any]]) -> float:
    """The mean difference of all numbers but labels, over their spread; at most 1."""
    shares = [0.0]
    for name, tensor in expected.items():
        if name != "label":
            spread = float(tensor.std()) or 1.0
            shares.append(float(np.abs(tensor - found[name]).mean()) / spread)
    return min(1.0, max(shares))


def feeds(rows: Rows, converted: Converted) -> Iterator[dict[str, NDArray[Any]]]:
    """Batches of rows as a graph takes them, by input name."""
    names = [given.name for given in converted.inputs]
    for at in range(0, len(rows), _BATCH):
        part = rows.take(slice(at, at + _BATCH))
        yield {name: _fed(part.arrays[name]) for name in names}


def _fed(array: NDArray[Any]) -> NDArray[Any]:
    return with_missing_text(array).astype(object) if array.dtype.kind == "O" else array
