"""The agent and its fleet's broker: what goes up, and what waits while nobody is there."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge_runtime.mqtt import Broker, Link
from edge_runtime.telemetry.messages import Ack, Batch, Event, Prediction, Reported, Row, Status, Topics
from tests.support.agent import agent, device
from tests.support.brokers import Mosquitto, NatsServer
from tests.support.sensor import SensorRig
from tests.support.thermal import Thermal
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end
TOPICS = Topics("watch-01")


class Listener:
    """Hears all that a device says. If it `answers`, it acknowledges rows, as a collector would."""

    def __init__(self, url: str) -> None:
        self.answers = True
        self.rows: dict[tuple[str, int], Row] = {}
        self.status: list[Status] = []
        self.reported: list[Reported] = []
        self._lock = threading.Lock()
        self._link = Link(
            Broker.from_url(url),
            client_id="listener",
            subscriptions={"edge/v1/watch-01/up/#": 1},
            on_message=self._on_message,
            retry_s=(0.1, 0.2),
        )

    def __enter__(self) -> "Listener":
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()

    def _on_message(self, topic: str, payload: bytes, _retained: bool) -> None:
        if topic == TOPICS.status:
            self.status.append(msgspec.json.decode(payload, type=Status))
        elif topic == TOPICS.reported:
            self.reported.append(msgspec.json.decode(payload, type=Reported))
        else:
            batch = msgspec.json.decode(payload, type=Batch)
            with self._lock:
                self.rows.update({(batch.stream, row.seq): row for row in batch.rows})
                seqs = {seq for stream, seq in self.rows if stream == batch.stream}
            if not self.answers:
                return
            committed = next(seq for seq in range(1, len(seqs) + 2) if seq not in seqs) - 1
            ack = msgspec.json.encode(Ack(stream=batch.stream, seq=committed))
            self._link.publish(TOPICS.ack, ack, retain=True)

    def starts(self) -> list[int]:
        with self._lock:
            rows = list(self.rows.values())
        return sorted(row.first for row in rows if isinstance(row, Prediction))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[NatsServer]:
    """The fleet's broker."""
    with NatsServer(tmp_path / "fleet") as fleet:
        yield fleet


@pytest.fixture
def listener(fleet: NatsServer) -> Iterator[Listener]:
    with Listener(fleet.url) as listener:
        yield listener


def test_what_was_predicted_while_the_fleet_was_dead_arrives_afterwards(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    with (
        agent(tmp_path, broker.url, fleet={"url": fleet.url}) as rig,
        SensorRig(broker.url) as sensor,
    ):
        sensor.send(50)
        wait_for(lambda: len(listener.starts()) == 24, "the first predictions")
        fleet.kill()
        sensor.send(50)
        wait_for(lambda: rig.outbox_counts().last_seq >= 2 + 49, "predictions without the fleet")
        rig.kill()
        rig.start()
        fleet.start()
        wait_for(lambda: len(listener.starts()) >= 49, "what had waited")
        assert listener.starts() == list(range(0, 97, 2))
        wait_for(lambda: rig.rows() == [], "the outbox to be emptied")
        assert "nothing listens there" in rig.said


def test_the_fleet_is_told_what_runs_and_that_the_device_lives_and_leaves(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    with agent(tmp_path, broker.url, fleet={"url": fleet.url}) as rig:
        wait_for(lambda: rig.ready["fleet"], "the fleet's broker")
        wait_for(lambda: [one.online for one in listener.status] == [True], "the birth")
        wait_for(lambda: listener.reported and listener.reported[-1].models[0].active, "the state")
        first = listener.reported[-1].models[0]
        assert (first.version, first.variant, first.note) == ("1.0.0", "fp32", "")
        assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 0
        wait_for(lambda: listener.reported[-1].models[0].version == "1.1.0", "the new version")
        done = rig.install(rig.bundle("1.2.0", behaviour="not_onnx"))
        assert done.returncode == 8
        wait_for(lambda: "expected an ONNX file" in listener.reported[-1].models[0].error, "the error")
        (model,) = listener.reported[-1].models
        (bad,) = [slot for slot in model.slots if slot.digest == model.rejected]
        assert "expected an ONNX file" in bad.reason
        assert listener.reported[-1].root is not None
        assert model.version == "1.1.0"
        assert {slot.version: slot.state for slot in model.slots} == {
            "1.0.0": "good",
            "1.1.0": "good",
            "1.2.0": "bad",
        }
        rig.stop()
        wait_for(lambda: not listener.status[-1].online, "the goodbye")


def test_the_fleet_is_told_what_was_measured_and_which_variant_answers(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    with device(tmp_path, broker.url, fleet={"url": fleet.url}) as rig:
        rig.bundle(variants={"wrong": "wrong", "slow": "slow", "fast": "good"})
        rig.start()
        wait_for(lambda: listener.reported and listener.reported[-1].models[0].measured, "the table")
        told = listener.reported[-1].models[0]
        assert (told.version, told.variant, told.provider) == ("1.0.0", "fast", "cpu")
        wrong, slow, fast = told.measured
        assert [one.variant for one in told.measured] == ["wrong", "slow", "fast"]
        assert "golden inputs" in wrong.why_not
        assert (slow.p50_us or 0) > (fast.p50_us or 0) > 0


def test_the_fleet_is_told_that_a_model_is_eased_while_the_board_is_too_hot(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.tell("cpu-thermal", 85_000)
    with device(tmp_path, broker.url, fleet={"url": fleet.url}) as rig:
        asked = f"temperature = {{ sensor = '{thermal.folder}', step_s = 0.2 }}"
        rig.config.write_text(rig.config.read_text().replace("[device]\n", f"[device]\n{asked}\n"))
        rig.start()
        wait_for(lambda: listener.reported and listener.reported[-1].models[0].every == 8, "the easing")
        thermal.tell("cpu-thermal", 45_000)
        wait_for(lambda: listener.reported[-1].models[0].every == 1, "its end")


def test_a_device_that_starts_on_a_full_disk_predicts_and_says_what_ails_it(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    """A limit on file sizes is the full disk: what would make a file longer is refused by the kernel."""
    with (
        agent(tmp_path, broker.url, fleet={"url": fleet.url}) as rig,
        SensorRig(broker.url) as sensor,
    ):
        sensor.send(50)
        wait_for(lambda: len(listener.starts()) == 24, "the first predictions")
        rig.stop()
        rig.start(["prlimit", "--fsize=2000"])
        sensor.send(50)
        wait_for(lambda: len(listener.starts()) >= 49, "predictions on a full disk")
        assert listener.starts() == list(range(0, 97, 2))
        events = [row for row in listener.rows.values() if isinstance(row, Event)]
        (told,) = [row for row in events if row.event == "rows in memory only"]
        assert "the disk does not take the write" in told.detail
        assert rig.ready["running"] == {"tiny": "1.0.0"}
        assert "Traceback" not in rig.said


def test_a_device_whose_disk_takes_no_more_goes_on_from_memory_and_is_heard(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    with device(tmp_path, broker.url, fleet={"url": fleet.url}) as rig, SensorRig(broker.url) as sensor:
        rig.bundle()
        rig.start(["prlimit", "--fsize=600000"])  # the ring is above it from the start
        wait_for(lambda: "journal in memory only" in rig.said, "word of the journal")
        sensor.send(3000)
        wait_for(lambda: len(listener.starts()) >= 1499, "all predictions")
        assert listener.starts() == list(range(0, 2997, 2))
        streams = {stream for stream, _ in listener.rows}
        assert len(streams) == 2, "one of the disk, one of memory"
        assert rig.said.count("error   rows in memory only: ") == 1
        assert rig.said.count("the disk does not take the write") == 1
        assert "dropped" not in rig.said


def test_a_trial_that_needs_the_fleet_waits_for_its_answer_over_restarts(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    with (
        agent(tmp_path, broker.url, fleet={"url": fleet.url}, trial={"fleet": True}) as rig,
        SensorRig(broker.url) as sensor,
    ):
        wait_for(lambda: rig.model().active, "the first version to be confirmed")
        first = rig.model().active
        fleet.kill()
        done = rig.install(rig.bundle("1.1.0", seed=1), "--wait", "0")
        assert done.returncode == 7
        wait_for(lambda: rig.events("trial waits"), "word of what it waits for")
        (waits,) = rig.events("trial waits")
        assert (waits.version, waits.detail) == ("1.1.0", "contact with the fleet")

        def attempts() -> int:
            now = rig.model()
            assert now.active == first
            return now.slots[now.pending or ""].attempts

        assert attempts() == 2
        assert rig.stop() == 0
        assert attempts() == 3
        rig.start()
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the trial to go on")
        rig.kill()
        assert attempts() == 2

        listener.answers = False  # a broker without a collector
        fleet.start()
        before = len(rig.events("trial waits"))
        rig.start()
        wait_for(lambda: len(rig.events("trial waits")) > before, "word that a connection is not enough")
        assert rig.ready["fleet"]
        assert attempts() == 1
        told = listener.reported[-1].models[0]
        assert (told.version, told.confirmed, told.pending) == ("1.1.0", first, told.active)
        (slot,) = [slot for slot in told.slots if slot.digest == told.pending]
        assert (slot.state, slot.attempts, slot.allowed, slot.proved) == ("trial", 1, 3, True)

        listener.answers = True
        sensor.send(10)
        wait_for(lambda: rig.model().active == told.pending, "the confirm")
        wait_for(lambda: listener.reported[-1].models[0].confirmed == told.pending, "the fleet to hear")
        assert listener.reported[-1].root is not None


def test_with_a_broker_that_acknowledges_no_collector_is_needed(
    tmp_path: Path, broker: Mosquitto
) -> None:
    settings = {"url": broker.url, "acknowledge": "broker"}
    with agent(tmp_path, broker.url, fleet=settings) as rig, SensorRig(broker.url) as sensor:
        sensor.send(50)
        wait_for(lambda: rig.outbox_counts().last_seq >= 24 and rig.rows() == [], "an empty outbox")


def test_what_went_wrong_with_a_version_is_the_fleets_business_until_somebody_gives_it_up(
    tmp_path: Path, broker: Mosquitto, fleet: NatsServer, listener: Listener
) -> None:
    listener.answers = False  # so that the rows stay on the device
    trial = {"predictions": 1000, "attempts": 3}
    with (
        agent(tmp_path, broker.url, fleet={"url": fleet.url}, trial=trial) as rig,
        SensorRig(broker.url) as sensor,
    ):
        wait_for(lambda: rig.events("on trial"), "the first version")
        assert rig.command("confirm", "--store", rig.data / "store").returncode == 0
        rig.install(rig.bundle("1.1.0", behaviour="fails_on_large"), "--wait", "0")
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the second to serve")
        sensor.publish([{"segment": "s", "seq": seq, "values": [1000.0, 0.0]} for seq in range(4)])
        wait_for(lambda: len(rig.events("on trial")) == 3, "its second attempt")
        (told,) = rig.events("trial failed")
        wait_for(lambda: listener.reported[-1].models[0].error == told.detail, "the error")

        assert rig.command("rollback", "--store", rig.data / "store").returncode == 0
        wait_for(lambda: listener.reported[-1].models[0].error == "", "no error")
