"""What a worker process and its parent say to each other, and how it is framed.

A frame is its length (4 bytes, little-endian) and one MessagePack message; arrays travel as raw bytes,
C order, native byte order, beside their shape. One request at a time, one reply each.
"""

import socket
import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge_runtime.engine.candidate import Candidate

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_FRAME_BYTES = 256 << 20
_LENGTH_BYTES = 4


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is started for, as JSON on its command line. `Worker` tells of the members.

    parent: the process that starts it. asks: whether it says what it could run, and waits to be told;
    where one is preferred it looks for that alone.
    """

    parent: int
    folder: str
    threads: int
    max_bytes: int
    board: str
    variant: str
    provider: str
    preferred: Candidate | None
    priority: int
    asks: bool


class Looking(msgspec.Struct, frozen=True, tag=True):
    """Child to parent: this engine is looked for now, which has a limit of its own.

    package: the other package that brings it, with its version; '' for none, and for ours. Where a
    candidate failed, the next one's engine may be looked for after a load began.
    """

    engine: str
    package: str


class Found(msgspec.Struct, frozen=True, tag=True):
    """Child to parent, where it asks: the candidates that may run here, the others, and why not.

    prepared: those of the first that their engine prepares, which may take minutes.
    """

    usable: tuple[Candidate, ...]
    passed: tuple[tuple[Candidate, str], ...]
    prepared: tuple[Candidate, ...]


class Attempt(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Parent to child: the candidate to load, and how long to measure it, row by row and in batches."""

    candidate: Candidate
    measure_s: float
    batch_s: float


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """Child to parent: what comes before a load, and has a limit of its own, is done."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate took: of one row in microseconds, and of memory in MB.

    peak_memory_mb: the most of its process that was resident. allocated_mb: the most that it used of
    what its limit counts (`process.most_used_bytes`), 0 where the kernel does not say.
    """

    rows: int
    p50_us: float
    p99_9_us: float
    batch_rows_per_s: float | None
    peak_memory_mb: float
    allocated_mb: float


class Infer(msgspec.Struct, frozen=True, tag=True):
    """Parent to child: float32 windows (n, length, channels)."""

    shape: tuple[int, ...]
    data: bytes


class Ready(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Child to parent, once: the model is loaded and gave its golden outputs.

    provider: what the engine runs the variant on, '' where it has no name for that.
    notes: what is to be reported of how it was loaded. missing: what real-time mode lacks. figures: what
    it took, where it was measured.
    """

    name: str
    version: str
    release: int
    digest: str
    task: str
    classes: tuple[str, ...]
    variant: str
    provider: str
    engine: str
    golden_count: int
    golden_max_abs_error: float
    golden_label_disagreements: int
    load_ms: float
    notes: tuple[str, ...] = ()
    missing: str = ""
    figures: Figures | None = None


class Result(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Child to parent: the outputs for one Infer; arrays as (shape, bytes), float32 and float64."""

    labels: tuple[str, ...] | None
    probabilities: tuple[tuple[int, ...], bytes] | None
    values: tuple[tuple[int, ...], bytes] | None
    latency_us: float


class Failed(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Child to parent: an error, by the name of its class in `edge_runtime.errors`.

    most_bytes: where memory was refused, the most that the process has had of it; 0 for not known, which
    is left out: agents of every release read what a worker of another one says.
    """

    kind: str
    text: str
    most_bytes: int = 0


Reply = Looking | Found | Prepared | Ready | Result | Failed


class WireError(Exception):
    """The other end is gone, too slow, or said something that is no frame."""


class Connection:
    """Frames over a stream socket; a message is a msgspec struct on one side, bytes on the other."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._encoder = msgspec.msgpack.Encoder()
        self._buffer = bytearray(_LENGTH_BYTES)

    def send(self, message: msgspec.Struct, timeout_s: float | None = None) -> None:
        """Raises WireError."""
        frame = self._buffer
        self._encoder.encode_into(message, frame, _LENGTH_BYTES)
        length = len(frame) - _LENGTH_BYTES
        if length > MAX_FRAME_BYTES:
            raise WireError(f"a message of {length} bytes; {MAX_FRAME_BYTES} are allowed")
        frame[:_LENGTH_BYTES] = length.to_bytes(_LENGTH_BYTES, "little")
        try:
            self._socket.settimeout(timeout_s)
            self._socket.sendall(frame)
        except OSError as error:
            raise WireError(f"sending failed: {error}") from error

    def receive(self, timeout_s: float | None = None) -> bytearray:
        """The next message's MessagePack. Raises WireError, TimeoutError."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        length = int.from_bytes(self._exactly(_LENGTH_BYTES, deadline), "little")
        if length > MAX_FRAME_BYTES:
            raise WireError(f"a message of {length} bytes; {MAX_FRAME_BYTES} are allowed")
        return self._exactly(length, deadline)

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int, deadline: float | None) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            try:
                if deadline is not None:
                    self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                got = self._socket.recv_into(view)
            except TimeoutError:
                raise
            except OSError as error:
                raise WireError(f"receiving failed: {error}") from error
            if not got:
                raise WireError("the other end closed")
            view = view[got:]
        return data


def pack(array: "NDArray[Any] | None", dtype: Any) -> tuple[tuple[int, ...], bytes] | None:
    return None if array is None else (array.shape, np.ascontiguousarray(array, dtype).tobytes())


def unpack(packed: tuple[tuple[int, ...], bytes] | None, dtype: Any) -> "NDArray[Any] | None":
    return None if packed is None else np.frombuffer(packed[1], dtype).reshape(packed[0])
