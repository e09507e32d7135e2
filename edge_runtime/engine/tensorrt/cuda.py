"""CUDA's runtime library through ctypes: the GPU that is here, its memory and one stream.

Device 0 only: boards have one GPU. Numbers of errors and attributes are those of CUDA's driver_types.h;
they have not changed since CUDA 10.
"""

import ctypes
import sys
import weakref
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.boards import model_here
from edge_runtime.errors import EngineError, UnavailableError

# Newest first: a library that asks for a newer driver than there is gives way to an older one.
_NAMES = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")
_WHEELS = ("nvidia/cu13/lib/libcudart.so.13", "nvidia/cuda_runtime/lib/libcudart.so.12")
_INSUFFICIENT_DRIVER, _NO_DEVICE = 35, 100
_MULTIPROCESSORS, _MAJOR, _MINOR = 16, 75, 76
_TO_DEVICE, _TO_HOST = 1, 2
_NON_BLOCKING = 1


@dataclass(frozen=True)
class Gpu:
    """What a plan depends on: the board's name, compute capability ("8.7") and CUDA runtime ("12.6")."""

    board: str
    capability: str
    cuda: str


class Cuda:
    """The calls that are needed; each raises EngineError when CUDA refuses. Addresses are ints."""

    def __init__(self, library: Any) -> None:
        self._library = library
        for name in ("cudaGetErrorName", "cudaGetErrorString"):
            getattr(library, name).restype = c_char_p

    def gpu(self) -> Gpu:
        """The GPU that is here. Raises UnavailableError that says why there is none."""
        count = c_int()
        status = self._library.cudaGetDeviceCount(byref(count))
        if status or not count.value:
            raise UnavailableError(self._why_none(status))
        capability = f"{self._attribute(_MAJOR)}.{self._attribute(_MINOR)}"
        return Gpu(_board(self._attribute(_MULTIPROCESSORS)), capability, self._version("Runtime"))

    def allocate(self, count: int) -> int:
        """`count` bytes on the device."""
        address = c_void_p()
        self._call("cudaMalloc", byref(address), c_size_t(max(1, count)))
        return address.value or 0

    def free(self, address: int) -> None:
        self._call("cudaFree", c_void_p(address))

    def host_array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Zeros in memory that the device copies from and to directly; freed with its last view."""
        count = max(1, int(np.prod(shape)) * dtype.itemsize)
        address = c_void_p()
        self._call("cudaMallocHost", byref(address), c_size_t(count))
        assert address.value is not None
        raw = (ctypes.c_ubyte * count).from_address(address.value)
        freed = weakref.finalize(raw, self._library.cudaFreeHost, c_void_p(address.value))
        freed.atexit = False  # the end of the process frees all, and others may still look at theirs
        array = np.ndarray(shape, dtype, memoryview(raw))
        array[...] = 0
        return array

    def stream(self) -> int:
        """A new stream of work."""
        made = c_void_p()
        self._call("cudaStreamCreateWithFlags", byref(made), c_uint(_NON_BLOCKING))
        return made.value or 0

    def end_stream(self, stream: int) -> None:
        self._call("cudaStreamDestroy", c_void_p(stream))

    def wait(self, stream: int) -> None:
        """Until all work of the stream is done; what failed in it is raised here."""
        self._call("cudaStreamSynchronize", c_void_p(stream))

    def to_device(self, address: int, array: npt.NDArray[Any], stream: int) -> None:
        """Copy a C-ordered array to the device, in the stream."""
        self._copy(address, array.ctypes.data, array.nbytes, _TO_DEVICE, stream)

    def to_host(self, array: npt.NDArray[Any], address: int, stream: int) -> None:
        """Fill a C-ordered array from the device, in the stream."""
        self._copy(array.ctypes.data, address, array.nbytes, _TO_HOST, stream)

    def _copy(self, target: int, source: int, count: int, kind: int, stream: int) -> None:
        places = c_void_p(target), c_void_p(source), c_size_t(count)
        self._call("cudaMemcpyAsync", *places, c_int(kind), c_void_p(stream))

    def _attribute(self, number: int) -> int:
        value = c_int()
        self._call("cudaDeviceGetAttribute", byref(value), c_int(number), c_int(0))
        return value.value

    def _version(self, of: str) -> str:
        value = c_int()
        self._call(f"cuda{of}GetVersion", byref(value))
        return f"{value.value // 1000}.{value.value % 1000 // 10}"

    def _call(self, name: str, *arguments: Any) -> None:
        if status := getattr(self._library, name)(*arguments):
            raise EngineError(f"CUDA: {name} failed: {self._said(status)}")

    def _why_none(self, status: int) -> str:
        runtime, driver = self._version("Runtime"), self._version("Driver")
        if status == _INSUFFICIENT_DRIVER and driver == "0.0":
            return "there is no NVIDIA driver on this machine (CUDA finds none)"
        if status == _INSUFFICIENT_DRIVER:
            return (
                f"CUDA does not fit: the library is of CUDA {runtime}, and the driver takes {driver} at "
                "most. Upgrade the driver, or install an older CUDA runtime"
            )
        if status in (0, _NO_DEVICE):
            return (
                "CUDA finds no GPU that this process may use; a service's user has to be in the groups "
                "video and render"
            )
        return f"CUDA does not work here: {self._said(status)}"

    def _said(self, status: int) -> str:
        name, text = self._library.cudaGetErrorName(status), self._library.cudaGetErrorString(status)
        return f"{name.decode()}, {text.decode()} (error {status})"


def find() -> tuple[Cuda, Gpu]:
    """CUDA and the GPU of this machine. Raises UnavailableError that says what is missing."""
    reason = (
        "CUDA's runtime library libcudart is not on this machine; it comes with JetPack, or: "
        "pip install nvidia-cuda-runtime"
    )
    for name in (*_NAMES, *_in_wheels()):
        try:
            cuda = Cuda(ctypes.CDLL(name))
        except OSError:
            continue
        try:
            return cuda, cuda.gpu()
        except EngineError as error:
            reason = str(error)
    raise UnavailableError(reason)


def _in_wheels() -> list[str]:
    """Where wheels of PyPI put the library: outside what the loader searches."""
    places = (Path(folder, name) for folder in sys.path if folder for name in _WHEELS)
    return [str(place) for place in places if place.is_file()]


def _board(multiprocessors: int) -> str:
    """Boards whose GPUs have one capability differ in name and size, and so do their plans."""
    name = ""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        text = ctypes.create_string_buffer(256)
        if not driver.cuInit(0) and not driver.cuDeviceGetName(text, c_int(len(text)), c_int(0)):
            name = text.value.decode(errors="replace")
    except OSError:
        pass
    if here := model_here():
        name = f"{here}, {name}"  # a Jetson's GPU is called Orin everywhere
    return f"{name}, {multiprocessors} multiprocessors"
