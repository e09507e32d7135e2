import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devices.fleet import supervision
from devices.fleet.broker import EmbeddedBroker
from devices.fleet.nats_config import BrokerSettings
from devices.fleet.supervision import ReadyFile, SupervisedBroker
from tests.devices.fleet.clients import wait_for


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


def test_the_ready_file_is_there_only_while_we_serve(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    path.write_text("of a run that was killed")
    with ReadyFile(path) as ready:
        assert not path.exists()
        ready.show("now", {"port": 1})
        assert path.read_text() == '{"port": 1}\n'
    assert not path.exists()
