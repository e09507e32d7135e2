"""A device runs, and installs, only what its board and its software are enough for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import AgentRig, device
from tests.support.brokers import Mosquitto
from tests.support.waiting import wait_for

pytestmark = pytest.mark.end_to_end


@contextmanager
def pi4(folder: Path, sensor_url: str) -> Iterator[AgentRig]:
    """A device that is configured to be a Raspberry Pi 4, not started yet."""
    with device(folder, sensor_url) as rig:
        become(rig, "pi4")
        yield rig


def become(rig: AgentRig, board: str) -> None:
    """Configure another board."""
    text = "".join(
        line for line in rig.config.read_text().splitlines(True) if not line.startswith("board")
    )
    rig.config.write_text(text.replace("[device]\n", f'[device]\nboard = "{board}"\n'))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"boards": ("pi5",)}, "fp32 is made for pi5 (this is pi4)"),
        ({"requires": {"onnxruntime": ">=99"}}, "fp32 needs onnxruntime >=99, found"),
    ],
)
def test_what_the_configuration_brings_for_another_machine_is_not_even_unpacked(
    tmp_path: Path, broker: Mosquitto, options: dict[str, Any], why: str
) -> None:
    with pi4(tmp_path, broker.url) as rig:
        rig.bundle(**options)
        rig.start()

        (told,) = rig.events("install failed")
        assert why in told.detail
        assert not (rig.data / "store" / "state.json").exists()

        rig.stop()
        rig.bundle(boards=("pi4", "pi5"))
        rig.start()
        assert rig.ready["running"] == {"tiny": "1.0.0"}


def test_what_is_installed_beside_it_for_another_board_costs_no_attempt_and_is_not_condemned(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """A command that was not told the board cannot know: the agent does, and says so."""
    with pi4(tmp_path, broker.url) as rig:
        rig.start()
        path = rig.bundle("1.1.0", boards=("pi5",))

        done = rig.install(path, "--wait", "1")
        assert done.returncode == 7
        (told,) = wait_for(lambda: rig.events("trial failed"), "the event")
        assert "fp32 is made for pi5 (this is pi4)" in told.detail
        now = rig.model()
        assert now.pending is not None
        assert (now.slots[now.pending].state, now.bad) == ("staged", {})
        assert rig.ready["running"] == {"tiny": "1.0.0"}

        rig.stop()
        become(rig, "pi5")
        rig.start()
        wait_for(lambda: rig.ready["running"] == {"tiny": "1.1.0"}, "the new version")


def test_what_ran_before_the_board_was_told_does_not_run_on_another(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with pi4(tmp_path, broker.url) as rig:
        become(rig, "pi5")
        rig.bundle(boards=("pi5",))
        rig.start()
        assert rig.ready["running"] == {"tiny": "1.0.0"}
        rig.stop()

        become(rig, "pi4")
        rig.start()
        (told,) = wait_for(lambda: rig.events("model cannot start"), "the event")
        assert "fp32 is made for pi5 (this is pi4)" in told.detail
        assert rig.model().active is not None


def test_trials_and_what_serves_take_the_variant_for_the_board(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """The variant for another board does not even give the golden outputs."""
    with pi4(tmp_path, broker.url) as rig:
        rig.bundle(wrong_on="pi5")
        rig.start()
        assert rig.ready["running"] == {"tiny": "1.0.0"}

        done = rig.install(rig.bundle("1.1.0", wrong_on="pi5"))
        assert done.returncode == 0, done.stderr

        rig.stop()
        rig.start()  # without a trial
        assert rig.ready["running"] == {"tiny": "1.1.0"}
        assert rig.model().bad == {}
