"""A frozen model in ONNX: translated by tf2onnx, checked for operators that it left."""

from collections.abc import Iterable, Iterator
from typing import Any

import onnx

from converter.foreign import translated
from converter.frontends.naming import named_by_place
from converter.frontends.tensorflow.freezing import Frozen
from converter.frontends.tensorflow.handlers import handlers, rewriters
from converter.frontends.tensorflow.library import load, quiet
from converter.graph import ML, OPSETS
from converter.quantization.squeezing import settled
from edge_runtime.errors import UnsupportedModelError


def translate(frozen: Frozen) -> Any:
    """An `onnx.ModelProto` of `frozen`'s inputs and outputs in the converter's operator sets.

    Raises UnsupportedModelError, naming the layer and the operator, where no translation exists.
    """
    library = load()
    with translated("the model has no translation", UnsupportedModelError), quiet():
        library.tf2onnx.utils.INTERNAL_NAME = 1  # names are sorted: their counter begins anew
        with library.tf.Graph().as_default() as graph:
            library.tf.import_graph_def(frozen.graph_def, name="")
            made = library.tf2onnx.tfonnx.process_tf_graph(
                graph,
                opset=OPSETS[""],
                extra_opset=[onnx.helper.make_opsetid(ML, OPSETS[ML])],
                custom_op_handlers=handlers(frozen.tables),
                custom_rewriter=rewriters(),
                input_names=list(frozen.inputs),
                output_names=list(frozen.outputs),
            )
        # Catching its errors, the optimizer copies all weights before each of its passes.
        made = library.tf2onnx.optimizer.optimize_graph(made, catch_errors=False)
        model = made.make_model("model")
    settled(model)
    _check_operators(model.graph.node)
    for values, order in ((model.graph.input, frozen.inputs), (model.graph.output, frozen.outputs)):
        values.sort(key=lambda value, order=order: order.index(value.name))
    return named_by_place(model)


def _check_operators(nodes: Iterable[Any]) -> None:
    for node in _all(nodes):
        if not onnx.defs.has(node.op_type, node.domain) or node.domain not in OPSETS:
            raise UnsupportedModelError(
                f"layer {_layer(node.name)!r}: TensorFlow's operator {node.op_type} has no translation "
                "into ONNX. Leave the layer out, or do what it does before or after the model."
            )


def _all(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _all(inner.node)


def _layer(name: str) -> str:
    """The Keras layer in a node's name, which is model/layer/…/operator."""
    scopes = name.split("/")[:-1]
    return "/".join(scopes[1:] or scopes) or name
