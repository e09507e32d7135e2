"""The outbox: what it takes it keeps, numbers once, and gives back in order until told to let go."""

import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import InputError, StorageError
from edge_runtime.telemetry.messages import Batch, Event, Row
from edge_runtime.telemetry.outbox import Outbox, read_counts
from edge_runtime.telemetry.outbox_rows import Chunk
from tests.edge_runtime.telemetry.rows import event, metrics, prediction, predictions
from tests.support.outbox_rows import chunks_of

BOOT = "boot-1"


def opened(path: Path, *, max_bytes: int = 10_000_000, boot_id: str = BOOT) -> Outbox:
    return Outbox(path, max_bytes=max_bytes, boot_id=boot_id)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


def batches(outbox: Outbox, max_rows: int = 100) -> list[tuple[str, Batch]]:
    return [batch for chunk in chunks_of(outbox, max_rows) for batch in decoded(chunk)]


def decoded(chunk: Chunk) -> list[tuple[str, Batch]]:
    return [(lane, msgspec.json.decode(payload, type=Batch)) for lane, payload in chunk.batches]


def held(outbox: Outbox) -> list[tuple[str, int]]:
    """(stream, seq) of every row, in the order they would be sent."""
    return [(batch.stream, row.seq) for _, batch in batches(outbox) for row in batch.rows]


def test_rows_are_numbered_from_one_whatever_they_say_and_come_back_whole(path: Path) -> None:
    rows: list[Row] = [msgspec.structs.replace(prediction(9), seq=77), metrics(a=1.0), event()]
    with opened(path) as outbox:
        assert outbox.append(rows[:1]) == 1
        assert outbox.append(rows[1:]) == 3
        chunk = outbox.read(0)
        assert chunk is not None
        found = dict(decoded(chunk))
        assert (chunk.stream, chunk.last) == (outbox.stream, 3)
    assert found["motion"].rows == (msgspec.structs.replace(rows[0], seq=1),)
    assert found[""].rows == tuple(msgspec.structs.replace(rows[n], seq=n + 1) for n in (1, 2))
    assert {batch.oldest for batch in found.values()} == {1}


def test_rows_of_one_topic_share_a_batch_though_others_came_between(path: Path) -> None:
    with opened(path) as outbox:
        for number in range(10):
            outbox.append([prediction(number, "a"), prediction(number, "b")])
        found = batches(outbox)
    assert [(lane, len(batch.rows)) for lane, batch in found] == [("a", 10), ("b", 10)]


def test_a_chunk_is_bounded_in_rows_and_bytes_but_never_empty(path: Path) -> None:
    with opened(path) as outbox:
        outbox.append(predictions(50))
        few, small, least = (
            outbox.read(0, max_rows=7),
            outbox.read(0, max_bytes=2_000),
            outbox.read(0, max_bytes=1),
        )
        assert few is not None
        assert small is not None
        assert least is not None
        assert few.last == 7
        assert 1 < small.last < 50
        assert len(small.batches[0][1]) < 2_100
        assert least.last == 1
        assert outbox.read(50) is None


def test_what_is_acknowledged_is_gone_and_oldest_says_where_the_rest_begins(path: Path) -> None:
    with opened(path) as outbox:
        outbox.append(predictions(5_000))
        assert outbox.acknowledge(outbox.stream, 4_990) == 4_990
        assert outbox.acknowledge(outbox.stream, 4_990) == 0
        ((_, batch),) = batches(outbox)
        assert batch.oldest == 4_991
        assert outbox.counts().rows == 10


def test_numbers_nobody_gave_acknowledge_nothing(path: Path) -> None:
    with opened(path) as outbox:
        outbox.append(predictions(3))
        for stream, seq in ((outbox.stream, 4), (outbox.stream, -1), ("another", 1)):
            assert outbox.position(stream, seq) is None
            assert outbox.acknowledge(stream, seq) == 0
        assert outbox.position(outbox.stream, 3) == 3
        assert outbox.counts().rows == 3


def test_an_outbox_opened_again_in_the_same_boot_goes_on_in_its_stream(path: Path) -> None:
    with opened(path) as outbox:
        outbox.append(predictions(3), meta={"place": b"42"})
        stream = outbox.stream
    with opened(path) as outbox:
        assert (outbox.stream, outbox.boot) == (stream, 2)
        assert outbox.append([event()]) == 4
        assert outbox.recall("place") == b"42"
        assert outbox.recall("nothing") is None


def test_numbers_go_on_though_every_row_is_gone(path: Path) -> None:
    with opened(path) as outbox:
        outbox.append(predictions(3))
        outbox.acknowledge(outbox.stream, 3)
    with opened(path) as outbox:
        assert outbox.counts().last_seq == 3
        assert outbox.append([event()]) == 4


def test_after_a_boot_a_new_stream_begins_and_the_old_rows_keep_theirs(path: Path) -> None:
    """A power cut may have taken rows whose numbers the fleet has seen: they are never given again."""
    with opened(path) as outbox:
        outbox.append(predictions(3))
        old = outbox.stream
    with opened(path, boot_id="boot-2") as outbox:
        new = outbox.stream
        assert outbox.append([event()]) == 1
        assert held(outbox) == [(old, 1), (old, 2), (old, 3), (new, 1)]
        assert outbox.acknowledge(new, 1) == 1
        assert held(outbox) == [(old, 1), (old, 2), (old, 3)]
        assert outbox.acknowledge(old, 2) == 2
    with opened(path, boot_id="boot-2") as outbox:
        assert outbox.append([event()]) == 2
        assert held(outbox) == [(old, 3), (new, 2)]
        assert outbox.acknowledge(old, -1) == 0
        assert outbox.acknowledge(old, 5) == 1, "4 and 5 may be what the power cut took"
        assert held(outbox) == [(new, 2)]
    assert old != new


def test_boots_without_rows_leave_no_streams_behind(path: Path) -> None:
    for number in range(5):
        with opened(path, boot_id=f"boot-{number}") as outbox:
            stream = outbox.stream
            if number == 0:
                outbox.append(predictions(2))
    with opened(path, boot_id="boot-4") as outbox:
        assert outbox.stream == stream
        outbox.append([event()])
        assert [seq for _, seq in held(outbox)] == [1, 2, 1]
        assert len(outbox._rows.streams) == 2


def test_over_the_cap_the_oldest_rows_are_dropped_and_counted_for_good(path: Path) -> None:
    with opened(path, max_bytes=100_000) as outbox:
        for _ in range(100):
            outbox.append(predictions(20))
        counts = outbox.counts()
        assert counts.last_seq == 2_000
        assert counts.dropped > 1_000
        assert counts.rows + counts.dropped == 2_000
        assert held(outbox)[0] == (outbox.stream, counts.dropped + 1)
        assert batches(outbox)[0][1].oldest == counts.dropped + 1
        assert outbox._rows.used_bytes <= 100_000
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    assert size < 400_000
    with opened(path, max_bytes=100_000) as outbox:
        assert outbox.counts().dropped == counts.dropped


def test_a_row_nobody_would_take_keeps_its_companions_out_too(path: Path) -> None:
    with opened(path) as outbox:
        with pytest.raises(InputError, match="metrics row"):
            outbox.append([event(), metrics(x=float("nan"))], meta={"place": b"1"})
        assert outbox.counts().last_seq == 0
        assert outbox.recall("place") is None
        assert outbox.append([event()]) == 1


def test_more_than_the_outbox_holds_at_once_is_refused(path: Path) -> None:
    with opened(path, max_bytes=10_000) as outbox, pytest.raises(InputError, match="Append fewer"):
        outbox.append(predictions(100))


def test_meta_alone_is_committed(path: Path) -> None:
    with opened(path) as outbox:
        assert outbox.append([], meta={"place": b"1"}) == 0
        assert outbox.append([]) == 0
    with opened(path) as outbox:
        assert outbox.recall("place") == b"1"


def test_threads_share_it_and_no_number_is_given_twice(path: Path) -> None:
    with opened(path) as outbox:
        told: list[int] = []
        heard: list[None] = []
        outbox.on_append = lambda: heard.append(None)

        def write() -> None:
            for _ in range(50):
                told.append(outbox.append([event()]))

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        outbox.acknowledge(outbox.stream, 10)
        for thread in threads:
            thread.join()
        assert sorted(told) == list(range(1, 201))
        assert len(heard) == 200


def test_a_second_writer_is_refused_and_a_reader_is_not(path: Path) -> None:
    assert read_counts(path) is None
    with opened(path) as outbox:
        outbox.append(predictions(7))
        with pytest.raises(StorageError, match="another process uses this outbox"):
            opened(path)
        assert read_counts(path) == outbox.counts()
        outbox.acknowledge(outbox.stream, 7)
        assert read_counts(path) == outbox.counts()
    assert read_counts(path) is not None


def test_a_reader_of_something_else_is_told_so(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database")
    with pytest.raises(StorageError, match="outbox"):
        read_counts(path)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_happens_numbers_are_unique_and_rows_are_held_dropped_or_acknowledged(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("model") / "outbox.db"
    boot, appended, acknowledged = 0, [], 0
    outbox = opened(path, max_bytes=20_000, boot_id="0")
    actions = st.sampled_from(["append", "acknowledge", "reopen", "boot"])
    for action in data.draw(st.lists(actions, max_size=25)):
        if action == "append":
            count = data.draw(st.integers(1, 20))
            last = outbox.append([Event(seq=0, time=0.0, event="e" * 100)] * count)
            appended += [(outbox.stream, seq) for seq in range(last - count + 1, last + 1)]
        elif action == "acknowledge" and (rows := held(outbox)):
            acknowledged += outbox.acknowledge(*data.draw(st.sampled_from(rows)))
        else:
            boot += action == "boot"
            outbox.close()
            outbox = opened(path, max_bytes=20_000, boot_id=str(boot))
        rows = held(outbox)
        assert len(set(appended)) == len(appended)
        assert rows == [row for row in appended if row in set(rows)], "in the order they came"
        assert len(appended) == len(rows) + outbox.counts().dropped + acknowledged
    outbox.close()
