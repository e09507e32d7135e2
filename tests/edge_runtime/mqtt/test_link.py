"""A link to a broker, against the real ones: what it promises while they come, refuse and die."""

import os
import secrets
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import BrokerError, ConfigError
from edge_runtime.mqtt import Broker, Link, Will, check
from edge_runtime.mqtt.link import pause_s
from tests.support.brokers import BrokerRig, Mosquitto, NatsServer, ServerTLS
from tests.support.pki import Authority
from tests.support.waiting import wait_for

Rig = type[BrokerRig]
both = pytest.mark.parametrize("rig", [NatsServer, Mosquitto])
QUICK = (0.02, 0.1)


class Peer:
    """A link and what it was told."""

    def __init__(self, broker: Broker, **options: Any) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.published: list[int] = []
        self.ups = 0
        self.reasons: list[str] = []
        options = {"client_id": f"t-{secrets.token_hex(6)}", "retry_s": QUICK} | options
        self.link = Link(
            broker,
            on_message=lambda *message: self.messages.append(message),
            on_up=self._up,
            on_down=self.reasons.append,
            on_published=self.published.append,
            **options,
        )

    def _up(self) -> None:
        self.ups += 1

    def payloads(self) -> list[bytes]:
        return [payload for _, payload, _ in self.messages]

    def await_up(self) -> "Peer":
        wait_for(lambda: self.link.connected, f"a connection; {self.reasons}")
        return self

    def await_reason(self, part: str) -> str:
        wait_for(lambda: any(part in reason for reason in self.reasons), part)
        return next(reason for reason in self.reasons if part in reason)


@contextmanager
def peer(broker: Broker, **options: Any) -> Iterator[Peer]:
    made = Peer(broker, **options)
    with made.link:
        yield made


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., BrokerRig]]:
    """Starts rigs that end with the test."""
    started: list[BrokerRig] = []

    def starts(rig: Rig, **options: Any) -> BrokerRig:
        made = rig(tmp_path / f"broker{len(started)}", **options)
        made.start()
        started.append(made)
        return made

    yield starts
    for made in started:
        made.close()


def plain(rig: BrokerRig) -> Broker:
    return Broker("127.0.0.1", rig.port)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Start = Callable[..., BrokerRig]


@both
def test_messages_go_out_and_come_in_and_are_confirmed(rig: Rig, start: Start) -> None:
    broker = plain(start(rig))
    with peer(broker, subscriptions={"a/#": 1}) as one, peer(broker) as other:
        one.await_up()
        other.await_up()
        tokens = [other.link.publish("a/b", b"%d" % i) for i in range(100)]
        wait_for(lambda: len(one.messages) == 100, "the messages")
        wait_for(lambda: len(other.published) == 100, "the confirmations")
    assert one.payloads() == [b"%d" % i for i in range(100)]
    assert sorted(other.published) == tokens


@both
def test_a_retained_message_says_so(rig: Rig, start: Start) -> None:
    broker = plain(start(rig))
    with peer(broker) as one:
        one.await_up().link.publish("kept", b"x", retain=True)
        wait_for(lambda: one.published, "the confirmation")
    with peer(broker, subscriptions={"kept": 1}) as other:
        wait_for(lambda: other.messages == [("kept", b"x", True)], "the retained message")


@both
def test_a_round_trip_does_not_wait_for_delayed_acks(rig: Rig, start: Start) -> None:
    broker = plain(start(rig))
    with peer(broker, subscriptions={"trip": 1}) as one:
        one.await_up()
        trips = []
        for count in range(1, 41):
            began = time.perf_counter()
            one.link.publish("trip", b"x")
            wait_for(lambda n=count: len(one.messages) == n, "the message")
            trips.append(time.perf_counter() - began)
    assert statistics.median(trips) < 0.03  # 40 ms and more without TCP_NODELAY


@both
def test_two_clients_of_one_id_are_told_what_throws_them_out(rig: Rig, start: Start) -> None:
    broker = plain(start(rig))
    with peer(broker, client_id="edge-copy") as one, peer(broker, client_id="edge-copy") as other:
        for each in (one, other):
            told = each.await_reason("another client has the same id, edge-copy")
            assert "the connection broke" in told
            assert "3 times in a row" in told
            assert "when their disk is full" in told  # that looks the same from here


@both
def test_a_killed_broker_is_found_again_on_its_port(rig: Rig, start: Start) -> None:
    server = start(rig)
    with peer(plain(server), subscriptions={"x": 1}) as one:
        one.await_up()
        before = one.link.publish("x", b"before")
        wait_for(lambda: one.published, "the confirmation")
        server.kill()
        wait_for(lambda: not one.link.connected, "the loss")
        assert one.link.publish("x", b"meanwhile") is None
        assert "the connection broke" in one.reasons[0]
        one.await_reason("nothing listens there")
        server.start()
        wait_for(lambda: one.ups == 2, "the second connection")
        after = one.link.publish("x", b"after")
        wait_for(lambda: b"after" in one.payloads(), "the subscription made again")
        assert before != after
        assert len(one.reasons) <= 3, "a reason is told once, not at each attempt"


CUT_OFF = """
import sys, time
from edge_runtime.mqtt import Broker, Link, Will
link = Link(Broker("127.0.0.1", int(sys.argv[1])), client_id="cut", will=lambda: Will("life", b"gone"))
link.start()
while link.publish("life", b"here") is None:
    time.sleep(0.005)
time.sleep(60)
"""


@both
def test_the_will_is_sent_when_we_die_and_not_when_we_say_goodbye(rig: Rig, start: Start) -> None:
    broker = plain(start(rig))
    with peer(broker, subscriptions={"life": 1}) as watcher:
        watcher.await_up()
        with peer(broker, will=Will("life", b"never")) as polite:
            polite.await_up().link.publish("life", b"bye")
        wait_for(lambda: watcher.payloads() == [b"bye"], "the last message before the goodbye")
        with subprocess.Popen([sys.executable, "-c", CUT_OFF, str(broker.port)]) as dying:
            wait_for(lambda: b"here" in watcher.payloads(), "a sign of life")
            dying.kill()
        wait_for(lambda: watcher.payloads() == [b"bye", b"here", b"gone"], "the will")


@both
def test_a_persistent_session_gets_what_came_while_it_was_away(rig: Rig, start: Start) -> None:
    broker = plain(start(rig))
    options: dict[str, Any] = {"client_id": "sensor-side", "subscriptions": {"s": 1}}
    with peer(broker, persistent=True, **options) as first:
        first.await_up()
    with peer(broker) as sensor:
        sensor.await_up().link.publish("s", b"meanwhile")
        wait_for(lambda: sensor.published, "the confirmation")
    with peer(broker, persistent=True, **options) as second:
        wait_for(lambda: second.payloads() == [b"meanwhile"], "the message kept for us")


@both
def test_close_waits_until_the_last_messages_are_taken(rig: Rig, start: Start) -> None:
    broker = plain(start(rig))
    with peer(broker, subscriptions={"last": 1}) as watcher:
        watcher.await_up()
        with peer(broker) as one:
            one.await_up()
            for _ in range(200):
                one.link.publish("last", b"x" * 1000)
        assert len(one.published) == 200
        wait_for(lambda: len(watcher.messages) == 200, "all of them")


@both
def test_a_failing_callback_is_counted_and_the_link_lives(
    rig: Rig, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a fault")

    broker = plain(start(rig))
    options: dict[str, Any] = {"client_id": "f", "subscriptions": {"x": 1}, "retry_s": QUICK}
    link = Link(broker, on_message=fail, on_up=fail, on_published=fail, on_down=fail, **options)
    with link:
        wait_for(lambda: link.connected, "a connection")
        for _ in range(3):
            link.publish("x", b"x")
        wait_for(lambda: link.faults == 7, "each of them counted")
        assert link.connected
    assert link.faults == 8
    assert "a fault" in caplog.text


@both
def test_callbacks_may_publish_under_the_lock_under_which_others_publish(rig: Rig, start: Start) -> None:
    lock, heard = threading.Lock(), []
    broker = plain(start(rig))

    def answer(topic: str, payload: bytes, _: bool) -> None:
        with lock:
            heard.append(payload)
            if topic == "ask":
                link.publish("answer", payload)

    def noted(_: int) -> None:
        with lock:
            pass

    options: dict[str, Any] = {"client_id": "l", "subscriptions": {"ask": 1, "answer": 1}}
    link = Link(broker, on_message=answer, on_published=noted, **options)
    with link:
        wait_for(lambda: link.connected, "a connection")
        for _ in range(200):
            with lock:
                link.publish("ask", b"x")
        wait_for(lambda: len(heard) == 400, "questions and answers")


@pytest.mark.parametrize("topic", ["", "a b", "a/+", "#", "a\0b", "a\n", "x" * 2000])
def test_a_topic_that_would_end_the_connection_is_refused_before(topic: str) -> None:
    link = Link(Broker("127.0.0.1", 1), client_id="x")
    with pytest.raises(BrokerError, match="topic"):
        link.publish(topic, b"")
    link.close()


def test_a_payload_over_the_limit_is_refused_before() -> None:
    link = Link(Broker("127.0.0.1", 1), client_id="x", max_payload_bytes=10)
    assert link.publish("a", b"x" * 10) is None  # not connected
    with pytest.raises(BrokerError, match="at most 10 bytes, found 11"):
        link.publish("a", b"x" * 11)
    link.close()


@both
def test_a_wrong_password_is_a_clear_reason_and_a_right_one_is_let_in(
    rig: Rig, start: Start, tmp_path: Path
) -> None:
    server = start(rig, users={"me": "right"})
    file = tmp_path / "password"
    file.write_text("wrong\n")
    broker = Broker("127.0.0.1", server.port, username="me", password_file=file)
    with peer(broker) as one:
        assert "Check username" in one.await_reason("127.0.0.1")
        with pytest.raises(BrokerError, match="Check username"):
            check(broker)
        file.write_text("right\n")
        one.await_up()
    check(broker)


@both
def test_tls_with_a_password(rig: Rig, start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = start(rig, users={"me": "pw"}, tls=ServerTLS(authority.server("localhost", "127.0.0.1")))
    file = tmp_path / "password"
    file.write_text("pw")
    options: dict[str, Any] = {"ca": authority.certificate, "username": "me", "password_file": file}
    for host in ("127.0.0.1", "localhost"):
        broker = Broker.from_url(f"mqtts://{host}:{server.port}", **options)
        with peer(broker, subscriptions={"x": 1}) as one:
            one.await_up()
            one.link.publish("x", os.urandom(200_000))
            wait_for(lambda: [len(p) for p in one.payloads()] == [200_000], "a large message")


@both
def test_a_client_certificate_is_a_user(rig: Rig, start: Start, tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    tls = ServerTLS(authority.server("127.0.0.1"), client_ca=authority.certificate)
    server = start(rig, users={"dev1": ""}, tls=tls)
    for issued in (authority.client("dev1"), None, stranger.client("dev2")):
        files = {"certificate": issued.certificate, "key": issued.key} if issued else {}
        broker = Broker.from_url(server.url, ca=authority.certificate, **files)
        if issued and issued.key.stem == "dev1":
            check(broker)
            continue
        with pytest.raises(BrokerError, match=r"Check our certificate|Check the port, and who"):
            check(broker)


@both
def test_a_broker_whose_certificate_is_not_trusted_is_not_talked_to(
    rig: Rig, start: Start, tmp_path: Path
) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    server = start(rig, tls=ServerTLS(authority.server("localhost")))
    for ca, host, complaint in (
        (other.certificate, "localhost", "not trusted"),
        (authority.certificate, "127.0.0.1", "not trusted.*IP address mismatch"),
        (None, "localhost", "not trusted"),
    ):
        with pytest.raises(BrokerError, match=complaint):
            check(Broker.from_url(f"mqtts://{host}:{server.port}", ca=ca))
    check(Broker.from_url(f"mqtts://localhost:{server.port}", ca=authority.certificate))


@both
def test_tls_against_no_tls_is_told_apart(rig: Rig, start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    clear, secret = start(rig), start(rig, tls=ServerTLS(authority.server("127.0.0.1")))
    with pytest.raises(BrokerError, match=r"no TLS is spoken there|closed the connection at once"):
        check(Broker.from_url(f"mqtts://127.0.0.1:{clear.port}", ca=authority.certificate), 3)
    with pytest.raises(BrokerError, match="mqtts://"):
        check(plain(secret), 3)


def test_nobody_there_unknown_host_and_silence_are_told_apart() -> None:
    with pytest.raises(BrokerError, match="nothing listens there"):
        check(Broker("127.0.0.1", closed_port()))
    with pytest.raises(BrokerError, match=r"host name 'no-such-host.invalid' is not known"):
        check(Broker("no-such-host.invalid", 1883))
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(BrokerError, match=r"no MQTT answer within 0.3 s"),
    ):
        check(Broker("127.0.0.1", mute.getsockname()[1]), 0.3)


def test_a_refused_subscription_is_no_connection(start: Start) -> None:
    accounts = {
        "users": [{"user": "me", "password": "pw", "permissions": {"subscribe": {"deny": "no.>"}}}]
    }
    server = start(NatsServer, authorization=accounts)
    file = server.folder / "password"
    file.write_text("pw")
    broker = Broker("127.0.0.1", server.port, username="me", password_file=file)
    with peer(broker, subscriptions={"yes": 1, "no/thing": 1}) as one:
        reason = one.await_reason("subscribe")
        assert "does not let user 'me' subscribe to no/thing" in reason
        assert one.ups == 0


def test_a_half_open_connection_is_noticed(start: Start) -> None:
    """A broker that is stopped still has its sockets: only the keep-alive tells."""
    server = start(Mosquitto)
    with peer(plain(server), keepalive_s=1) as one:
        one.await_up()
        server.freeze()
        wait_for(lambda: one.reasons, "the loss")
        server.thaw()
        wait_for(lambda: one.ups == 2, "the second connection")


def test_what_waits_for_a_silent_broker_is_bounded(start: Start) -> None:
    server = start(Mosquitto)
    with peer(plain(server)) as one:
        one.await_up()
        server.freeze()
        taken = 0
        while taken < 1_000 and one.link.publish("x", b"x" * 200_000) is not None:
            taken += 1
        assert 100 < taken < 200
        server.thaw()
        wait_for(lambda: len(one.published) == taken, "all of them")
        assert one.link.publish("x", b"again") is not None


def test_files_are_checked_when_the_link_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Link(Broker.from_url("mqtts://broker", ca=tmp_path / "none"), client_id="x")


def test_close_ends_attempts_and_may_be_called_again() -> None:
    one = Peer(Broker("127.0.0.1", closed_port()), retry_s=(30, 30))
    one.link.start()
    one.await_reason("nothing listens")
    began = time.monotonic()
    one.link.close()
    one.link.close()
    assert time.monotonic() - began < 5
    assert one.link.publish("x", b"") is None


def test_pauses_double_up_to_the_cap_and_half_of_them_is_chance() -> None:
    retry_s = (0.5, 30.0)
    assert [pause_s(n, retry_s, 1.0) for n in (0, 1, 2, 6, 10_000)] == [0.5, 1, 2, 30, 30]
    assert pause_s(2, retry_s, 0.0) == 1.0
