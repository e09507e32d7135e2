"""The commands `edge-runtime fleet ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from devices.fleet.nats_config import BrokerSettings

_Command = TypeVar("_Command", bound="Callable[..., Any] | click.Command")
_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _address(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, int]:
    """HOST:PORT, an IPv6 host in brackets."""
    host, colon, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdecimal()) or int(port) > 65_535:
        raise click.BadParameter(
            f"{value!r}: expected HOST:PORT, for example 127.0.0.1:1883.", context, parameter
        )
    return host, int(port)


@click.group()
def fleet() -> None:
    """Watch many devices: take what they send, keep it, show it.

    `serve` runs on one machine that all devices can reach; `status` reads what it has stored.
    """


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_data = click.option(
    "--data", required=True, type=_FOLDER, help="Folder of all that is kept; `serve` makes it."
)
_listen = click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=_address,
    default="127.0.0.1:1883",
    show_default=True,
    help="Where the broker takes MQTT connections. Port 0 takes a free one.",
)
_access = _options(
    click.option(
        "--users", type=_FILE, help="TOML file of who may connect, and their rights (docs/fleet.md)."
    ),
    click.option("--tls-certificate", type=_FILE, help="The broker's certificate chain, PEM."),
    click.option("--tls-key", type=_FILE, help="The key of --tls-certificate, PEM."),
    click.option(
        "--tls-client-ca",
        type=_FILE,
        help="Ask every client for a certificate of this authority, PEM; it says who the client is.",
    ),
    click.option(
        "--insecure", is_flag=True, help="Listen beyond this machine without TLS or without users."
    ),
)
_ready_file = click.option(
    "--ready-file", type=_FILE, help="JSON (host, port, pid, children), there while it serves."
)


@fleet.command(short_help="Collect what devices send into a database.")
@_data
@click.option(
    "--broker", "url", metavar="URL", help="Use this broker, mqtt://HOST:PORT or mqtts://HOST:PORT."
)
@_listen
@_access
@click.option("--ca", type=_FILE, help="Authority of the broker's certificate. [default: the system's]")
@click.option("--certificate", type=_FILE, help="The collector's client certificate, PEM.")
@click.option("--key", type=_FILE, help="The key of --certificate, PEM.")
@click.option("--username", default="", help="The collector's user on the broker.")
@click.option("--password-file", type=_FILE, help="File with the password of --username.")
@_ready_file
def serve(
    data: Path,
    url: str | None,
    listen: tuple[str, int],
    ready_file: Path | None,
    **options: Any,
) -> None:
    """Collect what devices send into a database, until SIGTERM or Ctrl-C.

    Without --broker it runs a broker of its own as a child process, on --listen, and keeps it running.
    With --broker it collects from that one; the options --listen, --users, --tls-… and --insecure
    are then not for it.
    """
    from devices.fleet import server
    from edge_runtime.mqtt import Broker

    names = ("ca", "certificate", "key", "username", "password_file")
    identity = {name: options.pop(name) for name in names}
    _log_to_stderr()
    if url is None:
        settings = _settings(data, listen, **options)
        server.serve_embedded(data, settings, server.Identity(**identity), ready_file)
        return
    own = ("listen", "users", "tls_certificate", "tls_key", "tls_client_ca", "insecure")
    for name in own:
        if (
            click.get_current_context().get_parameter_source(name)
            is not click.core.ParameterSource.DEFAULT
        ):
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is for our own broker; it cannot be used with --broker.")
    server.serve(data, Broker.from_url(url, **identity), ready_file)


@fleet.command(short_help="Run only an MQTT broker.")
@_data
@_listen
@_access
@_ready_file
def broker(data: Path, listen: tuple[str, int], ready_file: Path | None, **options: Any) -> None:
    """Run only an MQTT broker, until SIGTERM or Ctrl-C.

    For a fleet whose collector runs elsewhere, or on a device whose sensors need one. When the
    broker's process dies, it is started again.
    """
    from devices.fleet import server

    _log_to_stderr()
    server.run_broker(_settings(data, listen, **options), ready_file)


@fleet.command(short_help="Show what the fleet knows.")
@_data
@click.option("--device", help="Only this device.")
@click.option(
    "--history", is_flag=True, help="Also what happened: events, and changes of the running model."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def status(data: Path, device: str | None, history: bool, as_json: bool) -> None:
    """Show what the fleet knows: who is there, what runs where, what was stored, lost and sent twice.

    Reads the database of `fleet serve --data`, also while that is running.
    """
    from devices.fleet import status as report

    found = report.read(data, device, with_history=history)
    click.echo(report.as_json(found) if as_json else report.as_text(found))


def _settings(
    data: Path,
    listen: tuple[str, int],
    *,
    users: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    insecure: bool,
) -> BrokerSettings:
    from devices.fleet.nats_config import BrokerSettings, ServerTLS
    from devices.fleet.users import read_users

    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together.")
    if tls_client_ca and not tls_certificate:
        raise click.UsageError("--tls-client-ca needs --tls-certificate and --tls-key.")
    tls = ServerTLS(tls_certificate, tls_key, tls_client_ca) if tls_certificate and tls_key else None
    return BrokerSettings(
        folder=(data / "broker").absolute(),
        host=listen[0],
        port=listen[1],
        tls=tls,
        users=read_users(users, certificates=tls_client_ca is not None) if users else (),
        insecure=insecure,
    )


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
