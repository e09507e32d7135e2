"""The package is upgraded under a process that starts workers: nothing is held against the model."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import __version__
from edge_runtime.errors import UnavailableError
from edge_runtime.starting import worded
from edge_runtime.worker import Worker
from edge_runtime.worker.release import other_release
from tests.support.slots import slot
from tests.support.tiny_bundle import tiny_bundle
from tests.support.upgraded import NEW, Site

TOLD = worded(
    "edge-runtime was upgraded from 0.1.0 to 99.0.0 while its agent runs, which can start no more "
    "workers; those that run go on. Restart the service: systemctl restart edge-runtime."
).encode()
# Agents of every release read this form: it may never change, as the agent is older than what wrote it.
FORM = b"\x83\xa4type\xa6Failed\xa4kind\xb0UnavailableError\xa4text\xd9"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def run(command: list[str], site: Site, **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **site.environment, "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=False, timeout=60, **options
    )


def test_a_worker_of_another_release_tells_it_to_agents_of_all_releases(site: Site) -> None:
    site.upgrade()
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "edge_runtime.worker", "0.1.0", str(theirs.fileno()), "more", "yet"]
    with ours:
        with theirs:
            done = run(command, site, pass_fds=[theirs.fileno()])
        frame = ours.makefile("rb").read()
    assert done.returncode == 0
    assert frame == bytes([len(FORM) + 1 + len(TOLD), 0, 0, 0]) + FORM + bytes([len(TOLD)]) + TOLD


def test_it_is_the_machines_fault_and_no_models(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.upgrade()
    monkeypatch.setenv("PYTHONPATH", site.environment["PYTHONPATH"])
    with pytest.raises(UnavailableError, match=rf"to {NEW} while its agent runs"):
        Worker.start(slot(tmp_path, tiny_bundle()))


PARENT = """
import shutil, sys
from pathlib import Path
import edge_runtime
from edge_runtime.errors import EdgeError
from edge_runtime.worker import Worker
package = Path(edge_runtime.__file__).parent
shutil.rmtree(package)
package.mkdir()
(package / "__init__.py").touch()
try:
    Worker.start(Path(sys.argv[1]))
except EdgeError as error:
    print(type(error).__name__, error)
"""


def test_so_is_a_worker_that_fails_in_the_middle_of_an_upgrade(site: Site, tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle())
    done = run([sys.executable, "-c", PARENT, str(folder)], site)
    assert done.stdout.startswith(
        f"UnavailableError edge-runtime {__version__} was removed from the disk".encode()
    )


def test_one_release_is_no_news() -> None:
    assert other_release("0.1.0", "0.1.0") == ""
