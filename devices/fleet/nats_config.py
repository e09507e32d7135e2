"""The configuration of one nats-server, from values alone. Its format takes JSON as it is."""

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.fleet.payloads import MAX_PAYLOAD_BYTES
from devices.fleet.users import User
from edge_runtime.errors import ConfigError

MAX_STORE_BYTES = 1 << 30
MAX_MESSAGE_BYTES = MAX_STORE_BYTES // 4 * 3
"""Bound of the stream of undelivered messages: below the store's, so that a full one refuses
publishers only. A full store refuses every connection, the collector's as well."""


@dataclass(frozen=True)
class ServerTLS:
    """The broker's certificate and key; with `client_ca` every client must show a certificate of it."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True)
class BrokerSettings:
    """What an embedded broker is started with.

    `folder` holds its configuration, log and store, and belongs to one server at a time. Port 0 takes a
    free one. Without `users` anybody who can reach the port may do anything; beyond loopback that, or
    doing without TLS, needs `insecure`.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    tls: ServerTLS | None = None
    users: tuple[User, ...] = ()
    insecure: bool = False

    def check(self) -> None:
        """Raises ConfigError for a listener that would be open to the network by accident."""
        if self.tls and self.tls.client_ca and not self.users:
            raise ConfigError(
                "client certificates are asked for, but there is no users file to say who may do what. "
                "Add --users, see docs/fleet.md."
            )
        if self.insecure or is_loopback(self.host) or (self.tls and self.users):
            return
        missing = " and ".join(
            name for name, there in (("TLS", self.tls), ("users", self.users)) if not there
        )
        raise ConfigError(
            f"{self.host}: the broker would listen beyond this machine without {missing}. "
            "Add --tls-certificate, --tls-key and --users, or say --insecure if the network is trusted."
        )


def is_loopback(host: str) -> bool:
    """Whether a listener on `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def render(settings: BrokerSettings, *, port: int, admin: str, admin_password: str) -> bytes:
    """The configuration file's bytes. `port` 0 takes a free one; `admin` may use the stream API only."""
    options: dict[str, Any] = {
        "server_name": "edge-runtime",
        "listen": "127.0.0.1:-1",  # its own protocol: for the stream API, from this machine only
        "log_file": str(settings.folder / "nats-server.log"),
        "logfile_size_limit": 4 << 20,
        "logfile_max_num": 3,
        "max_payload": MAX_PAYLOAD_BYTES,
        "max_connections": 12_000,
        "jetstream": {
            "store_dir": str(settings.folder / "store"),
            "max_memory_store": 16 << 20,
            "max_file_store": MAX_STORE_BYTES,
            "sync_interval": "1s",
        },
        "mqtt": {
            "listen": address(settings.host, port or -1),
            # Unacknowledged deliveries come again soon, and a collector may have many on their way.
            "ack_wait": "5s",
            "max_ack_pending": 1_000,
            "stream_replicas": 1,
            "reject_qos2_publish": True,
            "downgrade_qos2_subscribe": True,
            "consumer_inactive_threshold": "720h",
            **_tls(settings.tls),
        },
    }
    if settings.users:
        certificates = settings.tls is not None and settings.tls.client_ca is not None
        options["authorization"] = {
            "users": [_admin(admin, admin_password), *(_entry(u, certificates) for u in settings.users)]
        }
    return json.dumps(options, ensure_ascii=False, indent=1).encode()


def address(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls(tls: ServerTLS | None) -> dict[str, Any]:
    if tls is None:
        return {}
    options: dict[str, Any] = {
        "cert_file": str(tls.certificate.absolute()),
        "key_file": str(tls.key.absolute()),
        "timeout": 5,
    }
    if tls.client_ca is not None:
        # `verify` alone would check the certificate and then take anybody's word for who they are.
        options |= {"ca_file": str(tls.client_ca.absolute()), "verify_and_map": True}
    return {"tls": options}


def _admin(name: str, password: str) -> dict[str, Any]:
    return {
        "user": name,
        "password": password,
        "allowed_connection_types": ["STANDARD"],
        "permissions": {
            "publish": [f"$JS.API.STREAM.{verb}.$MQTT_msgs" for verb in ("INFO", "CREATE", "UPDATE")],
            "subscribe": ["_INBOX.>"],
        },
    }


def _entry(user: User, certificates: bool) -> dict[str, Any]:
    identity = {"user": user.subject} if certificates else {"user": user.name, "password": user.password}
    return {
        **identity,
        "allowed_connection_types": ["MQTT"],
        "permissions": {
            "publish": _allow(user.publish),
            "subscribe": _allow(user.subscribe),
        },
    }


def _allow(topics: tuple[str, ...]) -> dict[str, list[str]]:
    if not topics:
        return {"deny": [">"]}
    return {"allow": [subject for topic in topics for subject in _subjects(topic)]}


def _subjects(topic: str) -> tuple[str, ...]:
    """MQTT's `a/#` includes `a` itself, where `a.>` does not."""
    subject = topic.replace("/", ".").replace("+", "*")
    if subject == "#":
        return (">",)
    if subject.endswith(".#"):
        return subject[:-2], f"{subject[:-1]}>"
    return (subject,)
