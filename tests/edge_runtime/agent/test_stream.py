"""A running agent and its sensor: every sample taken in is in its windows, each window predicted once.

Windows of the tiny model are 4 samples long, a new one begins every 2.
"""

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.support.agent import AgentRig, agent
from tests.support.brokers import Mosquitto, NatsServer
from tests.support.refusing import refusing_windows
from tests.support.sensor import SensorRig, sample
from tests.support.tiny_bundle import KEY, tiny_bundle
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


def all_starts(samples: int) -> list[int]:
    """Where the windows of an unbroken stream begin."""
    return list(range(0, samples - 3, 2))


def wait_for_starts(rig: AgentRig, expected: list[int]) -> None:
    wait_for(lambda: len(rig.starts()) >= len(expected) or not rig.alive, "the predictions")
    assert rig.starts() == expected


def test_predictions_are_made_and_kept_while_no_fleet_answers(tmp_path: Path, broker: Mosquitto) -> None:
    fleet = {"url": "mqtt://127.0.0.1:1"}
    with agent(tmp_path, broker.url, fleet=fleet) as rig, SensorRig(broker.url) as sensor:
        sensor.send(100)
        wait_for_starts(rig, all_starts(100))
        found = rig.predictions()
        for row in found:
            level = sample(row.first)[0] + sample(row.last)[0]
            if level:  # else the window straddles a change
                assert row.label == ("moving" if level > 0 else "still")
        assert {(row.model, row.version, row.segment) for row in found} == {("tiny", "1.0.0", "run")}
        assert all(row.last == row.first + 3 and row.latency_us > 0 for row in found)
        assert rig.said.count("fleet's broker") == 1


def test_a_killed_agent_goes_on_at_the_very_window(tmp_path: Path, broker: Mosquitto) -> None:
    _kill_in_mid_stream(tmp_path, broker)


def test_a_killed_agent_goes_on_though_nats_sends_again_late_and_out_of_order(tmp_path: Path) -> None:
    mqtt = {"listen": "127.0.0.1:-1", "ack_wait": "1s"}
    with NatsServer(tmp_path / "broker", mqtt=mqtt) as broker:
        _kill_in_mid_stream(tmp_path, broker)


def _kill_in_mid_stream(folder: Path, broker: Mosquitto | NatsServer) -> None:
    with agent(folder, broker.url, wait_s=0.3, redelivery_s=4) as rig, SensorRig(broker.url) as sensor:
        for _ in range(2):
            sending = threading.Thread(target=sensor.send, args=(600,))
            before = len(rig.starts())
            sending.start()
            wait_for(lambda then=before: len(rig.starts()) > then + 20, "some predictions")
            rig.kill()
            sending.join()
            rig.start()
        wait_for_starts(rig, all_starts(1200))
        assert rig.events("samples missing") == []


def test_a_killed_worker_is_started_again_and_nothing_is_lost(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        killed: list[int] = []
        for _ in range(2):
            sending = threading.Thread(target=sensor.send, args=(600,))
            before = len(rig.starts())
            sending.start()
            wait_for(lambda then=before: len(rig.starts()) > then + 5, "some predictions")
            pid = wait_for(lambda: rig.ready["workers"].get("tiny"), "a worker")
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            wait_for(
                lambda old=pid: rig.ready["workers"].get("tiny") not in (None, old), "another worker"
            )
            sending.join()
        wait_for_starts(rig, all_starts(1200))
        assert len(set(killed)) == 2
        assert len(rig.events("worker died")) == 2


def test_a_worker_that_does_not_answer_is_replaced(tmp_path: Path, broker: Mosquitto) -> None:
    model = {"run_timeout_s": 0.5}
    with agent(tmp_path, broker.url, model=model) as rig, SensorRig(broker.url) as sensor:
        sensor.send(50)
        wait_for_starts(rig, all_starts(50))
        os.kill(rig.ready["workers"]["tiny"], signal.SIGSTOP)
        sensor.send(50)
        wait_for_starts(rig, all_starts(100))
        assert "took more than 0.5 s" in rig.events("worker died")[0].detail


@pytest.mark.parametrize("behaviour", ["fails_on_large", "hangs_on_large", "nan_on_large"])
def test_a_window_that_no_worker_answers_is_left_out(
    tmp_path: Path, broker: Mosquitto, behaviour: str
) -> None:
    rig = AgentRig(tmp_path, broker.url, model={"run_timeout_s": 0.3}, interval_s=0.2)
    rig.bundle(behaviour=behaviour)
    rig.start()
    try:
        with SensorRig(broker.url) as sensor:
            messages = [{"segment": "s", "seq": seq, "values": sample(seq)} for seq in range(100)]
            messages[50]["values"] = [1000.0, 0.0]
            sensor.publish(messages)
            wait_for_starts(rig, [start for start in all_starts(100) if start not in (48, 50)])
            wait_for(lambda: rig.metrics()[-1].values["windows_failed"] == 2, "the count")
            assert rig.events("windows failed")[0].detail
    finally:
        rig.close()


def test_a_worker_that_can_run_nothing_any_more_is_started_anew(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """On a device it may be a process that has come to its limit of memory; here it is its windows."""
    rig = AgentRig(tmp_path, broker.url)
    rig.bundle(behaviour="fails_on_large")
    rig.start()
    try:
        worker = rig.ready["workers"]["tiny"]
        with SensorRig(broker.url) as sensor:
            messages = [{"segment": "s", "seq": seq, "values": sample(seq)} for seq in range(100)]
            for seq in range(50, 56):
                messages[seq]["values"] = [1000.0, 0.0]
            sensor.publish(messages)
            bad = (48, 50, 52, 54)
            wait_for_starts(rig, [start for start in all_starts(100) if start not in bad])
        (told,) = rig.events("worker died")
        assert "3 windows in a row could not be run; the last: " in told.detail
        wait_for(lambda: rig.ready["workers"].get("tiny") not in (None, worker), "another worker")
    finally:
        rig.close()


def test_a_sensor_that_falls_silent_is_told_and_so_is_its_return(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url, silence_s=0.5) as rig, SensorRig(broker.url) as sensor:
        sensor.send(10)
        wait_for(lambda: rig.events("sensor silent"), "the event")
        sensor.send(10)
        wait_for(lambda: rig.events("sensor heard again"), "the other event")


def test_a_window_that_the_model_refuses_is_left_out_counted_and_told(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rig = AgentRig(tmp_path, broker.url, interval_s=0.2)
    refusing_windows(tmp_path / "tiny-1.0.0.edge", key=KEY)
    rig.start()
    try:
        worker = rig.ready["workers"]["tiny"]
        with SensorRig(broker.url) as sensor:
            messages = [{"segment": "s", "seq": seq, "values": sample(seq)} for seq in range(100)]
            messages[50]["values"] = [101.0, 0.0]
            sensor.publish(messages)
            wait_for_starts(rig, [start for start in all_starts(100) if start not in (48, 50)])
            wait_for(lambda: rig.metrics()[-1].values["windows_failed"] == 2, "the count")
            wait_for(lambda: rig.events("windows failed"), "the event")
        assert "x windows[0]: a value above 100. The model was" in rig.events("windows failed")[0].detail
        assert rig.events("worker died") == []
        assert rig.ready["workers"]["tiny"] == worker
    finally:
        rig.close()


def test_bad_samples_are_dropped_counted_and_told(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url, interval_s=0.2) as rig, SensorRig(broker.url) as sensor:
        sensor.send(10)
        for bad in (
            {"segment": "run", "seq": 10, "values": ["1", 2]},
            {"segment": "run", "seq": 11, "values": [1, 2, 3]},
            b'{"segment": "run", "seq": 12, "values": [NaN, 1]}',
            b"\x00\xff not JSON at all",
        ):
            sensor.publish(bad)
        sensor.sent = 13
        sensor.send(10)
        wait_for_starts(rig, [0, 2, 4, 6, 13, 15, 17, 19])
        wait_for(lambda: rig.metrics()[-1].values["samples_rejected"] == 4, "the count in the metrics")
        told = rig.events("samples rejected")
        assert "value is not a number" in told[0].detail
        assert rig.metrics()[-1].values["samples_taken"] == 20
        assert rig.alive


def test_missing_samples_split_the_stream_and_are_told(tmp_path: Path, broker: Mosquitto) -> None:
    with (
        agent(tmp_path, broker.url, wait_s=0.1, redelivery_s=0) as rig,
        SensorRig(broker.url) as sensor,
    ):
        sensor.send(9)
        sensor.sent = 15
        sensor.send(8)
        wait_for_starts(rig, [0, 2, 4, 15, 17, 19])
        wait_for(lambda: [row.count for row in rig.events("samples missing")] == [6], "the event")


def test_a_sensor_that_starts_again_begins_a_segment(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig:
        for segment in ("first", "second"):
            with SensorRig(broker.url, segment=segment) as sensor:
                sensor.send(7)
        wait_for_starts(rig, [0, 2, 0, 2])
        assert [row.segment for row in rig.predictions()] == ["first"] * 2 + ["second"] * 2


def test_a_sensor_broker_may_come_late_and_go(tmp_path: Path, broker: Mosquitto) -> None:
    broker.kill()
    rig = AgentRig(tmp_path, broker.url)
    rig.start_without_waiting()
    try:
        wait_for(lambda: "nothing listens there" in rig.said, "the complaint")
        broker.start()
        wait_for(lambda: rig.is_ready and rig.ready["hears"]["tiny"], "the sensor's broker")
        with SensorRig(broker.url) as sensor:
            sensor.send(20)
            wait_for_starts(rig, all_starts(20))
        broker.kill()
        wait_for(lambda: not rig.ready["hears"]["tiny"], "the loss of the broker to be noticed")
        assert rig.alive
    finally:
        rig.close()


def test_another_stride_may_be_configured(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url, stride=4) as rig, SensorRig(broker.url) as sensor:
        sensor.send(20)
        wait_for_starts(rig, [0, 4, 8, 12, 16])


def test_a_bundle_made_for_another_model_is_not_installed(tmp_path: Path, broker: Mosquitto) -> None:
    rig = AgentRig(tmp_path, broker.url)
    (tmp_path / "tiny-1.0.0.edge").write_bytes(tiny_bundle(name="other"))
    rig.start()
    try:
        assert "expected the model 'tiny', found 'other'" in rig.events("install failed")[0].detail
        assert rig.ready["workers"] == {}
    finally:
        rig.close()
