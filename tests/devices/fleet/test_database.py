import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from devices.fleet import sqlite
from devices.fleet.database import Arrival, Database, Refusal, Watermark
from devices.fleet.payloads import Message
from devices.fleet.reader import Reader
from devices.fleet.schema import APPLICATION_ID, MIGRATIONS
from devices.fleet.sqlite import FILE_NAME
from edge_runtime.errors import InputError, StorageError, StoreError
from edge_runtime.telemetry.messages import Batch, Event, Prediction, RootReport
from tests.devices.fleet.rows import STREAM, batch, birth, prediction, reported, row


def arrival(
    message: Message, *, device: str = "arm-7", at: float = 100.0, retained: bool = False
) -> Arrival:
    return Arrival(device, message, at, retained)


def store(folder: Path, *messages: Arrival | Refusal) -> tuple[Watermark, ...]:
    """In a database opened for this alone: what counts is on the disk."""
    with Database(folder) as database:
        return database.store(messages)


def test_rows_come_back_as_they_were_sent(tmp_path: Path) -> None:
    sent = prediction(1), prediction(2, version="1.1.0")
    store(tmp_path, arrival(Batch(stream=STREAM, oldest=1, rows=sent), at=7.0))
    with Reader(tmp_path) as reader:
        stored = list(reader.predictions("arm-7", "motion"))
    assert [(one.stream, one.received, one.prediction) for one in stored] == [
        (STREAM, 7.0, sent[0]),
        (STREAM, 7.0, sent[1]),
    ]


def test_which_variant_made_a_prediction_is_kept_and_nothing_where_its_device_did_not_say(
    tmp_path: Path,
) -> None:
    int8 = msgspec.structs.replace(prediction(1), variant="int8", provider="cpu")
    own_way = msgspec.structs.replace(prediction(2), variant="fp32")
    sent = int8, own_way, prediction(3), msgspec.structs.replace(int8, seq=4)
    store(tmp_path, arrival(Batch(stream=STREAM, oldest=1, rows=sent)))
    with Reader(tmp_path) as reader:
        assert tuple(one.prediction for one in reader.predictions("arm-7", "motion")) == sent


def test_every_kind_of_row_is_kept(tmp_path: Path) -> None:
    store(tmp_path, arrival(batch(range(1, 41))))
    with Reader(tmp_path) as reader:
        predictions = [one.prediction for one in reader.predictions("arm-7", "motion")]
        events = [event for _, event in reader.events("arm-7")]
        assert reader.latest_metrics("arm-7") == row(30)
    assert predictions == [row(seq) for seq in range(1, 41) if isinstance(row(seq), Prediction)]
    assert events == [row(20), row(40)]


def test_a_batch_that_comes_again_is_stored_once_across_restarts(tmp_path: Path) -> None:
    for _ in range(3):
        marks = store(tmp_path, arrival(batch(range(1, 41))), arrival(batch(range(21, 61))))
    assert marks == (Watermark("arm-7", STREAM, 60, True),)
    with Reader(tmp_path) as reader:
        (stream,) = reader.streams("arm-7")
        seqs = [one.prediction.seq for one in reader.predictions("arm-7", "motion")]
    assert (stream.stored, stream.lost, stream.duplicates) == (60, 0, 180)
    assert seqs == sorted(set(seqs))


def test_losses_are_counted_by_stream(tmp_path: Path) -> None:
    store(tmp_path, arrival(batch([1, 2])), arrival(batch([9], oldest=9)))
    with Reader(tmp_path) as reader:
        (stream,) = reader.streams("arm-7")
        assert (stream.stored, stream.lost, stream.watermark) == (3, 6, 9)
        assert reader.device("arm-7").lost == 6


def test_the_same_number_in_another_stream_or_on_another_device_is_another_row(tmp_path: Path) -> None:
    store(
        tmp_path,
        arrival(batch([1, 2])),
        arrival(batch([1, 2], stream="wiped")),
        arrival(batch([1]), device="arm-8"),
    )
    with Reader(tmp_path) as reader:
        assert [record.stored for record in reader.devices()] == [4, 1]
        assert [stream.stream for stream in reader.streams("arm-7")] == [STREAM, "wiped"]


def test_watermarks_say_which_stream_the_device_writes_now(tmp_path: Path) -> None:
    store(tmp_path, arrival(birth(stream="new")), arrival(batch([1], stream="old")))
    marks = store(tmp_path, arrival(batch([2], stream="old")), arrival(batch([1], stream="new")))
    assert marks == (Watermark("arm-7", "old", 2, False), Watermark("arm-7", "new", 1, True))


def test_a_birth_is_answered_with_the_watermark_and_a_retained_one_is_not(tmp_path: Path) -> None:
    store(tmp_path, arrival(batch([1, 2])))
    assert store(tmp_path, arrival(birth())) == (Watermark("arm-7", STREAM, 2, True),)
    assert store(tmp_path, arrival(birth(), retained=True)) == ()
    assert store(tmp_path, arrival(birth(online=False))) == ()


def test_only_what_comes_from_the_device_itself_counts_as_seen(tmp_path: Path) -> None:
    def seen(*messages: Arrival) -> float:
        store(tmp_path, *messages)
        with Reader(tmp_path) as reader:
            return reader.device("arm-7").last_seen

    assert seen(arrival(birth(), at=1, retained=True)) == 0
    assert seen(arrival(batch([1]), at=2)) == 2
    assert seen(arrival(birth(online=False), at=3)) == 2  # the will: the broker sent it
    assert seen(arrival(reported("1.0.0"), at=4)) == 4


def test_what_was_seen_before_our_clock_was_put_right_does_not_stay_the_last(tmp_path: Path) -> None:
    in_2099 = 4_070_908_800.0
    store(tmp_path, arrival(batch([1]), at=in_2099))
    store(tmp_path, arrival(batch([2]), at=100.0))
    with Reader(tmp_path) as reader:
        assert reader.device("arm-7").last_seen == 100.0
        assert [stream.last_seen for stream in reader.streams("arm-7")] == [100.0]


def test_a_device_that_tells_of_losses_without_end_hides_no_other(tmp_path: Path) -> None:
    most = 1 << 53
    nonsense = [arrival(batch([], oldest=most, stream=f"s{n}"), device="bad") for n in range(1_100)]
    store(tmp_path, arrival(batch([1]), device="good"), *nonsense)
    with Reader(tmp_path) as reader:
        assert reader.device("good").stored == 1
        assert reader.device("bad").lost > 1 << 63


def test_what_runs_is_kept_as_a_history_of_its_changes(tmp_path: Path) -> None:
    store(
        tmp_path,
        arrival(reported("1.0.0", active="1.0.0", time=1.0)),
        arrival(reported("1.0.0", active="1.0.0", time=2.0), retained=True),
        arrival(reported("1.0.0", "1.1.0", active="1.1.0", time=3.0)),
        arrival(reported("1.0.0", "1.1.0", active="1.0.0", time=4.0)),
    )
    with Reader(tmp_path) as reader:
        told = [(entry.what, entry.version, entry.detail) for entry in reader.history("arm-7")]
        assert len(list(reader.reports("arm-7"))) == 3
        assert reader.device("arm-7").models[0].version == "1.0.0"
    assert told == [
        ("runs", "1.0.0", ""),
        ("runs", "1.1.0", "before: 1.0.0"),
        ("runs", "1.0.0", "before: 1.1.0"),
    ]


def test_events_are_part_of_the_history(tmp_path: Path) -> None:
    event = Event(
        seq=1, time=5.0, event="worker_died", model="motion", version="1.0.0", detail="signal 9"
    )
    store(tmp_path, arrival(Batch(stream=STREAM, oldest=1, rows=(event,))))
    with Reader(tmp_path) as reader:
        (entry,) = reader.history("arm-7")
    assert (entry.what, entry.model, entry.detail) == ("worker_died", "motion", "signal 9")


def test_refused_payloads_are_counted_by_device(tmp_path: Path) -> None:
    store(tmp_path, Refusal("arm-7", "telemetry: not JSON"), Refusal("arm-7", "x" * 10_000))
    with Reader(tmp_path) as reader:
        record = reader.device("arm-7")
    assert record.refused == 2
    assert record.refusal == "x" * 200


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.store([arrival(batch([1]))])
        database._connection.execute("PRAGMA max_page_count = 1")  # as a full disk would
        with pytest.raises(StorageError, match="full"):
            database.store([arrival(batch(range(2, 5_000)))])
        database._connection.execute("PRAGMA max_page_count = 1000000")
        assert database.store([arrival(batch([2]))]) == (Watermark("arm-7", STREAM, 2, True),)


@pytest.mark.parametrize("file", [FILE_NAME, f"{FILE_NAME}-wal"])
@pytest.mark.parametrize("exchanged", [False, True])
def test_nothing_is_acknowledged_from_a_database_that_was_removed_or_exchanged(
    tmp_path: Path, file: str, exchanged: bool
) -> None:
    with Database(tmp_path) as database:
        assert database.store([arrival(batch([1]))])
        assert database.store([arrival(batch([2]))])
        (tmp_path / file).rename(tmp_path / "moved")
        if exchanged:
            shutil.copy(tmp_path / "moved", tmp_path / file)
        for _ in range(2):
            with pytest.raises(StoreError, match="somebody removed or exchanged it"):
                database.store([arrival(batch([3]))])


def test_a_reader_sees_the_past_while_a_writer_is_at_work(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.store([arrival(batch([1]))])
        with Reader(tmp_path) as reader:
            database.store([arrival(batch([2]))])
            assert reader.device("arm-7").stored == 2


def test_counts_of_a_device_and_of_its_streams_agree_while_a_writer_is_at_work(tmp_path: Path) -> None:
    with Database(tmp_path) as database, Reader(tmp_path) as reader:
        database.store([arrival(batch([1]))])
        with reader.of_one_moment():
            device = reader.device("arm-7")
            database.store([arrival(batch([2]))])
            assert [stream.stored for stream in reader.streams("arm-7")] == [device.stored]
        assert reader.device("arm-7").stored == 2


def test_reading_needs_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no fleet database"):
        Reader(tmp_path)


def test_a_device_nobody_heard_of_is_an_input_error(tmp_path: Path) -> None:
    store(tmp_path)
    with Reader(tmp_path) as reader, pytest.raises(InputError, match="never heard"):
        reader.device("arm-9")


@pytest.mark.parametrize("open_it", [Database, Reader])
def test_a_damaged_database_is_told_in_one_sentence(tmp_path: Path, open_it: type) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database, and long enough to be read as one" * 100)
    with pytest.raises(StoreError, match="not a usable fleet database"):
        open_it(tmp_path)


@pytest.mark.parametrize("open_it", [Database, Reader])
def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path, open_it: type) -> None:
    store(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer edge-runtime"):
        open_it(tmp_path)


def test_a_database_of_the_first_version_is_brought_up_to_date_with_what_it_holds(
    tmp_path: Path,
) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.executescript(
            f"{MIGRATIONS[0]} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1; "
            "INSERT INTO devices (device, reported) VALUES ('arm-7', '"
            '[{"name":"motion","active":"","version":"","error":"","slots":['
            '{"version":"1.0.0","release":1,"digest":"d","state":"good"}]}]'
            "'), ('arm-8', '"
            '[{"name":"motion","active":"","version":"","slots":['
            '{"version":"1.0.0","release":1,"digest":"d","state":"a state that there is not"}]}]'
            "'); "
            "INSERT INTO streams VALUES (1, 'arm-7', 's', '[[1,1]]', 1, 0, 0, 0, 1, 1, 0, 0, 0); "
            "INSERT INTO models VALUES (1, 'motion', '1.0.0', 'd'); "
            "INSERT INTO predictions VALUES (1, 1, 0, 0, 1, 's1', 0, 9, 'Walking', '', '', 1.5);"
        )
    with pytest.raises(StoreError, match="Start the collector once"):
        Reader(tmp_path)
    with Database(tmp_path), Reader(tmp_path) as reader:
        device = reader.device("arm-7")
        assert device.root is None
        assert (device.models[0].slots[0].version, device.models[0].pending) == ("1.0.0", "")
        assert reader.device("arm-8").models == ()
        (kept,) = [one.prediction for one in reader.predictions("arm-7", "motion")]
        assert (kept.label, kept.variant, kept.provider) == ("Walking", "", "")
    told = reported("1.0.0", active="1.0.0")
    root = RootReport(version=2, expires=5.0)
    store(tmp_path, arrival(msgspec.structs.replace(told, root=root)))
    with Reader(tmp_path) as reader:
        assert reader.device("arm-7").root == root


@pytest.mark.parametrize("open_it", [Database, Reader])
def test_somebody_elses_database_is_left_alone(tmp_path: Path, open_it: type) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    with pytest.raises(StoreError, match="not a fleet's"):
        open_it(tmp_path)


def test_a_database_that_was_never_migrated_is_not_read(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(StoreError, match="Start the collector"):
        Reader(tmp_path)


def test_what_another_program_changes_is_told_so_and_taken_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.01)
    with Database(tmp_path) as database, closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match=r"is locked\. Another program changes it"):
            database.store([arrival(batch([1]))])
        other.rollback()
        assert database.store([arrival(batch([1]))]) == (Watermark("arm-7", STREAM, 1, True),)


def test_a_folder_that_is_none_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"unable to open.* as a user who may write in that folder"):
        Database(tmp_path / "missing")
