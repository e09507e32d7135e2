"""`fleet serve` and `fleet broker`: broker, link, collector and database put together."""

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from devices.fleet.broker import EmbeddedBroker
from devices.fleet.collector import SUBSCRIPTIONS, Collector, only_collector
from devices.fleet.database import Database
from devices.fleet.folder import make_folder
from devices.fleet.nats_config import BrokerSettings, address
from devices.fleet.supervision import ReadyFile, SupervisedBroker
from devices.fleet.users import User, role_rights
from edge_runtime.durable import replace_file
from edge_runtime.errors import ConfigError
from edge_runtime.mqtt import TLS, Broker, Link
from edge_runtime.signals import stop_signals

log = logging.getLogger(__name__)

_TURN_S = 0.2


@dataclass(frozen=True)
class Identity:
    """How the collector shows itself to a broker, and which authority it trusts."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    username: str = ""
    password_file: Path | None = None


def run_broker(settings: BrokerSettings, ready_file: Path | None) -> None:
    """Only a broker, until SIGTERM or SIGINT."""
    broker = EmbeddedBroker(settings)
    with (
        stop_signals() as stopped,
        ReadyFile(ready_file) as ready,
        SupervisedBroker(broker) as supervised,
    ):
        while not stopped():
            supervised.keep()
            if broker.alive:
                ready.show(f"MQTT broker on {address(settings.host, broker.port)}", _facts(broker))
            time.sleep(_TURN_S)


def serve_embedded(
    folder: Path, settings: BrokerSettings, identity: Identity, ready_file: Path | None
) -> None:
    """A broker of our own as a child, and a collector on it, until SIGTERM or SIGINT."""
    with only_collector(folder), stop_signals() as stopped, ReadyFile(ready_file) as ready:
        settings, identity = _introduce(settings, identity)
        broker = EmbeddedBroker(settings)
        with SupervisedBroker(broker) as supervised:
            way = _way_to(broker, identity)

            def look_after(link: Link) -> None:
                supervised.keep()
                if link.connected and broker.alive:
                    ready.show(f"collecting from our own broker, {way.url}", _facts(broker))

            _collect(folder, way, stopped, look_after)


def serve(folder: Path, broker: Broker, ready_file: Path | None) -> None:
    """A collector on a broker that runs elsewhere, until SIGTERM or SIGINT."""
    with only_collector(folder), stop_signals() as stopped, ReadyFile(ready_file) as ready:

        def look_after(link: Link) -> None:
            if link.connected:
                facts = {"host": broker.host, "port": broker.port, "pid": os.getpid(), "children": {}}
                ready.show(f"collecting from {broker.url}", facts)

        _collect(folder, broker, stopped, look_after)


def _collect(
    folder: Path, broker: Broker, stopped: Callable[[], bool], look_after: Callable[[Link], None]
) -> None:
    def tell_down(reason: str) -> None:
        if not stopped():
            log.warning("%s Trying again until it works.", reason)

    def alive() -> bool:
        look_after(link)
        return not stopped()

    with Database(folder) as database:
        collector = Collector(database)
        link = Link(
            broker,
            # Whoever connects with our id would throw us out, so nobody can guess it. 23 characters is
            # what MQTT 3.1.1 (3.1.3.1) promises to take.
            client_id=f"c{secrets.token_hex(11)}",
            subscriptions=SUBSCRIPTIONS,
            on_message=collector.take,
            on_up=lambda: log.info("connected to %s", broker.url),
            on_down=tell_down,
        )
        collector.run(link, alive)


def _introduce(settings: BrokerSettings, identity: Identity) -> tuple[BrokerSettings, Identity]:
    """Let our own collector in: with a password of this run, or by the certificate it was given."""
    if settings.tls and settings.tls.client_ca:
        if not (identity.certificate and identity.key):
            raise ConfigError(
                "the broker asks for client certificates, so the collector needs one too: give "
                "--certificate and --key, and its user the role collector in the users file."
            )
        return settings, identity
    if not settings.users or identity.username:
        return settings, identity
    name, password = f"collector-{secrets.token_hex(8)}", secrets.token_hex(16)
    password_file = settings.folder / "collector-password"
    make_folder(settings.folder)
    replace_file(password_file, password.encode(), mode=0o600)
    publish, subscribe = role_rights("collector", name)
    own = User(name=name, password=password, subject=f"CN={name}", publish=publish, subscribe=subscribe)
    return (
        replace(settings, users=(*settings.users, own)),
        replace(identity, username=name, password_file=password_file),
    )


def _way_to(broker: EmbeddedBroker, identity: Identity) -> Broker:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(broker.settings.host, broker.settings.host)  # noqa: S104
    tls = TLS(ca=identity.ca, certificate=identity.certificate, key=identity.key)
    return Broker(
        host=host,
        port=broker.port,
        tls=tls if broker.settings.tls else None,
        username=identity.username,
        password_file=identity.password_file,
    )


def _facts(broker: EmbeddedBroker) -> dict[str, object]:
    return {
        "host": broker.settings.host,
        "port": broker.port,
        "pid": os.getpid(),
        "children": {"broker": broker.pid},
    }
