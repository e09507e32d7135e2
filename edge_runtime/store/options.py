"""Options that the commands about a device's store share."""

from pathlib import Path

import click

PATH = click.Path(readable=False, path_type=Path)  # what may not be read is told like other faults
STORE = click.option(
    "--store", "folder", metavar="DIR", type=PATH, required=True, help="Folder of this device's store."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
WAIT = click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long a running agent may take to confirm it.",
)
