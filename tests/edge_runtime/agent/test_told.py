"""What an agent tells the commands beside it: why its model does not run, why another version waits."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge_runtime.store.beside_agent import Told, told
from edge_runtime.store.disk import Store
from tests.support import small_disk
from tests.support.agent import AgentRig, agent, device
from tests.support.brokers import Mosquitto
from tests.support.own_engine import own_engine
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end

AS_MODES_SAY = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
)


def says(rig: AgentRig) -> Told:
    """But for the counts, which come later."""
    found = told(Store(rig.data / "store"))
    return msgspec.structs.replace(found, counts={}, counted=0.0) if found else Told({})


def test_why_the_active_one_does_not_run_and_why_another_waits_are_told_apart(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with device(tmp_path, broker.url) as rig:
        rig.environment = own_engine(tmp_path)
        rig.bundle(engine="own")
        rig.config.write_text(rig.config.read_text().replace("[device]\n", '[device]\nboard = "pi4"\n'))
        rig.start()
        assert says(rig) == Told({"tiny": "1.0.0"}, ways={"tiny": "fp32"})
        rig.stop()

        rig.environment = own_engine(tmp_path / "off", why="return 'it is switched off'")
        rig.start_without_waiting()
        wait_for(lambda: says(rig).waits, "why nothing runs")
        assert rig.install(rig.bundle("1.1.0", boards=("pi5",)), "--wait", "0").returncode == 7
        wait_for(lambda: says(rig).pending, "why the other version waits")
        now = says(rig)
        assert "it is switched off" in now.waits["tiny"]
        assert "1.1.0" not in now.waits["tiny"]
        assert "is made for pi5 (this is pi4)" in now.pending["tiny"]

        Store(rig.data / "store").activate("tiny", "1.0.0")
        wait_for(lambda: not says(rig).pending, "the other version to be withdrawn")
        assert says(rig) == Told({"tiny": ""}, now.waits)


def test_why_the_active_one_cannot_even_be_read_is_not_hidden_by_why_another_waits(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        rig.config.write_text(rig.config.read_text().replace("[device]\n", '[device]\nboard = "pi4"\n'))
        rig.stop()
        folder = rig.data / "store" / "slots" / "tiny" / str(rig.model().active)
        folder.chmod(0)
        rig.start_without_waiting(AS_MODES_SAY)
        wait_for(lambda: says(rig).waits, "why nothing runs")
        Store(rig.data / "store").install(rig.bundle("1.1.0", boards=("pi5",)))
        wait_for(lambda: says(rig).pending, "why the other version waits")
        now = says(rig)
        assert "Permission denied" in now.waits["tiny"]
        assert "is made for pi5 (this is pi4)" in now.pending["tiny"]
        folder.chmod(0o755)


def test_why_a_version_waits_is_not_said_of_the_active_one_while_its_worker_starts(
    tmp_path: Path, broker: Mosquitto
) -> None:
    slow = "time.sleep(1.5)"
    with device(tmp_path, broker.url) as rig:
        rig.environment = own_engine(tmp_path, load=slow)
        rig.bundle(engine="own")
        rig.config.write_text(rig.config.read_text().replace("[device]\n", '[device]\nboard = "pi4"\n'))
        rig.start()
        rig.install(rig.bundle("1.1.0", boards=("pi5",)), "--wait", "0")
        wait_for(lambda: says(rig).pending, "why the other version waits")
        os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
        now = wait_for(lambda: (found := says(rig)).waits and found, "why nothing runs for a moment")
        assert "ended by SIGKILL" in now.waits["tiny"]


def damage(rig: AgentRig) -> None:
    """Change a byte of what runs, and have its worker start again."""
    slot = rig.data / "store" / "slots" / "tiny" / str(rig.model().active)
    model = slot / "variants/fp32/model.onnx"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)


def test_files_that_are_damaged_are_told_once_and_not_missed_once_they_are_gone(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        (tmp_path / "tiny-1.0.0.edge").unlink()
        damage(rig)
        wait_for(lambda: rig.model().active is None, "its withdrawal")
        time.sleep(1.5)  # another start would have been tried by now
        (told,) = rig.events("model cannot start")
        assert "model.onnx" in told.detail
        (missed,) = rig.events("install failed")
        assert "tiny-1.0.0.edge" in missed.detail
        assert says(rig) == Told({"tiny": ""}, {"tiny": told.detail})


def test_the_bundle_of_the_configuration_takes_the_place_of_files_that_are_damaged(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with agent(tmp_path, broker.url) as rig:
        for times in (1, 2):
            worker = rig.ready["workers"]["tiny"]
            damage(rig)
            _wait_for_another(rig, worker)
            assert len(rig.events("model cannot start")) == times
        assert rig.ready["running"] == {"tiny": "1.0.0"}


def _wait_for_another(rig: AgentRig, worker: int) -> None:
    wait_for(lambda: rig.ready["workers"].get("tiny") not in (None, worker), "another worker")
    wait_for(lambda: rig.model().active, "its confirm")  # it serves before that


def test_what_was_counted_is_shown_on_the_device_itself(tmp_path: Path, broker: Mosquitto) -> None:
    with agent(tmp_path, broker.url, interval_s=0.1) as rig, SensorRig(broker.url) as sensor:
        sensor.send(20)

        def counts() -> dict[str, int]:
            shown = rig.command("status", "--store", rig.data / "store", "--json").stdout
            found: dict[str, int] = json.loads(shown)["agent"]["counts"].get("tiny", {})
            return {name: count for name, count in found.items() if count}

        wait_for(lambda: counts() == {"samples_taken": 20, "windows": 9, "predictions": 9}, "counts")


@pytest.mark.skipif(bool(small_disk.why_not()), reason=small_disk.why_not())
class TestOnAFullDisk:
    """A real ext4 without a free block: neither the log nor the outbox is where one looks first."""

    @pytest.fixture
    def rig(self, tmp_path: Path, broker: Mosquitto) -> Iterator[AgentRig]:
        with small_disk.ext4(tmp_path, 24) as disk, device(tmp_path, broker.url) as rig:
            rig.data = disk
            rig.config.write_text(rig.config.read_text().replace('data = "state"', f'data = "{disk}"'))
            yield rig

    def shown(self, rig: AgentRig, command: str) -> str:
        about = ["--config", rig.config] if command == "doctor" else ["--store", rig.data / "store"]
        return rig.command(command, *about).stdout

    def test_that_nothing_could_be_installed_is_told_though_no_lock_can_hold_it(
        self, rig: AgentRig
    ) -> None:
        (rig.data / "store").mkdir()
        small_disk.fill(rig.data)
        rig.start()
        full = f"the disk of {rig.data / 'store'} is full"
        assert f"agent  running, but {full}: it can neither install nor" in self.shown(rig, "status")
        told = f"store: tiny is not installed, and the agent does not run it: {full}."
        assert told in self.shown(rig, "doctor")
        assert rig.stop() == 0

    def test_what_the_agent_could_not_do_is_told_after_a_restart(self, rig: AgentRig) -> None:
        rig.start()
        rig.stop()
        Store(rig.data / "store").install(rig.bundle("1.1.0", seed=1))
        small_disk.fill(rig.data)
        rig.start_without_waiting()
        wait_for(lambda: says(rig).runs.get("tiny"), "the active version")
        shown = self.shown(rig, "status").splitlines()
        assert shown[1].startswith(f"rows   in memory only: {rig.data}/outbox.db: the disk")
        assert "state.json.tmp: the disk is full" in shown[-1]
        assert "Why it waits: " in self.shown(rig, "doctor")
        assert rig.stop() == 0
