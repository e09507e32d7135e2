"""What runs plans on this machine."""

from dataclasses import dataclass
from typing import Any

from edge_runtime.engine.tensorrt import cuda, library
from edge_runtime.engine.tensorrt.cuda import Cuda, Gpu
from edge_runtime.engine.tensorrt.library import Library
from edge_runtime.errors import UnavailableError


@dataclass(frozen=True)
class Machine:
    """The library and its module, CUDA and the GPU."""

    library: Library
    trt: Any
    cuda: Cuda
    gpu: Gpu


def find() -> Machine:
    """Look for all of it, the cheapest first. Raises UnavailableError that says what is missing."""
    found = library.installed()
    if not found:
        raise UnavailableError(f"TensorRT is not installed; try: {library.hint()}")
    gpu = cuda.find()  # before the import: that takes 100 MB
    reasons = []
    for each in found:
        try:
            return Machine(each, library.imported(each), *gpu)
        except UnavailableError as error:
            reasons.append(str(error))
    raise UnavailableError("; ".join(reasons))
