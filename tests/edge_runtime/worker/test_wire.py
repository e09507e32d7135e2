"""Frames between a worker and its parent."""

import socket
import threading
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from edge_runtime.worker import wire
from edge_runtime.worker.wire import Connection, Infer, WireError


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield Connection(one), other


def test_a_message_arrives_whole_however_large(ends: tuple[Connection, socket.socket]) -> None:
    ours, theirs = ends
    sent = Infer((1, 500_000, 2), bytes(4_000_000))
    sender = threading.Thread(target=lambda: Connection(theirs).send(sent))
    sender.start()
    assert msgspec.msgpack.decode(ours.receive(5), type=Infer) == sent
    sender.join()


def test_silence_is_a_time_out_and_half_a_frame_too(ends: tuple[Connection, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall((100).to_bytes(4, "little") + b"half")
    with pytest.raises(TimeoutError):
        ours.receive(0.05)


def test_an_end_that_closes_is_told(ends: tuple[Connection, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()
    with pytest.raises(WireError, match="the other end closed"):
        ours.receive(1)
    with pytest.raises(WireError, match="sending failed"):
        ours.send(Infer((0,), b""))


def test_an_absurd_length_is_refused_before_memory_is_taken(
    ends: tuple[Connection, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    theirs.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(WireError, match="4294967295 bytes"):
        ours.receive(1)
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 10)
    with pytest.raises(WireError, match="10 are allowed"):
        ours.send(Infer((1,), bytes(100)))


def test_arrays_keep_shape_and_values() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    again = wire.unpack(wire.pack(array.T, np.float32), np.float32)
    assert again is not None
    assert again.tolist() == array.T.tolist()
    assert wire.unpack(wire.pack(None, np.float32), np.float32) is None
