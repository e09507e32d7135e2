"""The package is replaced by another release under an agent that runs, as `pip install -U` does."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import __version__
from tests.support.agent import AgentRig
from tests.support.brokers import Mosquitto
from tests.support.manager import ManagerSocket
from tests.support.sensor import SensorRig
from tests.support.upgraded import NEW, Site
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end

TOLD = f"edge-runtime was upgraded from {__version__} to {NEW} while its agent runs"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def rig(tmp_path: Path, broker: Mosquitto, site: Site) -> Iterator[AgentRig]:
    """An agent that serves 1.0.0 and imports the package from `site`."""
    rig = AgentRig(tmp_path, broker.url, interval_s=0.5)
    rig.environment = site.environment
    try:
        yield rig.start()
    finally:
        rig.close()


def test_what_runs_runs_on_and_a_new_version_waits_until_the_agent_is_of_that_release_too(
    rig: AgentRig, site: Site, broker: Mosquitto
) -> None:
    site.upgrade()
    assert rig.install(rig.bundle("1.1.0", seed=1), "--wait", "1").returncode == 7
    (told,) = wait_for(lambda: rig.events("trial failed"), "the event")
    assert (told.version, told.detail.startswith(TOLD)) == ("1.1.0", True)
    assert rig.model().bad == {}
    with SensorRig(broker.url) as sensor:
        sensor.send(10)
        wait_for(lambda: len(rig.starts()) == 4, "predictions of the version that runs")
    assert rig.ready["running"] == {"tiny": "1.0.0"}

    rig.stop()
    rig.start()
    wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the new version")


def test_the_services_status_says_what_waits_and_what_does_not_run_and_why(
    rig: AgentRig, site: Site, tmp_path: Path
) -> None:
    rig.stop()
    with ManagerSocket(tmp_path) as manager:
        rig.environment = {**site.environment, **manager.environment(60)}
        rig.start()
        manager.wait_for("STATUS=tiny 1.0.0 hears its sensor")
        site.upgrade()
        assert rig.install(rig.bundle("1.1.0", seed=1), "--wait", "1").returncode == 7
        manager.wait_for(f"STATUS=tiny 1.0.0 hears its sensor, 1.1.0 waits: {TOLD}")
        os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
        manager.wait_for(f"STATUS=nothing to serve yet; tiny does not run: {TOLD}")
        assert rig.stop() == 0


def test_a_worker_that_dies_is_tried_again_more_and_more_rarely_and_told_of_once(
    rig: AgentRig, site: Site
) -> None:
    before = rig.model()
    site.upgrade()
    os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
    (told,) = wait_for(lambda: rig.events("model cannot start"), "the event")
    assert told.detail.startswith(TOLD)
    wait_for(lambda: len(rig.metrics()) > 4, "time to pass")
    assert [row.event for row in rig.events()].count("model cannot start") == 1
    assert rig.model() == before

    rig.stop()
    rig.start()
    assert rig.ready["running"] == {"tiny": "1.0.0"}


def test_an_agent_that_runs_imports_no_more_of_it(rig: AgentRig, site: Site, broker: Mosquitto) -> None:
    """What it would import later would be of the new release, beside modules of the old one."""
    rig.stop()
    rig.environment = {**site.environment, "PYTHONPROFILEIMPORTTIME": "1"}
    rig.start()
    before = len(rig.said)
    assert rig.install(rig.bundle("1.1.0", seed=1)).returncode == 0
    assert rig.install(rig.bundle("1.2.0", behaviour="wrong_goldens")).returncode == 8
    with SensorRig(broker.url) as sensor:
        sensor.send(10)
        wait_for(lambda: len(rig.starts()) == 4, "predictions")
    wait_for(rig.metrics, "metrics")
    assert rig.command("rollback", "--store", rig.data / "store").returncode == 0
    wait_for(lambda: rig.ready["running"] == {"tiny": "1.0.0"}, "the version before")
    os.kill(rig.ready["workers"]["tiny"], signal.SIGKILL)
    wait_for(lambda: rig.events("worker died"), "the event")
    wait_for(lambda: rig.ready["workers"], "the worker after it")
    assert rig.stop() == 0
    later = [line for line in rig.said[before:].splitlines() if line.startswith("import time:")]
    assert later == []
