"""Who starts the agent and keeps the clock: systemd, or another, who has no such commands."""

import os
from pathlib import Path

_RUNS = "run/systemd/system"  # sd_booted(3)
# The longer before what is part of it.
_IN_OTHER_WORDS = {
    "systemctl daemon-reload && systemctl restart edge-runtime": "restart the agent",
    "Restart the service: systemctl restart edge-runtime": "Restart the agent",
    "systemctl restart edge-runtime": "restart the agent",
    "systemctl start edge-runtime": "edge-runtime run --config FILE",
    "systemctl status edge-runtime": "the agent's log, its standard error",
    "journalctl -u edge-runtime": "the agent's log, its standard error",
    "timedatectl set-ntp true": "an NTP client such as chrony",
}


def has_systemd(root: Path) -> bool:
    """Whether systemd runs this machine, whose file systems are at `root`."""
    return os.path.isdir(root / _RUNS)


def worded(advice: str, root: Path = Path("/")) -> str:
    """An advice in words that hold for whatever starts the agent here, as seen at `root`."""
    if not has_systemd(root):
        for command, words in _IN_OTHER_WORDS.items():
            advice = advice.replace(command, words)
    return advice
