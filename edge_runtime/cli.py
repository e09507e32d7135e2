"""The command `edge-runtime`: finds its subcommands by entry point and imports only the one in use."""

import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

import edge_runtime
from edge_runtime.errors import EdgeError, MissingExtraError
from edge_runtime.starting import worded

_GROUP = "edge_runtime.commands"


class EntryPointGroup(click.Group):
    """A group whose commands are the entry points of `edge_runtime.commands`, of any package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(entry.name for entry in entry_points(group=_GROUP))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        found: tuple[EntryPoint, ...] = tuple(entry_points(group=_GROUP, name=cmd_name))
        if not found:
            return None
        command = found[0].load()
        assert isinstance(command, click.Command)
        return command


@click.command(
    cls=EntryPointGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: docs/exit-codes.md. EDGE_RUNTIME_DEBUG=1 shows where an error came from.",
)
@click.version_option(edge_runtime.__version__, prog_name="edge-runtime")
def edge_runtime_command() -> None:
    """Run trained models next to the sensors: convert, sign, install, run, watch.

    A first tour: `keys generate`, `convert`, `verify`, `install`, `run`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error on purpose becomes one line and its documented exit code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    try:
        result: Any = edge_runtime_command.main(
            arguments, prog_name="edge-runtime", standalone_mode=False
        )
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EdgeError as error:
        click.echo(f"{_level()}error: {worded(str(error))}", err=True)
        _trace()
        return error.exit_code
    except ImportError as error:
        click.echo(
            f"{_level()}error: expected every library that edge-runtime needs, found one that cannot be "
            f"imported: {' '.join(str(error).split())[:300]}. Install edge-runtime anew; `edge-runtime "
            "doctor` names the library.",
            err=True,
        )
        _trace()
        return MissingExtraError.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong and nothing can be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last net: a fault of ours, told without a traceback
        click.echo(
            f"{_level()}error: internal fault, {type(error).__name__}: {error}. Please report it with "
            "the output of the same command under EDGE_RUNTIME_DEBUG=1.",
            err=True,
        )
        _trace()
        return 70


def _level() -> str:
    """In systemd's journal the last line is one of level error."""
    from edge_runtime.service.journal import Level, prefix_here

    return prefix_here(Level.ERROR)


def _trace() -> None:
    if os.environ.get("EDGE_RUNTIME_DEBUG"):
        import traceback

        traceback.print_exc()
