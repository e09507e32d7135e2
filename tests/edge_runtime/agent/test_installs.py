"""Versions that come and go beside a running agent: the running one never stops for a bad one."""

import signal
from pathlib import Path

import pytest

from tests.support.agent import AgentRig, agent
from tests.support.brokers import Mosquitto
from tests.support.persons import persons_table
from tests.support.sensor import SensorRig
from tests.support.tiny_bundle import KEY, root_bytes, tiny_bundle
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


def wait_for_starts(rig: AgentRig, samples: int) -> None:
    expected = list(range(0, samples - 3, 2))
    wait_for(lambda: len(rig.starts()) >= len(expected) or not rig.alive, "the predictions")
    assert rig.starts() == expected


def test_a_version_is_taken_up_and_given_up_without_a_seam(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        pid = rig.ready["pid"]
        sensor.send(50)
        wait_for_starts(rig, 50)
        done = rig.install(rig.bundle("1.1.0", seed=1))
        assert done.returncode == 0, done.stderr
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the new version")
        sensor.send(50)
        wait_for_starts(rig, 100)
        back = rig.command("rollback", "--store", rig.data / "store")
        assert back.returncode == 0, back.stderr
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the old version")
        sensor.send(50)
        wait_for_starts(rig, 150)
        versions = [row.version for row in rig.predictions()]
        assert versions == ["1.0.0"] * 24 + ["1.1.0"] * 25 + ["1.0.0"] * 25
        told = [(row.event, row.version) for row in rig.events()]
        assert told == [
            ("installed", "1.0.0"),
            ("on trial", "1.0.0"),
            ("confirmed", "1.0.0"),
            ("installed", "1.1.0"),
            ("on trial", "1.1.0"),
            ("confirmed", "1.1.0"),
            ("activated", "1.0.0"),
        ]
        assert rig.ready["pid"] == pid


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("hangs", "loading took more than 3 s"),
        ("wrong_goldens", "expected the source model's outputs"),
        ("not_onnx", "expected an ONNX file"),
        ("fails", "tiny 1.1.0"),
        ("starves", "tiny 1.1.0"),
    ],
)
def test_a_bad_version_is_refused_while_the_old_one_runs_on(
    tmp_path: Path, broker: Mosquitto, behaviour: str, reason: str
) -> None:
    model, trial = {"load_timeout_s": 3.0}, {"attempts": 1}
    with agent(tmp_path, broker.url, model=model, trial=trial) as rig, SensorRig(broker.url) as sensor:
        worker = rig.ready["workers"]["tiny"]
        sensor.send(20)
        done = rig.install(rig.bundle("1.1.0", behaviour=behaviour))
        assert done.returncode == 8
        assert reason in done.stderr
        assert "Version 1.0.0 goes on running" in done.stderr
        assert "Traceback" not in done.stderr + rig.said
        sensor.send(20)
        wait_for_starts(rig, 40)
        assert rig.ready["workers"]["tiny"] == worker
        wait_for(lambda: rig.events("rejected"), "the event")
        assert reason in rig.events("rejected")[0].detail
        assert {slot.version for slot in rig.model().bad.values()} == {"1.1.0"}


def test_a_model_of_a_table_is_refused_in_a_sentence(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig:
        table = persons_table(tmp_path / "tiny-1.1.0.edge", name="tiny", version="1.1.0", key=KEY)
        done = rig.install(table)

        assert done.returncode == 8
        assert "it was rejected: the manifest takes a table and has no window, so no" in done.stderr
        assert "Version 1.0.0 goes on running" in done.stderr
        assert rig.ready["running"] == {"tiny": "1.0.0"}


def test_a_model_that_is_not_configured_is_proved_all_the_same(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        path = tmp_path / "other.edge"
        path.write_bytes(tiny_bundle(name="other"))
        assert rig.install(path).returncode == 0
        assert list(rig.ready["workers"]) == ["tiny"]


def test_an_agent_with_nothing_installed_waits_for_an_install(tmp_path: Path, broker: Mosquitto) -> None:
    rig = AgentRig(tmp_path, broker.url)
    bundle = rig.bundle()
    rig.config.write_text(rig.config.read_text().replace('bundle = "tiny-1.0.0.edge"\n', ""))
    rig.start()
    try:
        assert rig.ready["workers"] == {}
        done = rig.install(bundle, "--trust", tmp_path / "root.json")
        assert done.returncode == 0, done.stderr
        wait_for(lambda: rig.ready["hears"]["tiny"], "the sensor")
        with SensorRig(broker.url) as sensor:
            sensor.send(20)
            wait_for_starts(rig, 20)
    finally:
        rig.close()


def test_what_is_active_is_served_again_after_a_restart_whatever_the_configuration_brings(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 0
        assert rig.stop() == 0
        rig.start()
        assert rig.ready["running"] == {"tiny": "1.1.0"}


def test_damaged_files_of_the_active_version_give_way_to_the_one_before(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 0
        rig.stop()
        active = rig.model().active
        model = rig.data / "store" / "slots" / "tiny" / str(active) / "variants" / "fp32" / "model.onnx"
        model.chmod(0o644)
        model.write_bytes(model.read_bytes()[:-1] + b"\0")
        rig.start()
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the version before")


def test_a_second_agent_on_the_same_data_is_refused(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url) as rig:
        done = rig.command("run", "--config", rig.config)
        assert done.returncode == 7
        assert "another agent runs here: process" in done.stderr
        assert rig.alive


def test_an_untrusted_bundle_is_not_installed_at_start(tmp_path: Path, broker: Mosquitto) -> None:
    rig = AgentRig(tmp_path, broker.url)
    (tmp_path / "root.json").write_bytes(root_bytes())
    rig.bundle(key=None)
    rig.start()
    try:
        assert rig.events("install failed")
        assert rig.ready["workers"] == {}
    finally:
        rig.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_when_asked(tmp_path: Path, broker: Mosquitto, number: signal.Signals) -> None:
    with agent(tmp_path, broker.url) as rig, SensorRig(broker.url) as sensor:
        sensor.send(20)
        wait_for_starts(rig, 20)
        assert rig.stop(number) == 0
        assert not rig.is_ready
        assert "Traceback" not in rig.said
