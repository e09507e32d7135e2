"""Where in a model variant and source first part, found by asking every estimator in it.

Each call that the conversion made is looked at in turn, inner ones first: on the very numbers that the
graph gives it, does the source's own estimator answer what the graph answers?
"""

import os
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.foreign import without_name_warnings
from converter.frontends.base import Converted, Parts
from converter.graph import Graph
from converter.inputs import Rows, with_missing_text
from converter.lowering.registry import Call, Scores
from converter.lowering.table import Table
from converter.tracing.tensor import Tensor

_CLOSE = 1e-5


def first_difference(converted: Converted, rows: Rows) -> str:
    """A sentence, ending in a space, that names the part and its node; "" where every part agrees."""
    parts = converted.parts()
    for call in parts.calls:
        # This explains another error and must not hide it behind one of its own.
        with suppress(Exception):
            if not _differs(parts, call, rows):
                continue
            part = ".".join(call.path) or "model"
            kind = type(call.estimator).__name__
            return f"They first part in {part!r} ({kind}), node {_node(call)}. "
    return ""


def _differs(parts: Parts, call: Call, rows: Rows) -> bool:
    given = call.x.blocks if isinstance(call.x, Table) else (call.x,)
    answers = _answers(call)
    found = _run(parts.graph, [*given, *answers.values()], rows)
    x = _side_by_side(found[: len(given)])
    said = _asked(call, x)
    heard = dict(zip(answers, found[len(given) :], strict=True))
    return any(not _agree(np.asarray(said[name]), heard[name]) for name in answers.keys() & said.keys())


def _answers(call: Call) -> dict[str, Tensor]:
    answer = call.answer
    if isinstance(answer, Scores):
        return {
            name: tensor
            for name, tensor in (("label", answer.label), ("probabilities", answer.probabilities))
            if isinstance(tensor, Tensor)
        }
    blocks = answer.blocks if isinstance(answer, Table) else (answer,)
    return {str(at): block for at, block in enumerate(blocks) if isinstance(block, Tensor)}


def _asked(call: Call, x: Any) -> dict[str, Any]:
    """What the source's estimator says about the graph's own numbers, by the same names."""
    estimator = call.estimator
    with without_name_warnings(), np.errstate(all="ignore"):
        if call.method == "value":
            return {"0": estimator.predict(x)}
        if call.method == "transform":
            found = estimator.transform(x)
            found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
            if not isinstance(call.answer, Table):
                return {"0": found}
            ends = np.cumsum([block.shape[1] for block in call.answer.blocks])[:-1]
            return {str(at): part for at, part in enumerate(np.split(found, ends, axis=1))}
        said: dict[str, Any] = {}
        if hasattr(estimator, "predict_proba"):
            said["probabilities"] = estimator.predict_proba(x)
        if hasattr(estimator, "classes_"):
            said["label"] = np.searchsorted(estimator.classes_, estimator.predict(x))
        return said


def _agree(said: NDArray[Any], heard: NDArray[Any]) -> bool:
    if said.dtype.kind not in "biuf":
        return bool(np.array_equal(said.astype(str), heard.astype(str)))
    said = said.astype(np.float64).reshape(heard.shape)
    scale = max(1.0, float(np.nanmax(np.abs(said), initial=0.0)))
    return bool(np.allclose(heard.astype(np.float64), said, rtol=0, atol=_CLOSE * scale, equal_nan=True))


def _side_by_side(blocks: list[NDArray[Any]]) -> NDArray[Any]:
    if len(blocks) == 1:
        return blocks[0]
    dtype = object if any(block.dtype.kind == "O" for block in blocks) else None
    return np.concatenate([block.astype(dtype or block.dtype) for block in blocks], axis=1)


def _run(graph: Graph, tensors: list[Tensor], rows: Rows) -> list[NDArray[Any]]:
    """The values of tensors inside the graph."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    names = {f"part_{at}": tensor for at, tensor in enumerate(tensors)}
    raw = graph.to_bytes(
        {name: (tensor.name, tensor.dtype.name, tensor.shape) for name, tensor in names.items()}
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    feed = {
        name: with_missing_text(array).astype(object) if array.dtype.kind == "O" else array
        for name, array in rows.arrays.items()
    }
    found: list[NDArray[Any]] = session.run(list(names), feed)
    return found


def _node(call: Call) -> str:
    tensor = next(iter(_answers(call).values()))
    return f"node_{tensor.name}"
