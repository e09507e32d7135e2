"""A slot is tried in the background: what comes of it is known once it is done, whatever went wrong."""

import errno
from pathlib import Path
from typing import Any

from edge_runtime.agent.trial import Trial
from edge_runtime.choice.bringing_up import Chooser
from edge_runtime.choice.key import key_of
from edge_runtime.errors import UnavailableError
from edge_runtime.worker import Worker
from tests.support.slots import installed_in, slot
from tests.support.tiny_bundle import tiny_bundle
from tests.support.waiting import wait_for


def test_what_nobody_foresaw_is_this_machines_fault_and_proves_nothing(tmp_path: Path) -> None:
    folder = slot(tmp_path, tiny_bundle())
    installed = installed_in(folder)

    def start(folder: Path, /, **settings: Any) -> Worker:
        raise OSError(errno.EMFILE, "Too many open files")

    trial = Trial(
        "tiny", installed.digest, lambda: installed, chooser=Chooser(start, key_of()), store=tmp_path
    )
    wait_for(lambda: trial.done, "its end")

    assert isinstance(trial.error, UnavailableError)
    assert "it cannot be tried now: OSError: [Errno 24] Too many open files." in str(trial.error)
