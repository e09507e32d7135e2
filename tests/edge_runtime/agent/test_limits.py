"""A model that grows, one that takes too much of the processor, and a board that is too hot: a whole
agent tells of each, and what it can still do goes on."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.agent.pace import cpu_s
from tests.support.agent import AgentRig
from tests.support.brokers import Mosquitto
from tests.support.own_engine import own_engine
from tests.support.sensor import SensorRig
from tests.support.thermal import Thermal
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end

SPINS = """
until = time.process_time() + 0.005 * len(windows)
while time.process_time() < until: pass
"""


def all_starts(samples: int) -> list[int]:
    return list(range(0, samples - 3, 2))


def message(seq: int) -> dict[str, Any]:
    return {"segment": "run", "seq": seq, "values": [2.0, 2.0]}


@contextmanager
def device(
    folder: Path, sensor_url: str, *, run: str = "", hot: Thermal | None = None, **options: Any
) -> Iterator[AgentRig]:
    """A device that runs; its model is executed by an engine of another package, that does `run`."""
    rig = AgentRig(folder, sensor_url, **options)
    if run:
        rig.environment = own_engine(folder, run=run)
        rig.bundle(engine="own")
    if hot:
        table = f"temperature = {{ sensor = '{hot.folder}', step_s = 0.2 }}"
        rig.config.write_text(rig.config.read_text().replace("[device]\n", f"[device]\n{table}\n"))
    try:
        yield rig
    finally:
        rig.close()


def test_a_model_that_grows_is_started_anew_at_its_limit_and_no_window_is_lost(
    tmp_path: Path, broker: Mosquitto
) -> None:
    leaks = "kept.append(bytearray(5_000_000 * len(windows)))"
    with (
        device(tmp_path, broker.url, run=leaks, model={"memory_mb": 150}, interval_s=0.2) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.start()
        for _ in range(6):
            sensor.send(20)
            wait_for(lambda: rig.starts() == all_starts(sensor.sent), "the predictions")

        died = rig.events("worker died")
        assert died
        assert all(
            "The memory limit of 150 MB (`memory_mb`) was reached" in each.detail for each in died
        )
        wait_for(lambda: rig.metrics()[-1].values["worker_restarts"] == len(died), "the count")


def test_a_version_that_needs_more_memory_than_it_may_have_waits_and_is_not_condemned(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url, model={"memory_mb": 150}) as rig:
        rig.start()
        needs = own_engine(tmp_path, load="kept.append(bytearray(300_000_000))")
        rig.stop()
        rig.environment = needs
        rig.start()

        done = rig.install(rig.bundle("1.1.0", engine="own"), "--wait", "3")

        assert done.returncode == 7
        (told,) = rig.events("trial failed")
        assert "The memory limit of 150 MB (`memory_mb`) was reached: raise it" in told.detail
        assert rig.model().bad == {}
        assert rig.ready["running"] == {"tiny": "1.0.0"}
        rig.stop()
        rig.config.write_text(rig.config.read_text().replace("memory_mb = 150", "memory_mb = 500"))
        rig.start()
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the version that waited")


def test_a_model_that_takes_too_much_of_the_processor_waits_and_runs_every_window(
    tmp_path: Path, broker: Mosquitto
) -> None:
    cores, samples = 0.1, 202
    with (
        device(tmp_path, broker.url, run=SPINS, model={"cpu": cores}, interval_s=0.2) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.start()
        worker = rig.ready["workers"]["tiny"]
        before_s, began_s = cpu_s(worker), time.monotonic()
        sensor.publish([message(seq) for seq in range(samples)])
        wait_for(lambda: len(rig.starts()) == len(all_starts(samples)), "the predictions", 60)
        took_s, after_s = time.monotonic() - began_s, cpu_s(worker)

        assert rig.starts() == all_starts(samples)
        (told,) = rig.events("cpu limit reached")
        assert (told.model, told.detail) == ("tiny", "the limit of 0.1 cores (`cpu`): windows wait")
        assert before_s is not None
        assert after_s is not None
        # A second's worth is there at the beginning, and the last batch of windows is not waited for.
        assert after_s - before_s - 0.005 * 32 <= cores * (took_s + 1)
        rows = [row.values for row in rig.metrics()]
        assert sum(row["workers_cpu_percent"] for row in rows) > 0
        # All of them, where a row was taken before the first run.
        assert 0 < max(row["windows_waiting"] for row in rows) <= len(all_starts(samples))
        wait_for(lambda: rig.metrics()[-1].values["windows_waiting"] == 0, "no window that waits")
        resident = 1024 * int(Path(f"/proc/{worker}/status").read_text().split("VmRSS:")[1].split()[0])
        assert abs(rows[-1]["workers_resident_bytes"] / resident - 1) < 0.1


def test_windows_that_have_waited_are_run_in_no_larger_batches_than_the_time_out_allows(
    tmp_path: Path, broker: Mosquitto
) -> None:
    slow = "time.sleep(0.06 * len(windows))"
    with (
        device(tmp_path, broker.url, run=slow, model={"run_timeout_s": 1}) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.start()
        sensor.publish([message(seq) for seq in range(102)])
        wait_for(lambda: rig.starts() == all_starts(102), "the predictions", 60)

        assert rig.events("worker died") == []


def test_windows_that_a_limit_lets_fall_out_are_told_with_it(tmp_path: Path, broker: Mosquitto) -> None:
    with (
        device(tmp_path, broker.url, run=SPINS, model={"cpu": 0.02}) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.start()
        for first in range(0, 80_000, 4_000):  # more than there is room for
            sensor.publish([message(seq) for seq in range(first, first + 4_000)])

        (told, *_) = wait_for(lambda: rig.events("windows dropped"), "the event", 60)
        assert told.detail == f"{told.count} x the limit of 0.02 cores (`cpu`)"


def test_a_board_that_is_too_hot_runs_fewer_windows_and_all_of_them_once_it_is_cool(
    tmp_path: Path, broker: Mosquitto
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.tell("cpu-thermal", 45_000)
    with (
        device(tmp_path, broker.url, hot=thermal, interval_s=0.2) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.start()
        sensor.send(20)
        wait_for(lambda: rig.starts() == all_starts(20), "the predictions")

        thermal.tell("cpu-thermal", 85_000)
        wait_for(lambda: rig.events("too hot"), "the last step")
        hot = "at 85.0 °C, the ceiling is 80 °C: 1 of {} windows is run"
        assert [each.detail for each in rig.events("eased")] == [hot.format(n) for n in (2, 4, 8)]
        assert rig.ready["every"] == {"tiny": 8}
        sensor.send(100)
        kept = [start for start in all_starts(120) if start < 17 or start // 2 % 8 == 0]
        wait_for(lambda: rig.starts() == kept, "one of eight")

        thermal.tell("cpu-thermal", 60_000)
        wait_for(lambda: len(rig.events("eased less")) == 3, "the way back")
        sensor.send(80)
        kept += [start for start in all_starts(200) if start > kept[-1] and start > 116]
        wait_for(lambda: rig.starts() == kept, "every window")
        counted = {"windows": len(kept), "windows_skipped": len(all_starts(200)) - len(kept)}
        wait_for(lambda: rig.metrics()[-1].values.items() >= counted.items(), "the counts")
        assert rig.events("windows dropped") == []


def test_every_window_is_predicted_skipped_or_failed_once_whatever_becomes_of_the_worker(
    tmp_path: Path, broker: Mosquitto
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.tell("cpu-thermal", 85_000)
    with (
        device(tmp_path, broker.url, hot=thermal, interval_s=0.2) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.bundle(behaviour="fails_on_large")
        rig.start()
        wait_for(lambda: rig.events("too hot"), "the last step")
        messages = [message(seq) for seq in range(600)]
        for seq in (50, 130, 200):  # of their windows some are run while one of eight is
            messages[seq]["values"] = [1000.0, 0.0]
        sensor.publish(messages[:300])
        os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
        thermal.tell("cpu-thermal", 60_000)
        sensor.publish(messages[300:])
        wait_for(lambda: len(rig.events("eased less")) == 3, "the way back")
        sensor.publish([message(seq) for seq in range(600, 800)])
        everything = all_starts(800)
        wait_for(lambda: rig.starts()[-1:] == everything[-1:], "the last window")

        found = rig.starts()
        assert len(found) == len(set(found))
        names = ("windows_skipped", "windows_failed", "windows_dropped")

        def left_out() -> list[float]:
            return [rig.metrics()[-1].values[name] for name in names]

        wait_for(lambda: sum(left_out()) == len(everything) - len(found), "each to be counted")
        assert left_out()[1] > 0


def test_a_lighter_variant_comes_before_fewer_windows_and_goes_again_behind_them(
    tmp_path: Path, broker: Mosquitto
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.tell("cpu-thermal", 45_000)
    with (
        device(tmp_path, broker.url, hot=thermal, model={"prefer": "author"}) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.bundle(variants={"slow": "slow", "fast": "good"})
        rig.start()
        assert rig.ready["variants"] == {"tiny": "slow"}
        wait_for(lambda: list((rig.data / "store" / "choices").rglob("*.json")), "the record")

        thermal.tell("cpu-thermal", 85_000)
        wait_for(lambda: rig.ready["variants"] == {"tiny": "fast"}, "the lighter variant")
        first, *_ = rig.events("eased")
        assert first.detail == "at 85.0 °C, the ceiling is 80 °C: goes over to fast on cpu"
        wait_for(lambda: rig.events("too hot"), "the last step")
        assert "tiny 1.0.0: runs, fast on cpu\n" in rig.said
        status = ("status", "--store", rig.data / "store")
        now = "now: fast on cpu, 1 of 8 windows\n"
        wait_for(lambda: now in rig.command(*status).stdout, "the status to say so")
        steps = [each.event for each in rig.events() if each.event in ("eased", "variant changed")]
        assert steps == ["eased", "variant changed", *["eased"] * 3]

        thermal.tell("cpu-thermal", 60_000)
        wait_for(lambda: rig.ready["variants"] == {"tiny": "slow"}, "the way back")
        assert rig.events("eased less")[-1].detail == "at 60.0 °C, below 70 °C: goes over to slow on cpu"
        sensor.send(40)
        wait_for(lambda: rig.starts() == all_starts(40), "every window")


def test_a_board_that_is_hot_from_the_start_goes_over_to_the_lighter_variant(
    tmp_path: Path, broker: Mosquitto
) -> None:
    thermal = Thermal(tmp_path / "thermal")
    thermal.tell("cpu-thermal", 85_000)
    with device(tmp_path, broker.url, hot=thermal, model={"prefer": "author"}) as rig:
        rig.bundle(variants={"slow": "slow", "fast": "good"})
        rig.start()
        wait_for(lambda: rig.ready["variants"] == {"tiny": "fast"}, "the lighter variant")
