"""The command `service`: the agent as a service of systemd."""

from pathlib import Path

import click

from edge_runtime.service import USUAL_CONFIG

_PATH = click.Path(readable=False, path_type=Path)  # what may not be read is told like other faults
_CONFIG = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=_PATH,
    default=USUAL_CONFIG,
    show_default=True,
    help="The agent's TOML file.",
)
_USER = click.option(
    "--user", metavar="NAME", default="edge-runtime", show_default=True, help="Whom the agent runs as."
)
_GPU = click.option(
    "--gpu/--no-gpu",
    default=None,
    help="Whether an engine may use a GPU; as `device.board` has one, if neither is said.",
)


@click.group()
def service() -> None:
    """Keep the agent running under systemd."""


@service.command(short_help="Print the unit for systemd.")
@_CONFIG
@_USER
@_GPU
def show(config_file: Path, user: str, gpu: bool | None) -> None:
    """Print the unit for systemd that runs FILE's agent; change nothing."""
    click.echo(_unit(config_file, user, gpu), nl=False)


@service.command("install", short_help="Write the unit for systemd.")
@_CONFIG
@_USER
@_GPU
@click.option(
    "--folder",
    metavar="FOLDER",
    type=_PATH,
    default=Path("/etc/systemd/system"),
    show_default=True,
    help="Where units are.",
)
def install_unit(config_file: Path, user: str, gpu: bool | None, folder: Path) -> None:
    """Write the unit that runs FILE's agent, and tell what to do next; start nothing.

    The user has to exist: `useradd --system --home-dir /var/lib/edge-runtime edge-runtime` makes it.
    """
    import pwd

    from edge_runtime import durable
    from edge_runtime.errors import ConfigError
    from edge_runtime.service.unit import NAME

    text = _unit(config_file, user, gpu)
    if not folder.is_dir():
        raise ConfigError(
            f"{folder}: there is no such folder, so there is no systemd here. Let what starts programs "
            f"on this machine run `edge-runtime run --config {config_file}`."
        )
    try:
        pwd.getpwnam(user)
    except KeyError as error:
        raise ConfigError(
            f"user {user!r}: there is none on this machine. Make it: useradd --system --home-dir "
            f"/var/lib/edge-runtime {user}"
        ) from error
    durable.replace_file(folder / NAME, text.encode())
    click.echo(f"{folder / NAME} is written. It starts now and at every boot with:")
    click.echo(f"  systemctl daemon-reload && systemctl enable --now {NAME.removesuffix('.service')}")
    if not Path("/run/systemd/system").is_dir():
        click.echo("warning: systemd does not run here now (a container?).", err=True)


def _unit(config_file: Path, user: str, gpu: bool | None) -> str:
    """The unit's text; the configuration is read, because it says what the agent writes and reads."""
    from edge_runtime import config as settings
    from edge_runtime.service.configured import unit_of

    return unit_of(settings.load(config_file), config_file, user, gpu).text()
