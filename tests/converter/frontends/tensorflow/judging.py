"""One of the 76 cases converted, run by ONNX Runtime and compared with its own predictions."""

import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from converter.frontends.tensorflow import freezing, graph, texts, tracing
from converter.frontends.tensorflow.library import load, quiet
from converter.graph import IR_VERSION, OPSETS, Graph
from edge_runtime.errors import EdgeError
from tests.converter.frontends.tensorflow.cases import CASES
from tests.converter.frontends.tensorflow.kit import Kit, randomized

TOLERANCE = 1e-4  # of the output's scale
COUNTS = (1, 5)  # one input, and several at once
_OUT = "answer"


@dataclass(frozen=True)
class Outcome:
    """verdict: agrees, differs or refuses. error: of the output's scale. text: why not."""

    name: str
    verdict: str
    error: float = 0.0
    text: str = ""


def prepare() -> None:
    """What a process does before it judges: a warning there is an error, those of others aside."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    load()
    warnings.simplefilter("error")
    for library in ("keras", "tensorflow", "h5py"):
        warnings.filterwarnings("ignore", module=library)


def judge(name: str) -> Outcome:
    case = next(each for each in CASES if each.name == name)
    library = load()
    with quiet():  # of what Keras says to its own developers while a model is built
        model = randomized(case.make(Kit(library.keras, library.tf)))
    random = np.random.default_rng(0)
    inputs = [case.draw(random, count) for count in COUNTS]
    try:
        error = max(_errors(model, inputs))
    except EdgeError as refusal:
        return Outcome(name, "refuses", text=str(refusal))
    return Outcome(name, "agrees" if error <= TOLERANCE else "differs", error)


def _errors(model: Any, inputs: list[NDArray[Any]]) -> list[float]:
    """The largest difference for each of `inputs`, as a share of the largest output."""
    is_text = texts.length(model) is not None
    given = [texts.tokens(model, each) if is_text else each for each in inputs]
    said = [predictions(model, each) for each in inputs]
    raw = converted(model, given[0], said[0])
    check_contract(raw)
    heard = [run(raw, each) for each in given]
    assert [each.shape for each in heard] == [each.shape for each in said]
    pairs = zip(said, heard, strict=True)
    return [float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30)) for a, b in pairs]


def predictions(model: Any, given: NDArray[Any]) -> NDArray[np.float64]:
    with quiet():
        (answer,) = tracing.callee(model).answers(load().tf.constant(given)).values()
    return np.asarray(answer).astype(np.float64)


def converted(model: Any, given: NDArray[Any], said: NDArray[Any]) -> bytes:
    """The model's graph alone: input `given` and output `answer`."""
    traced = tracing.concrete(tracing.callee(model), [given.shape[1:]])
    made = graph.translate(freezing.freeze(traced.function, 1))
    kind = onnx.helper.tensor_dtype_to_np_dtype(made.graph.output[0].type.tensor_type.elem_type)
    whole = Graph()
    x = whole.input("given", "object" if given.dtype.kind == "O" else given.dtype.name, _sizes(given))
    (value,) = whole.inline(made, x)
    return whole.to_bytes({_OUT: (value, kind.name, _sizes(said))})


def _sizes(array: NDArray[Any]) -> tuple[int | None, ...]:
    return (None, *array.shape[1:])


def check_contract(raw: bytes) -> None:
    """Operator sets, IR version, the batch by its name, and nothing that nobody asked for."""
    model = onnx.load_from_string(raw)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == IR_VERSION
    assert {each.domain: each.version for each in model.opset_import} == OPSETS
    (given,), (answer,) = model.graph.input, model.graph.output
    for value in (given, answer):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {node.domain for node in model.graph.node} <= OPSETS.keys()


def run(raw: bytes, given: NDArray[Any]) -> NDArray[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    answer: NDArray[Any] = session.run([_OUT], {"given": given})[0]
    return answer
