"""The outbox reaches the collector over real brokers: everything, once, whoever dies on the way."""

import math
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge_runtime.errors import InputError
from edge_runtime.mqtt import MAX_PAYLOAD_BYTES, Broker
from edge_runtime.telemetry import outbox_file, publisher
from edge_runtime.telemetry.messages import (
    Ack,
    Batch,
    CandidateReport,
    ModelReport,
    RootReport,
    SlotReport,
    Topics,
)
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.publisher import Publisher
from tests.edge_runtime.telemetry.collector import Collector, Store
from tests.edge_runtime.telemetry.rows import event, prediction, predictions
from tests.support.brokers import BrokerRig, Mosquitto, NatsServer, ServerTLS
from tests.support.outbox_rows import chunks_of
from tests.support.pki import Authority
from tests.support.waiting import wait_for

Rig = type[BrokerRig]
both = pytest.mark.parametrize("rig", [NatsServer, Mosquitto])
TOPICS = Topics("dev1")
MODEL = ModelReport(
    name="motion",
    active="d" * 64,
    version="1.0.0",
    slots=(SlotReport(version="1.0.0", release=1, digest="d" * 64, state="good"),),
)


class Scene:
    """Broker, outbox, publisher and collector of one test; all are closed with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self.store = Store()
        self.downs: list[str] = []

    def broker(self, rig: Rig, **options: Any) -> BrokerRig:
        self.rig: BrokerRig = self._stack.enter_context(rig(self.folder / "broker", **options))
        self.address = Broker("127.0.0.1", self.rig.port)
        return self.rig

    def outbox(self, **options: Any) -> Outbox:
        self.rows = self._stack.enter_context(Outbox(self.folder / "outbox.db", **options))
        return self.rows

    def publisher(self, broker: Broker | None = None, **options: Any) -> Publisher:
        options = {"retry_s": (0.02, 0.1), "ack_timeout_s": 0.5, "tidy_s": 0.05} | options
        made = Publisher(self.rows, broker or self.address, TOPICS, on_down=self.downs.append, **options)
        return self._stack.enter_context(made)

    def collector(self, broker: Broker | None = None, **options: Any) -> Collector:
        made = Collector(broker or self.address, self.store, **options)
        self._stack.callback(made.close)
        wait_for(lambda: made.link.connected, "the collector")
        return made

    def await_empty(self, outbox: Outbox) -> None:
        wait_for(lambda: outbox.counts().rows == 0, f"an empty outbox, not {outbox.counts()}")

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


@both
def test_rows_arrive_once_and_leave_the_outbox_when_they_are_committed(rig: Rig, scene: Scene) -> None:
    scene.broker(rig)
    outbox = scene.outbox()
    outbox.append(predictions(1_000))
    scene.collector()
    scene.publisher()
    for number in range(100):
        outbox.append([prediction(number, "other"), event()])
    scene.await_empty(outbox)
    assert scene.store.rows == {outbox.stream: set(range(1, 1_201))}
    assert scene.store.duplicates == 0


@both
def test_a_puback_is_not_enough(rig: Rig, scene: Scene) -> None:
    """The broker takes everything, but nobody has stored it: it stays, and is sent to one who comes."""
    scene.broker(rig)
    outbox = scene.outbox()
    outbox.append(predictions(100))
    publisher = scene.publisher(ack_timeout_s=0.05)
    wait_for(lambda: publisher.counters()["send_timeouts"] > 2, "time-outs")
    assert outbox.counts().rows == 100
    assert publisher.contact_s == -math.inf
    counts = publisher.counters()
    assert counts["batches_sent"] <= counts["send_timeouts"] + 1, "one at a time while nobody listens"
    scene.collector()
    scene.await_empty(outbox)
    assert scene.store.rows == {outbox.stream: set(range(1, 101))}


@both
def test_with_acknowledge_broker_a_puback_is_enough(rig: Rig, scene: Scene) -> None:
    scene.broker(rig)
    outbox = scene.outbox()
    outbox.append(predictions(3_000) + [event()] * 10)
    publisher = scene.publisher(acknowledge="broker")
    outbox.append([event()])
    scene.await_empty(outbox)
    assert publisher.contact_s > -math.inf


@both
def test_every_row_arrives_though_broker_and_collector_are_killed_half_way(
    rig: Rig, scene: Scene
) -> None:
    broker = scene.broker(rig)
    outbox = scene.outbox()
    collector = scene.collector()
    scene.publisher()

    def append() -> int:
        return [outbox.append(predictions(10)) for _ in range(50)][-1]

    def await_stored(count: int) -> None:
        wait_for(lambda: len(scene.store.rows[outbox.stream]) > count, f"more than {count} rows")

    append()
    await_stored(0)
    broker.kill()
    append()
    broker.start()
    append()
    await_stored(500)
    collector.close()  # what it stored lives on, what was on its way is lost
    append()
    scene.collector()
    sent = append()
    scene.await_empty(outbox)
    assert scene.store.rows == {outbox.stream: set(range(1, sent + 1))}


@both
def test_a_network_that_loses_repeats_and_reorders_changes_nothing(rig: Rig, scene: Scene) -> None:
    chance = random.Random(7)
    delayed: list[Batch] = []

    def alter(batch: Batch) -> list[Batch]:
        delayed.append(batch)
        if chance.random() < 0.3:
            return []
        chance.shuffle(delayed)
        arriving = delayed[: chance.randint(1, 3)] * chance.randint(1, 2)
        del delayed[: chance.randint(0, 3)]
        return arriving

    scene.broker(rig)
    outbox = scene.outbox()
    scene.collector(alter=alter)
    scene.publisher(ack_timeout_s=0.05)
    for _ in range(30):
        sent = outbox.append([*predictions(50), event()])
    scene.await_empty(outbox)
    assert scene.store.rows == {outbox.stream: set(range(1, sent + 1))}
    assert scene.store.duplicates > 0


@both
def test_acknowledgements_that_are_not_for_us_are_ignored(rig: Rig, scene: Scene) -> None:
    scene.broker(rig)
    outbox = scene.outbox()
    outbox.append(predictions(10))
    collector = scene.collector(alter=lambda _: [])
    publisher = scene.publisher(ack_timeout_s=60)
    wait_for(lambda: publisher.counters()["batches_sent"], "the rows to be sent")
    ignored = publisher.counters()["acks_ignored"]
    collector.acknowledge("dev1", "another", 5)
    collector.acknowledge("dev1", outbox.stream, 11)
    collector.acknowledge("dev1", outbox.stream, 1 << 80)
    collector.link.publish(TOPICS.ack, b"{", retain=True)
    collector.link.publish(TOPICS.ack, b"", retain=True)
    wait_for(lambda: publisher.counters()["acks_ignored"] == ignored + 5, "all of them ignored")
    assert outbox.counts().rows == 10
    collector.acknowledge("dev1", outbox.stream, 10)
    scene.await_empty(outbox)


@both
def test_after_a_restart_only_what_the_collector_lacks_is_sent(rig: Rig, scene: Scene) -> None:
    """The retained acknowledgement is heard before the first row leaves."""
    scene.broker(rig)
    outbox = scene.outbox()
    collector = scene.collector()
    outbox.append(predictions(500))
    for _, payload in [batch for chunk in chunks_of(outbox) for batch in chunk.batches]:
        scene.store.take(msgspec.json.decode(payload, type=Batch))
    collector.acknowledge("dev1", outbox.stream, 500)
    outbox.append([event()])
    scene.publisher()
    scene.await_empty(outbox)
    assert scene.store.duplicates == 0


@both
def test_contact_is_an_answer_to_what_was_sent_and_not_what_the_broker_kept(
    rig: Rig, scene: Scene
) -> None:
    scene.broker(rig)
    outbox = scene.outbox()
    outbox.append(predictions(10))
    collector = scene.collector(alter=lambda _: [])  # it hears, and answers births only
    publisher = scene.publisher(ack_timeout_s=60)
    wait_for(lambda: publisher.counters()["batches_sent"] == 1, "the rows to be sent")
    kept = msgspec.json.encode(Ack(stream=outbox.stream, seq=10))
    publisher._note(publisher._take_message, kept, True)  # as if it came late after a connect
    scene.await_empty(outbox)
    assert publisher.contact_s == -math.inf

    began_s = time.monotonic()
    outbox.append([event()])
    wait_for(lambda: publisher.counters()["batches_sent"] == 2, "the next row to be sent")
    assert publisher.contact_s < began_s
    collector.acknowledge("dev1", outbox.stream, 11)
    wait_for(lambda: publisher.contact_s >= began_s, "the contact")


@both
def test_rows_of_an_older_stream_go_first_and_under_its_name(rig: Rig, scene: Scene) -> None:
    scene.broker(rig)
    before = scene.outbox(boot_id="before")
    before.append(predictions(5))
    before.close()
    old = before.stream
    outbox = scene.outbox(boot_id="after")
    outbox.append([event()])
    scene.collector()
    scene.publisher()
    scene.await_empty(outbox)
    assert scene.store.rows == {old: {1, 2, 3, 4, 5}, outbox.stream: {1}}
    assert scene.store.arrivals == [old, outbox.stream]


@both
def test_rows_that_the_fleet_has_and_a_power_cut_took_hold_up_none(rig: Rig, scene: Scene) -> None:
    """The fleet acknowledges the old stream up to numbers that are not in the file any more."""
    scene.broker(rig)
    before = scene.outbox(boot_id="before")
    before.append(predictions(5))
    on_the_disk = {file: file.read_bytes() for file in scene.folder.glob("outbox.db*")}
    before.append(predictions(5))
    scene.collector()
    publisher = scene.publisher()
    wait_for(lambda: len(scene.store.rows[before.stream]) == 10, "all rows at the fleet")
    publisher.close()
    before.close()
    for file, content in on_the_disk.items():
        file.write_bytes(content)

    after = scene.outbox(boot_id="after")
    assert after.counts().rows == 5
    after.append(predictions(3))
    publisher = scene.publisher()
    scene.await_empty(after)
    assert scene.store.rows == {before.stream: set(range(1, 11)), after.stream: {1, 2, 3}}
    assert publisher.counters()["acks_ignored"] == 0


@both
def test_an_outbox_that_breaks_at_work_is_announced_and_sent_from_its_start(
    rig: Rig, scene: Scene
) -> None:
    scene.broker(rig)
    outbox = scene.outbox()
    outbox.append(predictions(30_000))
    scene.collector()
    scene.publisher()
    wait_for(lambda: scene.store.rows, "the first rows")
    old = outbox.stream
    with outbox.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (outbox.path.stat().st_size - 4096))
    wait_for(lambda: outbox.stream != old, "the damage to be found")
    outbox.append([event()])
    scene.await_empty(outbox)
    assert scene.store.rows[outbox.stream] == {1, 2}
    # MQTT keeps the order within a topic: rows may overtake the status that went before them.
    wait_for(lambda: scene.store.statuses[-1].stream == outbox.stream, "the announcement")


@both
def test_birth_goodbye_and_the_state_that_was_reported(rig: Rig, scene: Scene) -> None:
    scene.broker(rig)
    outbox = scene.outbox()
    publisher = scene.publisher()
    publisher.set_reported([MODEL])
    publisher.set_reported([MODEL])
    wait_for(lambda: publisher.connected, "the connection")
    scene.collector()
    wait_for(lambda: scene.store.reports, "the reported state, retained")
    other = msgspec.structs.replace(MODEL, version="2.0.0")
    publisher.set_reported([other])
    publisher.set_reported([other])
    wait_for(lambda: len(scene.store.reports) == 2, "the change")
    root = RootReport(version=2, expires=1.9e9)
    publisher.set_reported([other], root)
    wait_for(lambda: len(scene.store.reports) == 3, "the new root")
    publisher.close()
    wait_for(lambda: not scene.store.statuses[-1].online, "the goodbye")
    (birth, goodbye) = scene.store.statuses
    assert (birth.online, birth.stream, birth.boot) == (True, outbox.stream, 1)
    assert birth.software.startswith("edge-runtime ")
    assert (goodbye.online, goodbye.stream) == (False, outbox.stream)
    assert [(report.models, report.root) for report in scene.store.reports] == [
        ((MODEL,), None),
        ((other,), None),
        ((other,), root),
    ]


def test_a_reported_state_too_large_for_a_message_is_refused_at_once(scene: Scene) -> None:
    scene.address = Broker("127.0.0.1", 1)
    scene.outbox()
    publisher = scene.publisher()
    with pytest.raises(InputError, match="too much"):
        publisher.set_reported([msgspec.structs.replace(MODEL, error="x" * MAX_PAYLOAD_BYTES)])


def test_what_was_measured_is_left_out_of_a_state_that_is_too_large_with_it(
    tmp_path: Path, scene: Scene
) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        scene.address = Broker.from_url(broker.url)
        scene.outbox()
        scene.collector()
        way = CandidateReport(variant="fp32", why_not="x" * 200)
        large = msgspec.structs.replace(MODEL, measured=(way,) * 16)
        publisher = scene.publisher()
        publisher.set_reported([large])
        wait_for(lambda: scene.store.reports, "the state")
        assert scene.store.reports[0].models == (large,)
        publisher.set_reported([large] * 100)
        wait_for(lambda: len(scene.store.reports) == 2, "the large state")
        assert scene.store.reports[1].models == (MODEL,) * 100


@both
def test_the_largest_rows_fit_the_smallest_limit(rig: Rig, scene: Scene) -> None:
    scene.broker(rig)
    outbox = scene.outbox()
    scene.collector()
    scene.publisher()
    outbox.append([event("x" * 65_000)] * 20)
    scene.await_empty(outbox)


@both
@pytest.mark.parametrize("way", ["password", "certificate"])
def test_over_tls(rig: Rig, way: str, scene: Scene, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.server("127.0.0.1")
    options: dict[str, Any] = {"ca": authority.certificate}
    if way == "certificate":
        tls, users = ServerTLS(server, authority.certificate), {"dev1": "", "collector": ""}
    else:
        tls, users = ServerTLS(server), {"dev1": "one", "collector": "two"}
    scene.broker(rig, tls=tls, users=users)

    def address(name: str) -> Broker:
        if way == "certificate":
            issued = authority.client(name)
            shown: dict[str, Any] = {"certificate": issued.certificate, "key": issued.key}
        else:
            file = tmp_path / name
            file.write_text(users[name])
            shown = {"username": name, "password_file": file}
        return Broker.from_url(scene.rig.url, **options, **shown)

    outbox = scene.outbox()
    outbox.append(predictions(300))
    scene.collector(address("collector"))
    scene.publisher(address("dev1"))
    scene.await_empty(outbox)
    assert scene.store.rows == {outbox.stream: set(range(1, 301))}


def test_an_append_does_not_wait_for_a_broker_that_is_not_there(scene: Scene) -> None:
    scene.address = Broker("127.0.0.1", 1)
    outbox = scene.outbox()
    scene.publisher()
    wait_for(lambda: scene.downs, "the reason")
    assert "nothing listens there" in scene.downs[0]
    began = time.perf_counter()
    for number in range(200):
        outbox.append([prediction(number)])
    assert (time.perf_counter() - began) / 200 < 0.005


def test_a_fault_that_stays_is_told_now_and_then(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another program writes to the outbox, and does not end."""
    monkeypatch.setattr(outbox_file, "_BUSY_TIMEOUT_S", 0.01)
    monkeypatch.setattr(publisher, "_RETRY_S", 0.01)
    monkeypatch.setattr(publisher, "_TELL_S", math.inf)
    scene.broker(Mosquitto)
    scene.collector()
    outbox = scene.outbox()
    outbox.append([event()])
    with closing(sqlite3.connect(outbox.path, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        sender = scene.publisher()
        wait_for(lambda: sender.counters()["send_faults"] > 2, "some faults")
    scene.await_empty(outbox)
    (told,) = [record.getMessage() for record in caplog.records if record.name == publisher.__name__]
    assert "database is locked" in told
