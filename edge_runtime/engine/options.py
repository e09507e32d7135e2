"""What the commands that run a bundle share."""

import ctypes
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edge_runtime import Model

_PATH = click.Path(readable=False, path_type=Path)  # what may not be read is told like other faults


class Seconds(click.FloatRange):
    """A time. click lets NaN into every range, as it is neither below nor above."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value} is no time in seconds.", param, ctx)
        return seconds


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


VARIANT = click.option(
    "--variant", metavar="ID", default="", help="The one variant that is to run, and no other."
)
PROVIDER = click.option(
    "--provider",
    metavar="NAME",
    default="",
    help="What the engine is to run it on, and nothing else, such as cpu.",
)


def bundle_arguments(
    command: Callable[..., None] | None = None, *, required: bool = True
) -> Callable[..., Any]:
    """BUNDLE, whose signature counts, and what it runs on; also as `@bundle_arguments(required=...)`."""
    if command is None:
        return lambda command: bundle_arguments(command, required=required)
    for decorate in (
        BOARD,
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--allow-unsigned", is_flag=True, help="Load the bundle without looking at signatures."
        ),
        click.option(
            "--trust", type=_PATH, help="Root file that says whose signature counts (root.json)."
        ),
        click.argument("bundle", type=_PATH, required=required),
    ):
        command = decorate(command)
    return command


def demand_one_trust(trust: Path | None, allow_unsigned: bool) -> None:
    """Raise UsageError unless exactly one way to trust was given."""
    if (trust is None) != allow_unsigned:
        raise click.UsageError(
            "Say whose signature to trust: give either --trust root.json or --allow-unsigned."
        )


def loaded(
    bundle: Path,
    trust: Path | None,
    allow_unsigned: bool,
    board: str,
    *,
    variant: str = "",
    provider: str = "",
) -> "Model":
    demand_one_trust(trust, allow_unsigned)
    import edge_runtime

    return edge_runtime.load(
        bundle,
        trust=trust,
        allow_unsigned=allow_unsigned,
        board=board,
        variant=variant,
        provider=provider,
    )


@contextmanager
def others_on_stderr() -> Iterator[None]:
    """What engines and their libraries print in here: standard output is for the answer alone."""
    try:
        answers = os.dup(1)
    except OSError:  # closed: there is nothing to keep apart
        yield
        return
    try:
        with suppress(OSError):
            os.dup2(2, 1)
        yield
    finally:
        with suppress(AttributeError, OSError):  # what waits in buffers of theirs
            sys.stdout.flush()
            ctypes.CDLL(None).fflush(None)
        os.dup2(answers, 1)
        os.close(answers)


def print_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.encode(value).decode())
