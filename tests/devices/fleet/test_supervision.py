import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.fleet import broker as broker_module
from devices.fleet import supervision
from devices.fleet.broker import EmbeddedBroker
from devices.fleet.nats_config import BrokerSettings
from devices.fleet.supervision import ReadyFile, SupervisedBroker
from edge_runtime.errors import StorageError
from tests.devices.fleet.clients import Client, client, wait_for
from tests.support.full_disk import files_of_at_most


def test_a_dead_broker_is_started_again_until_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervision, "_RESTART_S", (0.01, 0.05))
    broker = EmbeddedBroker(BrokerSettings(tmp_path))
    with SupervisedBroker(broker) as supervised:
        port = broker.port

        def looked_after(condition: Callable[[], bool]) -> Callable[[], bool]:
            def look() -> bool:
                supervised.keep()
                return condition()

            return look

        os.kill(broker.pid, signal.SIGKILL)
        wait_for(lambda: not broker.alive, "its death")
        with socket.create_server(("127.0.0.1", port)):  # somebody takes the port meanwhile
            wait_for(looked_after(lambda: caplog.text.count("the port is taken") >= 2), "two attempts")
        wait_for(looked_after(lambda: broker.alive), "its return")
        assert broker.port == port
    assert not broker.alive


@pytest.mark.parametrize(
    "fault",
    [(resource.RLIMIT_FSIZE, 1 << 16, "write "), (resource.RLIMIT_NOFILE, 3, "Error creating msg ")],
    ids=["no room", "no new file"],
)
def test_a_broker_whose_disk_was_full_stores_again_once_there_is_room(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: tuple[int, int, str],
) -> None:
    limit, most, word = fault
    monkeypatch.setattr(supervision, "_RESTART_S", (0.01, 0.05))
    monkeypatch.setattr(broker_module, "_ROOM_BYTES", 1 << 62)
    broker = EmbeddedBroker(BrokerSettings(tmp_path))

    def told() -> bool:
        supervised.keep()
        return f"the broker's store fails: {word}" in caplog.text

    def started_again() -> bool:
        supervised.keep()
        return broker.pid != first

    with SupervisedBroker(broker) as supervised:
        first = broker.pid
        with client(broker.port, session="away") as away:
            away.subscribe("sensors/#")
        # What the kernel refuses to write is to the server as a full disk; it may be lifted, too.
        with client(broker.port) as publisher:
            before = resource.prlimit(first, limit, (most, resource.prlimit(first, limit)[1]))
            for _ in range(100):
                publisher.send("sensors/press", bytes(100 << 10))  # more than a block of the store
            wait_for(told, "the word of it")
        resource.prlimit(first, limit, before)
        supervised.keep()
        assert broker.pid == first  # it goes on with what needs no disk
        monkeypatch.setattr(broker_module, "_ROOM_BYTES", 1)
        wait_for(started_again, "its start")
        with client(broker.port) as publisher:
            publisher.publish("sensors/press", b"is stored")
    assert "unexpectedly" not in caplog.text


def test_where_no_file_can_be_made_is_no_room(tmp_path: Path) -> None:
    broker = EmbeddedBroker(BrokerSettings(tmp_path))
    assert broker.has_room
    assert not list(tmp_path.iterdir())
    with files_of_at_most(1 << 20):
        assert not broker.has_room


@pytest.mark.parametrize(
    "words",
    [
        "[ERR] JetStream failed to store a msg on stream '$G > $MQTT_msgs': ",
        "[WRN] Filesystem permission denied while writing msg, disabling JetStream: ",
    ],
)
def test_why_the_store_fails_is_told_once_in_the_servers_words(tmp_path: Path, words: str) -> None:
    why = "open /fleet/2.blk: permission denied"
    (tmp_path / "nats-server.log").write_text(f"[7] 2026/11/29 12:39:23.430372 {words}{why}\n" * 2)
    broker = EmbeddedBroker(BrokerSettings(tmp_path))
    assert [broker.store_fails(), broker.store_fails()] == [why, ""]


def test_what_clients_call_themselves_does_not_stop_the_broker(tmp_path: Path) -> None:
    name = "x\n[1] 2026/01/01 00:00:00.0 [ERR] JetStream failed to store a msg on stream 'x': write x: y"
    with EmbeddedBroker(BrokerSettings(tmp_path)) as broker:
        other = Client(broker.port, session=name)
        wait_for(lambda: other.refusal, "its refusal")
        other.close()
        wait_for(lambda: "write x: y" in (tmp_path / "nats-server.log").read_text(), "the word of it")
        assert broker.store_fails() == ""


def test_a_ready_file_that_cannot_be_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ready = ReadyFile(tmp_path / "file" / "ready.json")
    with pytest.raises(StorageError, match="Choose a --ready-file"), ready:
        raise AssertionError("it ran")


def test_the_ready_file_is_there_only_while_we_serve(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("of a run that was killed")
    with ReadyFile(path) as ready:
        assert not path.exists()
        ready.show("now", {"port": 1})
        assert path.read_text() == '{"port": 1}\n'
    assert not path.exists()
