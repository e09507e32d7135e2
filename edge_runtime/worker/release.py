"""Workers are of the agent's release: the package can be upgraded under an agent that runs.

Its next worker would be of the new release, take other arguments and speak otherwise. That is the
machine's state and no fault of the model, so nothing may be decided by it.
"""

import re

import edge_runtime
from edge_runtime.starting import worded

_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


def other_release(agent: str, worker: str) -> str:
    """A sentence for an agent of one release whose workers would be of another; '' for one and the same.

    `worker` is '' where the package is not there, as in the middle of an upgrade.
    """
    if agent == worker:
        return ""
    became = f"was upgraded from {agent} to {worker}" if worker else f"{agent} was removed from the disk"
    return worded(
        f"edge-runtime {became} while its agent runs, which can start no more workers; those that run "
        "go on. Restart the service: systemctl restart edge-runtime."
    )


def on_disk(package: str = edge_runtime.__file__) -> str:
    """The release that a process started now from `package` would be of; '' where none is readable."""
    try:
        with open(package, encoding="utf-8") as source:
            found = _VERSION.search(source.read())
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""
