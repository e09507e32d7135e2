"""Options that the commands about a device's store share."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from edge_runtime.engine.options import BOARD, PROVIDER, VARIANT, Seconds

PATH = click.Path(readable=False, path_type=Path)  # what may not be read is told like other faults
STORE = click.option(
    "--store", "folder", metavar="DIR", type=PATH, required=True, help="Folder of this device's store."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
WAIT = click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    type=Seconds(min=0),
    default=60.0,
    show_default=True,
    help="How long a running agent may take to confirm it, or another command to end.",
)


def wanted_options(command: Callable[..., None]) -> Callable[..., None]:
    """What this device is and what is to run on it, as `wanted`, where no agent runs that knows."""

    @wraps(command)
    def with_wanted(*, board: str, variant: str, provider: str, **options: Any) -> None:
        from edge_runtime.store.activate import Wanted

        command(wanted=Wanted(board, variant, provider), **options)

    for option in (PROVIDER, VARIANT, BOARD):
        with_wanted = option(with_wanted)
    return with_wanted
