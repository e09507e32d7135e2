"""Programs that PyPI does not have. Without them a test is skipped, and the closing lines say why."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of a program of the system; skips the test where there is none."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not on this machine: as root, apt-get install {name}")
    return found
