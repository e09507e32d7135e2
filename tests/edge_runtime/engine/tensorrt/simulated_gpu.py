"""A GPU that is not there: CUDA's and TensorRT's runtimes, simulated behind their real interfaces.

Memory "on the device" is memory of this process that only known addresses reach: a copy beyond what was
allocated fails. A plan is not run, but the ONNX file it was built from, by ONNX Runtime. It shows that
buffers, shapes and threads are handled right; it proves nothing of a real GPU.
"""

import ctypes
from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, load_from_string

from edge_runtime.engine.tensorrt import library
from edge_runtime.engine.tensorrt.cuda import Cuda, Gpu
from edge_runtime.engine.tensorrt.machine import Machine

GPU = Gpu("Simulated, 8 multiprocessors", "8.6", "13.0")


class _Function:
    """As of ctypes: callable, with a result type that may be set."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.restype: Any = None

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)


class SimulatedCudart:
    """libcudart with `count` GPUs. status: cudaGetDeviceCount's answer. room: bytes on the device.

    broken: by a function's name, how many of its calls succeed before one fails. under_way: how many
    copies nobody has waited for.
    """

    def __init__(
        self, *, count: int = 1, status: int = 0, driver: int = 13000, room: int = 1 << 30
    ) -> None:
        self.device: dict[int, Any] = {}
        self.host: dict[int, Any] = {}
        self.streams: set[int] = set()
        self.broken: dict[str, int] = {}
        self.under_way = 0
        self._room = room
        attributes = {16: 8, 75: 8, 76: 6}
        self.cudaGetErrorName = _Function(lambda _: b"cudaErrorOfTest")
        self.cudaGetErrorString = _Function(lambda _: b"what the test wants")
        self.cudaGetDeviceCount = _Function(lambda found: _fill(found, count, status))
        self.cudaRuntimeGetVersion = _Function(lambda found: _fill(found, 13000))
        self.cudaDriverGetVersion = _Function(lambda found: _fill(found, driver))
        self.cudaDeviceGetAttribute = _Function(lambda found, at, _: _fill(found, attributes[at.value]))
        self.cudaMalloc = _Function(lambda found, size: self._allocate(self.device, found, size.value))
        self.cudaMallocHost = _Function(lambda found, size: self._allocate(self.host, found, size.value))
        self.cudaFree = _Function(self._free)
        self.cudaFreeHost = _Function(lambda address: _forget(self.host, address.value))
        self.cudaStreamCreateWithFlags = _Function(self._create_stream)
        self.cudaStreamDestroy = _Function(lambda stream: self.streams.remove(stream.value) or 0)
        self.cudaStreamSynchronize = _Function(self._wait)
        self.cudaMemcpyAsync = _Function(self._copy)

    def reaches(self, address: int, count: int) -> bool:
        """Whether so many bytes at `address` were allocated on the device."""
        return any(
            start <= address and address + count <= start + len(raw)
            for start, raw in self.device.items()
        )

    def _allocate(self, kept: dict[int, Any], found: Any, size: int) -> int:
        if kept is self.device and sum(map(len, self.device.values())) + size > self._room:
            return 2  # cudaErrorMemoryAllocation
        raw = (ctypes.c_ubyte * size)()
        kept[ctypes.addressof(raw)] = raw
        return _fill(found, ctypes.addressof(raw))

    def _fails(self, name: str) -> bool:
        left = self.broken.pop(name, None)
        if left:
            self.broken[name] = left - 1
        return left == 0

    def _free(self, address: Any) -> int:
        return 719 if self._fails("cudaFree") else _forget(self.device, address.value)

    def _wait(self, stream: Any) -> int:
        self.under_way = 0
        return 0 if stream.value in self.streams else 400

    def _create_stream(self, found: Any, flags: Any) -> int:
        assert flags.value == 1
        self.streams.add(len(self.streams) + 7)
        return _fill(found, len(self.streams) + 6)

    def _copy(self, target: Any, source: Any, size: Any, kind: Any, stream: Any) -> int:
        assert stream.value in self.streams
        on_device = target if kind.value == 1 else source
        if self._fails("cudaMemcpyAsync") or not self.reaches(on_device.value, size.value):
            return 1  # cudaErrorInvalidValue
        ctypes.memmove(target, source, size.value)
        self.under_way += 1
        return 0


def _fill(reference: Any, value: int, status: int = 0) -> int:
    reference._obj.value = value
    return status


def _forget(kept: dict[int, Any], address: int) -> int:
    del kept[address]
    return 0


class _Mode(Enum):
    INPUT, OUTPUT = 1, 2


class _Location(Enum):
    DEVICE, HOST = 1, 2


class SimulatedTensorRT:
    """The module `tensorrt` as far as a plan is run. onnx: what any plan is held to be of."""

    TensorIOMode, TensorLocation = _Mode, _Location
    __version__ = "1.7.1.116"

    class ILogger:
        ERROR = 1

        def __init__(self) -> None:
            pass

    def __init__(
        self, onnx: bytes, cudart: SimulatedCudart, *, max_rows: int = 1024, has_room: bool = True
    ) -> None:
        self.onnx, self.cudart, self.max_rows, self.has_room = onnx, cudart, max_rows, has_room
        self.runs: list[int] = []
        self.binds = 0
        self.fails = False
        self.refusals = 0  # how many plans are refused before one is taken
        self.Runtime = self._runtime

    def _runtime(self, logger: Any) -> Any:
        def deserialize(plan: Any) -> "_Engine | None":
            if self.refusals:
                self.refusals -= 1
                logger.log(1, "the plan is of another version")
                return None
            return _Engine(self, logger, plan)

        return SimpleNamespace(deserialize_cuda_engine=deserialize)


class _Engine:
    device_memory_size_v2 = 4096

    def __init__(self, trt: SimulatedTensorRT, logger: Any, plan: Any) -> None:
        assert len(memoryview(plan)) > 0
        self.trt, self.logger = trt, logger
        graph = load_from_string(trt.onnx).graph
        self.tensors = {each.name: (_Mode.INPUT, each.type.tensor_type) for each in graph.input}
        self.tensors |= {each.name: (_Mode.OUTPUT, each.type.tensor_type) for each in graph.output}
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, at: int) -> str:
        return list(self.tensors)[at]

    def get_tensor_mode(self, name: str) -> _Mode:
        return self.tensors[name][0]

    def get_tensor_location(self, name: str) -> _Location:
        return _Location.DEVICE

    def get_tensor_dtype(self, name: str) -> Any:
        names = {TensorProto.FLOAT: "FLOAT", TensorProto.DOUBLE: "DOUBLE"}
        kind = self.tensors[name][1].elem_type
        return SimpleNamespace(name=names.get(kind) or TensorProto.DataType.Name(kind))

    def get_tensor_shape(self, name: str) -> list[int]:
        dims = self.tensors[name][1].shape.dim
        return [dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims]

    def create_execution_context(self) -> "_Context | None":
        return _Context(self) if self.trt.has_room else None


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine, self._trt = engine, engine.trt
        self._session = onnxruntime.InferenceSession(engine.trt.onnx, providers=["CPUExecutionProvider"])
        self._rows: dict[str, int] = {}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._trt.binds += 1
        self._rows[name] = shape[0]
        if shape[0] > self._trt.max_rows:
            self._engine.logger.log(1, f"{shape[0]} rows are outside the profile")
            return False
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> list[int]:
        rows = next(iter(self._rows.values()))
        return [rows if size == -1 else size for size in self._engine.get_tensor_shape(name)]

    def execute_async_v3(self, stream: int) -> bool:
        assert stream in self._trt.cudart.streams
        if self._trt.fails:
            self._engine.logger.log(1, "the test wants it to fail")
            return False
        engine = self._engine
        inputs = [name for name in engine.tensors if engine.get_tensor_mode(name) is _Mode.INPUT]
        outputs = [name for name in engine.tensors if name not in inputs]
        feed = {name: self._array(name).copy() for name in inputs}
        self._trt.runs.append(next(iter(self._rows.values())))
        for name, array in zip(outputs, self._session.run(outputs, feed), strict=True):
            self._array(name)[...] = array
        return True

    def _array(self, name: str) -> Any:
        """What the device has at a tensor's address."""
        kinds = {
            "FLOAT": "float32",
            "INT64": "int64",
            "INT32": "int32",
            "BOOL": "bool",
            "UINT8": "uint8",
        }
        dtype = np.dtype(kinds[self._engine.get_tensor_dtype(name).name])
        shape = tuple(self.get_tensor_shape(name))
        size = int(np.prod(shape)) * dtype.itemsize
        assert self._trt.cudart.reaches(self._addresses[name], size)
        raw = (ctypes.c_ubyte * size).from_address(self._addresses[name])
        return np.frombuffer(raw, dtype).reshape(shape)


def machine(onnx: bytes = b"", *, cudart: SimulatedCudart | None = None, **settings: Any) -> Machine:
    """The TensorRT-RTX that is installed here to build with; simulations of it and a GPU to run on."""
    simulated = cudart or SimulatedCudart()
    installed = library.installed()[-1]
    trt = SimulatedTensorRT(onnx, simulated, **settings)
    return Machine(installed, trt, Cuda(simulated), GPU)
