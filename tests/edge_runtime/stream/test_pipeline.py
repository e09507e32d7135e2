"""Messages in, windows out, between two threads; and again after the process was gone."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edge_runtime.stream.journal import SampleRing, memory_ring, open_ring
from edge_runtime.stream.pipeline import Patience, SampleStream, Windows
from edge_runtime.stream.window import Cursor, Geometry

CHANNELS = ("x", "y")
AT_ONCE = Patience(wait_s=0.0, after_reconnect_s=0.0)


def stream_of(ring: SampleRing, patience: Patience = AT_ONCE) -> SampleStream:
    stream = SampleStream(ring, CHANNELS, Geometry(length=4, stride=2), patience)
    stream.connected(True)
    return stream


def sample(seq: int, segment: str = "a") -> bytes:
    return json.dumps({"segment": segment, "seq": seq, "values": [seq, -seq]}).encode()


def now(stream: SampleStream, cursor: Cursor = Cursor()) -> Windows:  # noqa: B008
    return stream.next_windows(cursor, 100, 0)


def test_windows_hold_the_samples_their_numbers_say() -> None:
    stream = stream_of(memory_ring(64, 2))
    for seq in range(10, 18):
        stream.take(sample(seq))
    windows = now(stream)
    assert [(span.first, span.last) for span in windows.spans] == [(10, 13), (12, 15), (14, 17)]
    assert windows.rows.shape == (3, 4, 2)
    assert windows.rows[1].tolist() == [[n, -n] for n in range(12, 16)]


def test_what_is_asked_again_is_given_again_until_the_cursor_moves() -> None:
    stream = stream_of(memory_ring(64, 2))
    for seq in range(8):
        stream.take(sample(seq))
    windows = now(stream)
    assert now(stream, windows.begin).spans == windows.spans
    assert now(stream, windows.cursor).spans == ()


def test_a_waiting_thread_gets_a_window_as_soon_as_it_is_complete() -> None:
    stream = stream_of(memory_ring(64, 2))
    found: list[Windows] = []
    waiting = threading.Thread(target=lambda: found.append(stream.next_windows(Cursor(), 1, 30)))
    waiting.start()
    for seq in range(4):
        stream.take(sample(seq))
    waiting.join(10)
    assert [span.first for span in found[0].spans] == [0]


def test_a_waiting_thread_can_be_woken() -> None:
    stream = stream_of(memory_ring(64, 2))
    stream.wake()
    assert stream.next_windows(Cursor(), 1, 30).spans == ()


def test_unusable_messages_are_counted_by_reason_and_split_the_stream() -> None:
    stream = stream_of(memory_ring(64, 2))
    for seq in range(4):
        stream.take(sample(seq))
    stream.take(b'{"segment": "a", "seq": 4, "values": [NaN, 1]}')
    for seq in range(5, 9):
        stream.take(sample(seq))
    stream.take(b"what?")
    assert [span.first for span in now(stream).spans] == [0, 5]
    assert dict(stream.rejected()) == {"value is not finite": 1, "not JSON": 1}
    assert dict(stream.rejected()) == {}
    assert stream.counters() == {"taken": 8, "duplicates": 0, "late": 0, "missing": 0, "rejected": 2}


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_gap_is_given_up_after_its_time_and_not_while_the_broker_is_away() -> None:
    stream = stream_of(memory_ring(64, 2), Patience(wait_s=0.05, after_reconnect_s=0))
    stream.connected(False)
    for seq in (0, 1, 2, 3, 6, 7, 8, 9):
        stream.take(sample(seq))
    assert [span.first for span in stream.next_windows(Cursor(), 100, 0.2).spans] == [0]
    cursor = now(stream).cursor
    assert stream.next_windows(cursor, 100, 0.2).spans == ()
    stream.connected(True)
    eventually(lambda: [span.first for span in now(stream, cursor).spans] == [6])
    assert stream.counters()["missing"] == 2


def test_after_a_reconnect_there_is_more_time() -> None:
    stream = stream_of(memory_ring(64, 2), Patience(wait_s=0, after_reconnect_s=3600))
    for seq in (0, 1, 3):
        stream.take(sample(seq))
    assert stream.next_windows(Cursor(), 1, 0.2).spans == ()
    stream.take(sample(2))
    assert [span.first for span in now(stream).spans] == [0]


def test_a_model_that_is_too_slow_loses_the_oldest_windows_and_knows() -> None:
    stream = stream_of(memory_ring(32, 2))
    for seq in range(100):
        stream.take(sample(seq))
    windows = now(stream)
    assert windows.spans[0].start >= 100 - 32
    assert windows.dropped == windows.spans[0].start // 2
    assert windows.rows[0, 0, 0] == windows.spans[0].first
    assert now(stream, windows.begin).dropped == 0


def test_a_new_process_goes_on_at_the_next_window(tmp_path: Path) -> None:
    found: list[int] = []
    cursor = Cursor()
    for start in (0, 7, 9, 30):
        ring = open_ring(tmp_path / "ring", 64, 2, "g")
        stream = stream_of(ring)
        for seq in range(max(0, start - 3), start + 5):  # some come again
            stream.take(sample(seq))
        windows = now(stream, cursor)
        found += [span.first for span in windows.spans]
        cursor = windows.cursor
        stream.close()
    assert found == [0, 2, 4, 6, 8, 10, 27, 29, 31]


def test_counters_can_be_read_after_the_end() -> None:
    stream = stream_of(memory_ring(64, 2))
    stream.take(sample(0))
    stream.close()
    assert stream.counters()["taken"] == 1
