"""A sound bundle that was rejected for a limit of the configuration is taken again on request."""

from pathlib import Path

import pytest

from tests.support.agent import AgentRig, device
from tests.support.brokers import Mosquitto
from tests.support.own_engine import own_engine
from tests.support.sensor import SensorRig
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


def set_run_timeout(rig: AgentRig, seconds: float) -> None:
    lines = rig.config.read_text().splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("run_timeout_s"))
    lines[at] = f"run_timeout_s = {seconds}"
    rig.config.write_text("\n".join(lines))


def test_a_time_out_that_was_too_short_is_raised_and_the_same_bundle_serves(
    tmp_path: Path,
) -> None:
    limits, trial = {"run_timeout_s": 0.2}, {"attempts": 1, "predictions": 3}
    with (
        Mosquitto(tmp_path / "broker") as broker,
        device(tmp_path, broker.url, model=limits, trial=trial) as rig,
        SensorRig(broker.url) as sensor,
    ):
        rig.environment = own_engine(tmp_path, run="time.sleep(0.5)")
        bundle = rig.bundle(engine="own")
        rig.start()
        sensor.send(20)
        wait_for(lambda: rig.model().bad, "its rejection")
        rig.stop()

        set_run_timeout(rig, 20)
        rig.start()
        refused = rig.install(bundle, "--wait", "20")
        assert refused.returncode == 7
        assert "a run took more than 0.2 s" in refused.stderr
        assert "or this one with --retry once that is mended." in refused.stderr

        sensor.send(20)
        done = rig.install(bundle, "--retry", "--wait", "60")
        assert (done.returncode, done.stdout) == (0, "tiny 1.0.0 is active, taken up by the agent\n")
        assert rig.model().bad == {}
