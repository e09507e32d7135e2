"""Versions on trial in a running agent: confirmed by what they do, given up when they fail."""

import math
import os
import signal
from pathlib import Path

import pytest

from edge_runtime.store.slots import Slot
from tests.support.agent import AgentRig, agent, device
from tests.support.brokers import Mosquitto
from tests.support.sensor import SensorRig, sample
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end
TRIAL = {"predictions": 10, "attempts": 2}


def confirm_first(rig: AgentRig, sensor: SensorRig) -> None:
    """Let 1.0.0 make the predictions that confirm it."""
    sensor.send(30)
    wait_for(lambda: rig.model().active, "the first version to be confirmed")


def confirm_by_hand(rig: AgentRig) -> None:
    assert rig.command("confirm", "--store", rig.data / "store").returncode == 0
    wait_for(lambda: rig.events("confirmed"), "the first version to be confirmed")


def install_on_trial(rig: AgentRig, **options: object) -> None:
    done = rig.install(rig.bundle("1.1.0", **options), "--wait", "0")
    assert done.returncode == 7, done.stderr
    wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the version on trial to serve")


def pending(rig: AgentRig) -> Slot:
    now = rig.model()
    return now.slots[now.pending or ""]


def test_good_predictions_confirm_it_and_nothing_is_told_a_success_before(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url, trial=TRIAL) as rig, SensorRig(broker.url) as sensor:
        confirm_first(rig, sensor)
        old = rig.model()
        done = rig.install(rig.bundle("1.1.0", seed=1), "--wait", "5")
        assert done.returncode == 7
        lacks = "the agent has not confirmed it within 5 s, as it lacks 10 of 10 good predictions."
        assert f"tiny 1.1.0: it runs, on trial; {lacks}" in done.stderr
        status = rig.command("status", "--store", rig.data / "store").stdout
        assert "1 of 2 attempts left  it lacks 10 of 10 good predictions\n" in status
        assert (rig.model().active, rig.model().floor) == (old.active, old.floor)
        assert (pending(rig).state, pending(rig).attempts) == ("trial", 1)
        sensor.send(30)
        wait_for(lambda: rig.model().pending is None, "the confirm")
        assert rig.model().previous == old.active
        assert rig.model().floor > old.floor
        wait_for(lambda: len(rig.events("confirmed")) == 2, "the event")


def test_a_kill_spends_an_attempt_and_after_the_last_the_good_one_runs(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url, trial=TRIAL) as rig, SensorRig(broker.url) as sensor:
        confirm_first(rig, sensor)
        install_on_trial(rig)
        rig.kill()
        assert pending(rig).attempts == 1
        rig.start()
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the second attempt")
        rig.kill()
        assert pending(rig).attempts == 0
        rig.start()
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the good one")
        (bad,) = rig.model().bad.values()
        assert "2 of 2 attempts of its trial failed" in bad.reason
        (told,) = rig.events("rejected")
        assert (told.version, told.detail) == (
            "1.1.0",
            f"{bad.reason}. Version 1.0.0 goes on running.",
        )


def test_a_stop_in_order_gives_the_attempt_back(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url, trial=TRIAL) as rig, SensorRig(broker.url) as sensor:
        confirm_first(rig, sensor)
        install_on_trial(rig)
        for _ in range(3):
            assert rig.stop() == 0
            assert pending(rig).attempts == 2
            rig.start()
            wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the trial to go on")


@pytest.mark.parametrize("behaviour", ["fails_on_large", "hangs_on_large", "nan_on_large"])
def test_one_that_fails_while_it_serves_makes_way_and_no_window_is_lost(
    tmp_path: Path, broker: Mosquitto, behaviour: str
) -> None:
    model = {"run_timeout_s": 0.5}
    rig = AgentRig(tmp_path, broker.url, model=model, trial={"predictions": 0})
    with SensorRig(broker.url) as sensor:
        rig.start()
        try:
            wait_for(lambda: rig.model().active, "the first version to be confirmed")
            rig.stop()
            settings = rig.config.read_text().replace("predictions = 0", "predictions = 1000")
            rig.config.write_text(settings.replace("serve_s = 0", "serve_s = 0\nattempts = 1"))
            rig.start()
            install_on_trial(rig, behaviour=behaviour)
            messages = [{"segment": "s", "seq": seq, "values": sample(seq)} for seq in range(100)]
            messages[50]["values"] = [1000.0, 0.0]
            sensor.publish(messages[:50])
            wait_for(lambda: len(rig.starts()) == 24, "the windows before")
            sensor.publish(messages[50:52])  # one window, so it is known at once which one fails
            wait_for(lambda: rig.model().bad, "the rejection")
            sensor.publish(messages[52:])
            wait_for(lambda: len(rig.starts()) == 49, "every window")
            assert rig.starts() == list(range(0, 97, 2))
            assert rig.predictions()[-1].version == "1.0.0"
            wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the good one to be told")
            (told,) = wait_for(lambda: rig.events("rejected"), "the event")
            assert told.detail.startswith("1 of 1 attempts of its trial failed; the last: ")
            assert "tiny 1.1.0:" not in told.detail  # which the event names
            assert told.detail.endswith(". Version 1.0.0 goes on running.")
            assert [rig.events(name) for name in ("trial failed", "worker died")] == [[], []]
        finally:
            rig.close()


@pytest.mark.parametrize(
    ("before", "behaviour", "restart"),
    [(True, "nan_on_large", False), (False, "hangs_on_large", False), (False, "nan_on_large", True)],
)
def test_one_bad_reading_costs_one_attempt(
    tmp_path: Path, broker: Mosquitto, before: bool, behaviour: str, restart: bool
) -> None:
    """Where there is no version before it, nobody runs the windows with that sample."""
    trial, model = {"predictions": 30, "attempts": 2}, {"run_timeout_s": 1.0}
    with (
        device(tmp_path, broker.url, trial=trial, model=model, interval_s=0.2) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.bundle(behaviour="good" if before else behaviour)
        rig.start()
        if before:
            confirm_by_hand(rig)
            install_on_trial(rig, behaviour=behaviour)
        messages = [{"segment": "s", "seq": seq, "values": sample(seq)} for seq in range(120)]
        messages[20]["values"] = [1000.0, 0.0]
        sensor.publish(messages[:20])
        wait_for(lambda: len(rig.starts()) == 9, "the windows before")
        sensor.publish(messages[20:60])
        (told,) = wait_for(lambda: rig.events("trial failed"), "the end of the first attempt")
        assert ". 1 of 2 attempts are left" in told.detail
        if restart:
            rig.stop()
            rig.start()
        wait_for(lambda: len(rig.events("on trial")) == (3 if before else 2), "the next attempt")
        tried = {"tiny": "1.1.0" if before else "1.0.0"}
        wait_for(lambda: rig.ready["running"] == tried, "it to serve")  # a moment after that is told
        sensor.publish(messages[60:])
        wait_for(lambda: rig.model().pending is None, "the confirm")
        left_out = [] if before else [18, 20]
        expected = [start for start in range(0, 117, 2) if start not in left_out]
        wait_for(lambda: len(rig.starts()) == len(expected), "the other windows")
        assert rig.starts() == expected
        assert rig.model().bad == {}
        failed = 0 if restart else len(left_out)  # which counts from its start on
        wait_for(lambda: rig.metrics()[-1].values["windows_failed"] == failed, "the count")


def test_readings_that_are_no_number_cost_a_first_version_no_attempt(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """They reach no window: what is on trial is not asked about them."""
    trial = {"predictions": 50, "attempts": 1}
    with (
        agent(tmp_path, broker.url, trial=trial, interval_s=0.2) as rig,
        SensorRig(broker.url) as sensor,
    ):
        messages = [{"segment": "s", "seq": seq, "values": sample(seq)} for seq in range(200)]
        for message, wrong in zip(messages[20::20], [math.nan, math.inf] * 5, strict=False):
            message["values"] = [1.0, wrong]
        sensor.publish(messages)
        wait_for(lambda: rig.model().active, "the confirm")
        assert rig.events("trial failed") == rig.events("rejected") == []
        (told,) = wait_for(lambda: rig.events("samples rejected"), "the event")
        assert (told.count, told.detail) == (9, "9 x value is not finite")
        wait_for(lambda: rig.metrics()[-1].values["windows"] == len(rig.starts()), "the count")
        assert rig.metrics()[-1].values["windows_failed"] == 0


def test_a_confirm_by_hand_ends_the_trial_beside_the_agent(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url, trial=TRIAL) as rig, SensorRig(broker.url) as sensor:
        confirm_first(rig, sensor)
        install_on_trial(rig)
        for says in ("is confirmed", "was active already, and nothing is on trial"):
            done = rig.command("confirm", "--store", rig.data / "store")
            assert (done.returncode, done.stdout) == (0, f"tiny 1.1.0 {says}\n")
        wait_for(lambda: len(rig.events("confirmed")) == 2, "the event")
        assert rig.ready["running"] == {"tiny": "1.1.0"}


def test_one_that_is_confirmed_by_hand_between_two_attempts_serves(
    tmp_path: Path, broker: Mosquitto
) -> None:
    trial = {"predictions": 1000, "attempts": 3}
    with agent(tmp_path, broker.url, trial=trial) as rig, SensorRig(broker.url) as sensor:
        wait_for(lambda: rig.ready["workers"], "the first attempt")
        os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
        wait_for(lambda: rig.events("trial failed"), "its end")
        assert rig.command("confirm", "--store", rig.data / "store").returncode == 0
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the one that was vouched for")
        sensor.send(30)
        wait_for(lambda: len(rig.starts()) == 14, "its predictions")


def test_a_rollback_gives_the_trial_up_and_the_bundle_may_come_again(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url, trial=TRIAL) as rig, SensorRig(broker.url) as sensor:
        confirm_first(rig, sensor)
        install_on_trial(rig)
        assert rig.command("rollback", "--store", rig.data / "store").returncode == 0
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the good one")
        assert rig.model().bad == {}
        install_on_trial(rig)


def test_contact_with_the_fleet_may_be_asked_for(tmp_path: Path, broker: Mosquitto) -> None:
    fleet = {"url": "mqtt://127.0.0.1:1"}
    with agent(tmp_path, broker.url, fleet=fleet, trial={"fleet": True}) as rig:
        wait_for(lambda: rig.events("on trial"), "the trial")
        with SensorRig(broker.url) as sensor:
            sensor.send(30)
            wait_for(lambda: len(rig.starts()) == 14, "predictions on trial")
        assert rig.model().active is None
