"""Which variants are worth trying, before anything is measured."""

from collections.abc import Sequence

from converter.quantization.choices import Recipe
from converter.quantization.making import Graphs
from converter.standard.variant import with_tensorrt
from edge_runtime.boards import Board

_FOR_CLASSIC = (
    Recipe(id="fp32-narrow", engine="onnxruntime", precision="fp32", method="float32"),
    Recipe(id="int16-stored", engine="onnxruntime", precision="int16", method="stored"),
)
_FOR_NETWORKS = (Recipe(id="fp32-fused", engine="onnxruntime", precision="fp32", method="float32"),)
_FOR_ONNXRUNTIME = (
    Recipe(id="fp16-stored", engine="onnxruntime", precision="fp16", method="stored"),
    Recipe(id="int8-stored", engine="onnxruntime", precision="int8", method="stored"),
    Recipe(id="int8-dynamic", engine="onnxruntime", precision="int8", method="dynamic"),
    Recipe(id="int8-static", engine="onnxruntime", precision="int8", method="static"),
)
_FOR_TENSORRT = (
    Recipe(id="tensorrt-fp16", engine="tensorrt", precision="fp16", method="half"),
    Recipe(id="tensorrt-int8", engine="tensorrt", precision="int8", method="static"),
)


def recipes_for(graphs: Graphs, boards: Sequence[Board], *, builds_plans: bool) -> tuple[Recipe, ...]:
    """Those for the engines that the boards have; without boards, for ONNX Runtime.

    builds_plans: whether TensorRT is here to try variants with. Without it none is made: each board's
    note says once what to install.
    """
    there = with_tensorrt(boards)
    special = _FOR_NETWORKS if graphs.is_network else _FOR_CLASSIC
    for_onnxruntime = (*special, *_FOR_ONNXRUNTIME) if len(there) < len(boards) or not boards else ()
    return (*for_onnxruntime, *(_FOR_TENSORRT if there and builds_plans else ()))
