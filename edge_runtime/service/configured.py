"""The unit that a configuration asks for."""

import grp
import sys
from contextlib import suppress
from pathlib import Path

from edge_runtime.boards import board
from edge_runtime.config import Config, files, folders
from edge_runtime.service.unit import Unit

_GPU_GROUPS = ("video", "render")  # whose members may use one, on Jetsons and on Debian


def unit_of(config: Config, config_file: Path, user: str, gpu: bool | None = None) -> Unit:
    """For this installation of the program. `gpu`: as the board has one, where neither is said."""
    if gpu is None:
        gpu = bool(config.board) and board(config.board).tensorrt is not None
    return Unit(
        command=Path(sys.executable).with_name("edge-runtime"),
        config=config_file.absolute(),
        user=user,
        writable=folders(config),
        needed=tuple(files(config).values()),
        priority=max((one.realtime.priority for one in config.models if one.realtime), default=0),
        gpu=gpu,
        groups=_groups_of_a_gpu() if gpu else (),
    )


def _groups_of_a_gpu() -> list[str]:
    """Those that this machine has: systemd starts no service with a group that does not exist."""
    found = []
    for name in _GPU_GROUPS:
        with suppress(KeyError):
            found.append(grp.getgrnam(name).gr_name)
    return found
