"""Real-time mode and a pinned variant reach every worker of an agent, and what is missing is told."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.agent import AgentRig, device
from tests.support.brokers import Mosquitto
from tests.support.rights import FIFO, WITHOUT, classes, may_raise
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


@contextmanager
def configured(folder: Path, sensor_url: str, *settings: str) -> Iterator[AgentRig]:
    """A device whose model is configured with these lines, not started yet."""
    with device(folder, sensor_url) as rig:
        configure(rig, *settings)
        yield rig


def configure(rig: AgentRig, *settings: str) -> None:
    head, tail = rig.config.read_text().split('name = "tiny"\n')
    bundle = tail[tail.index("bundle =") :]
    rig.config.write_text("\n".join([head, 'name = "tiny"', *settings, bundle]))


def worker_after(rig: AgentRig, old: int) -> int:
    """The process of the next worker."""
    pid = wait_for(lambda: {*rig.ready["workers"].values()} - {old}, "another worker").pop()
    assert isinstance(pid, int)
    return pid


def assert_only_the_main_thread_is_raised(worker: int) -> None:
    found = classes(worker)
    assert found.pop(worker) == (FIFO if may_raise() else os.SCHED_OTHER)
    assert set(found.values()) == {os.SCHED_OTHER}


def test_the_thread_that_predicts_is_real_time_at_first_after_a_death_and_in_a_new_version(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with (
        configured(tmp_path, broker.url, "realtime = { priority = 10 }") as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.start()
        first = rig.ready["workers"]["tiny"]
        assert_only_the_main_thread_is_raised(first)

        os.kill(first, signal.SIGKILL)
        sensor.send(50)
        second = worker_after(rig, first)
        assert_only_the_main_thread_is_raised(second)

        assert rig.install(rig.bundle("1.1.0")).returncode == 0
        assert_only_the_main_thread_is_raised(worker_after(rig, second))

        wait_for(lambda: len(rig.starts()) >= 24, "the predictions")
        assert set(classes(rig.pid).values()) == {os.SCHED_OTHER}
        assert bool(rig.events("real-time mode missing")) != may_raise()


def test_without_the_right_it_is_told_once_and_predictions_go_on(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with (
        configured(tmp_path, broker.url, "realtime = { priority = 7 }") as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.start(WITHOUT)
        (told,) = wait_for(lambda: rig.events("real-time mode missing"), "the event")
        assert (told.model, told.version) == ("tiny", "1.0.0")
        assert told.detail.startswith("real-time priority 7: expected the right to it (CAP_SYS_NICE, or")
        worker = rig.ready["workers"]["tiny"]
        assert set(classes(worker).values()) == {os.SCHED_OTHER}

        os.kill(worker, signal.SIGKILL)
        sensor.send(50)
        worker_after(rig, worker)
        wait_for(lambda: len(rig.starts()) >= 24, "the predictions")
        assert len(rig.events("real-time mode missing")) == 1


def test_a_pinned_variant_answers_and_no_other(tmp_path: Path, broker: Mosquitto) -> None:
    """The one that the author prefers does not even give the golden outputs."""
    with configured(tmp_path, broker.url, 'variant = "fp32"') as rig:
        rig.bundle(wrong_on="pi5")
        rig.start()
        assert (rig.ready["running"], rig.ready["variants"]) == ({"tiny": "1.0.0"}, {"tiny": "fp32"})

        done = rig.install(rig.bundle("1.1.0", wrong_on="pi5"))
        assert done.returncode == 0, done.stderr

        rig.stop()
        rig.start()  # without a trial
        assert (rig.ready["running"], rig.ready["variants"]) == ({"tiny": "1.1.0"}, {"tiny": "fp32"})
        assert rig.events("loading note") == []


def test_a_pin_that_a_bundle_does_not_have_is_told_and_condemns_nothing(
    tmp_path: Path, broker: Mosquitto
) -> None:
    why = "expected a variant 'int8', found fp32. Name one of these."
    with configured(tmp_path, broker.url, 'variant = "int8"') as rig:
        rig.start()
        (told,) = rig.events("install failed")
        then = (
            "It is tried again once tiny-1.0.0.edge is another, or the configuration is changed and the "
            "agent restarted."
        )
        assert told.detail == f"tiny 1.0.0: {why} {then}"

        done = rig.install(rig.bundle(), "--trust", rig.folder / "root.json", "--wait", "1")
        assert done.returncode == 7
        (told,) = wait_for(lambda: rig.events("trial failed"), "the event")
        assert told.detail == f"tiny 1.0.0: {why}"
        now = rig.model()
        assert now.pending is not None
        assert (now.slots[now.pending].state, now.slots[now.pending].attempts, now.bad) == (
            "staged",
            0,
            {},
        )

        rig.stop()
        configure(rig)
        rig.start()
        wait_for(lambda: rig.ready["variants"] == {"tiny": "fp32"}, "the version that waited")

        rig.stop()
        configure(rig, 'variant = "int8"')
        rig.start()
        (told,) = wait_for(lambda: rig.events("model cannot start"), "the event")
        assert told.detail == f"tiny 1.0.0: {why}"
        assert (rig.model().active, rig.model().bad) == (now.pending, {})


def test_why_a_better_variant_does_not_run_is_told_once(tmp_path: Path, broker: Mosquitto) -> None:
    with configured(tmp_path, broker.url) as rig:
        text = rig.config.read_text()
        rig.config.write_text(text.replace("[device]\n", '[device]\nboard = "pi4"\n'))
        rig.bundle(wrong_on="pi5")
        rig.start()
        (told,) = wait_for(lambda: rig.events("loading note"), "the event")
        assert told.detail == "wrong does not run, fp32 does: is made for pi5 (this is pi4)"

        worker = rig.ready["workers"]["tiny"]
        os.kill(worker, signal.SIGKILL)
        with SensorRig(broker.url) as sensor:
            sensor.send(50)
            worker_after(rig, worker)
            wait_for(lambda: len(rig.starts()) >= 24, "the predictions")
        assert len(rig.events("loading note")) == 1
