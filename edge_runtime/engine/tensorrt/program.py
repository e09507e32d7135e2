"""A plan on the GPU, ready to run. Built, not executed: no GPU was at hand when this was written.

Written against the documented API of IRuntime, ICudaEngine and IExecutionContext (TensorRT 10.3 to 11.4,
TensorRT-RTX 1.7); the suite runs it on a simulated GPU. docs/engines.md says what was run where.
"""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.engine.base import Array
from edge_runtime.engine.tensorrt.cuda import Cuda
from edge_runtime.engine.tensorrt.library import NAME, listener
from edge_runtime.engine.words import as_engine_error
from edge_runtime.errors import EngineError, UnavailableError

_DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT64": "int64", "INT32": "int32", "UINT8": "uint8",
    "INT8": "int8", "BOOL": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """An input or output; `shape[0]` is None: the batch."""

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def sizes(self, rows: int) -> tuple[int, ...]:
        return tuple(rows if size is None else size for size in self.shape)


class Buffers:
    """Memory on the device for every tensor of a program, for up to `rows` rows."""

    def __init__(self, cuda: Cuda, tensors: Mapping[str, Tensor], rows: int) -> None:
        self.rows = rows
        self._cuda = cuda
        self.addresses: dict[str, int] = {}
        try:
            for name, tensor in tensors.items():
                count = int(np.prod(tensor.sizes(rows))) * tensor.dtype.itemsize
                self.addresses[name] = cuda.allocate(count)
        except BaseException:
            with suppress(EngineError):  # what went wrong first is told
                self.free()
            raise

    def free(self) -> None:
        """All of it; raises EngineError afterwards where CUDA refused to free some."""
        with ExitStack() as each:
            while self.addresses:
                each.callback(self._cuda.free, self.addresses.popitem()[1])


class Program:
    """A deserialised plan with one execution context and one stream. One thread at a time.

    inputs, outputs: its tensors by name.
    """

    def __init__(self, trt: Any, cuda: Cuda, plan: memoryview, subject: str) -> None:
        """Raises EngineError when TensorRT refuses the plan, UnavailableError when memory is short."""
        self.subject = subject
        self._cuda = cuda
        self._logger = listener(trt)
        with as_engine_error(f"{subject}: the plan cannot be loaded", NAME):
            self._runtime: Any = trt.Runtime(self._logger)
            self._engine: Any = self._runtime.deserialize_cuda_engine(plan)
            if self._engine is None:  # as it says of every failure
                raise EngineError(
                    f"{subject}: the plan cannot be loaded by TensorRT: {self._logger.said()}"
                )
            self.inputs, self.outputs = _tensors(trt, self._engine, subject)
            self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise UnavailableError(
                f"{subject}: expected memory for {self._engine.device_memory_size_v2} bytes on the GPU, "
                f"found too little: {self._logger.said()}"
            )
        self._stream = cuda.stream()
        self._bound: tuple[Buffers, int] | None = None
        self._given: list[Buffers] = []

    def buffers(self, rows: int) -> Buffers:
        """Freed by their user, or with the program. Raises EngineError when memory is short."""
        made = Buffers(self._cuda, self.inputs | self.outputs, rows)
        self._given = [each for each in self._given if each.addresses] + [made]
        return made

    def host_array(self, tensor: Tensor, rows: int) -> Array:
        """Zeros that are copied to the device faster than other arrays."""
        return self._cuda.host_array(tensor.sizes(rows), tensor.dtype)

    def run(
        self, buffers: Buffers, rows: int, given: Mapping[str, Array], made: Mapping[str, Array]
    ) -> None:
        """Run `rows` rows: C-ordered arrays of the inputs' shapes in, and the outputs' filled.

        Raises EngineError.
        """
        cuda, stream, addresses = self._cuda, self._stream, buffers.addresses
        if self._bound != (buffers, rows):
            self._bind(buffers, rows)
        try:
            for name, array in given.items():
                cuda.to_device(addresses[name], array, stream)
            if not self._context.execute_async_v3(stream):
                raise EngineError(f"{self.subject}: cannot be run by TensorRT: {self._logger.said()}")
            for name, array in made.items():
                cuda.to_host(array, addresses[name], stream)
        except BaseException:
            with suppress(EngineError):  # copies may be under way, and their arrays are to go
                cuda.wait(stream)
            raise
        cuda.wait(stream)

    def close(self) -> None:
        """Free all that it holds; raises EngineError afterwards where CUDA refused some of it."""
        with ExitStack() as last_first:
            last_first.callback(self._cuda.end_stream, self._stream)
            last_first.callback(self._drop)
            for buffers in self._given:
                last_first.callback(buffers.free)

    def _drop(self) -> None:
        """What TensorRT made goes in the order in which it depends."""
        self._context = self._bound = None
        self._engine = None
        self._runtime = None

    def _bind(self, buffers: Buffers, rows: int) -> None:
        """Tell the context where the tensors are, and how many rows they have."""
        self._bound = None
        context, problem = self._context, f"{self.subject}: {rows} rows cannot be run by TensorRT"
        with as_engine_error(problem, NAME):
            for name, tensor in self.inputs.items():
                if not context.set_input_shape(name, tensor.sizes(rows)):
                    raise EngineError(f"{problem}: {self._logger.said()}")
            for name, address in buffers.addresses.items():
                if not context.set_tensor_address(name, address):
                    raise EngineError(f"{problem}: {self._logger.said()}")
            for name, tensor in self.outputs.items():
                found, expected = tuple(context.get_tensor_shape(name)), tensor.sizes(rows)
                if found != expected:
                    raise EngineError(
                        f"{self.subject}: output {name!r}: expected the shape {expected}, found "
                        f"{found}. Convert the model again."
                    )
        self._bound = (buffers, rows)


def _tensors(trt: Any, engine: Any, subject: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Inputs and outputs by name. Raises EngineError for those that cannot be served."""
    inputs: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}
    for name in (engine.get_tensor_name(at) for at in range(engine.num_io_tensors)):
        kind, sizes = engine.get_tensor_dtype(name).name, tuple(engine.get_tensor_shape(name))
        on_device = engine.get_tensor_location(name) == trt.TensorLocation.DEVICE
        if kind not in _DTYPES or -1 in sizes[1:] or not on_device:
            raise EngineError(
                f"{subject}: {name!r}: expected numbers on the GPU, of one size behind the batch, found "
                f"{kind} of shape {sizes}. Convert the model again."
            )
        shape = tuple(None if size == -1 else size for size in sizes)
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        (inputs if is_input else outputs)[name] = Tensor(np.dtype(_DTYPES[kind]), shape)
    return inputs, outputs
