"""The option by which commands are told what this device is."""

import click


def _known(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Raises ConfigError for a board that nobody knows: a typing error must not pass over variants."""
    from edge_runtime.boards import board

    return board(value).name if value else ""


BOARD = click.option(
    "--board",
    metavar="BOARD",
    default="",
    callback=_known,
    help="What this device is, such as pi5: variants that were made for other boards are passed over.",
)
