"""What the doctor advises where systemd starts the agent, and where it does not."""

from pathlib import Path

import pytest

from edge_runtime.doctor import realtime, service, store, trials
from edge_runtime.doctor.checkup import Check, examine
from edge_runtime.doctor.findings import Device, warning


@pytest.mark.parametrize(
    ("advice", "words"),
    [
        (store.TRIES_AGAIN, "the agent tries again by itself. What it says: the agent's log, its stand"),
        (realtime.SERVICE, "edge-runtime service install; then restart the agent."),
        (service.THEN, "then restart the agent. Changes of your own"),
        (trials.WHY_UNTRIED, "Look why it cannot be tried: the agent's log, its standard error"),
        ("Start it: systemctl start edge-runtime. Or", "Start it: edge-runtime run --config FILE. Or"),
        ("go on. Restart the service: systemctl restart edge-runtime.", "go on. Restart the agent."),
        ("Switch it on: timedatectl set-ntp true", "Switch it on: an NTP client such as chrony"),
        (
            "Look at it: systemctl status edge-runtime.",
            "Look at it: the agent's log, its standard error.",
        ),
    ],
)
def test_no_command_of_systemd_is_named_where_there_is_none(
    tmp_path: Path, advice: str, words: str
) -> None:
    check = Check("agent", lambda _device: [warning("It does not run.", advice)])

    (without,) = examine(Device(root=tmp_path), [check])
    assert words in without.advice

    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (beside,) = examine(Device(root=tmp_path), [check])
    assert beside.advice == advice
