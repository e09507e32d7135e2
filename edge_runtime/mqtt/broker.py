"""Where a broker is and how we show ourselves to it: checked values, and the files they name."""

import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge_runtime.durable import advice
from edge_runtime.errors import ConfigError

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_HOST = re.compile(r"[^\s/@\[\]\x00-\x1f]{1,253}\Z")
_MAX_PASSWORD_BYTES = 65_535  # MQTT 3.1.1, 1.5.3


@dataclass(frozen=True)
class TLS:
    """`ca` None trusts the system's authorities; `certificate` and `key` (PEM) show who we are."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Broker:
    """An MQTT broker. Raises ConfigError when made of values that cannot work together.

    Its files are opened when a connection is made, so renewed certificates need no restart.
    """

    host: str
    port: int
    tls: TLS | None = None
    username: str = ""
    password_file: Path | None = None

    def __post_init__(self) -> None:
        if not _HOST.match(self.host):
            raise ConfigError(f"broker host {self.host!r}: expected a host name or an IP address.")
        if not 1 <= self.port <= 65_535:
            raise ConfigError(f"broker {self.host}: expected a port from 1 to 65535, found {self.port}.")
        if self.password_file and not self.username:
            raise ConfigError(f"broker {self.url}: a password file needs a username beside it.")
        if "\0" in self.username:
            raise ConfigError(f"broker {self.url}: the username must not contain a zero byte.")
        if self.tls and (self.tls.certificate is None) != (self.tls.key is None):
            raise ConfigError(
                f"broker {self.url}: certificate and key only work together. Give both or neither."
            )

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        username: str = "",
        password_file: Path | None = None,
    ) -> "Broker":
        """`mqtt://HOST[:PORT]` (1883) or `mqtts://HOST[:PORT]` (8883, TLS). Raises ConfigError."""
        scheme, host, port = _parse(url)
        files = (ca, certificate, key)
        if scheme == "mqtt" and any(files):
            raise ConfigError(f"{url}: ca, certificate and key are for TLS. Use mqtts:// here.")
        tls = TLS(*files) if scheme == "mqtts" else None
        return cls(host=host, port=port, tls=tls, username=username, password_file=password_file)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def password(self) -> str | None:
        """The first line of the password file. Raises ConfigError."""
        if self.password_file is None:
            return None
        try:
            with self.password_file.open("rb") as file:
                raw = file.read(_MAX_PASSWORD_BYTES + 2)
        except OSError as error:
            raise _unreadable(self.password_file, "the password", error) from error
        try:
            lines = raw.decode().splitlines()
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.password_file}: expected a password as UTF-8 text.") from error
        if len(lines) != 1 or not lines[0] or len(raw) > _MAX_PASSWORD_BYTES:
            raise ConfigError(f"{self.password_file}: expected one line with the password and no more.")
        return lines[0]

    def context(self) -> ssl.SSLContext | None:
        """TLS 1.2 or later with the broker's name verified; None without TLS. Raises ConfigError."""
        if self.tls is None:
            return None
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.tls.ca is None:
            context.load_default_certs()
        else:
            _load_ca(context, self.tls.ca)
        if self.tls.certificate is not None and self.tls.key is not None:
            _load_identity(context, self.tls.certificate, self.tls.key)
        return context

    def check_files(self) -> None:
        """Raises ConfigError for a file that is missing, unreadable or not what it should be."""
        self.password()
        self.context()


class _Context(ssl.SSLContext):
    """Closes the socket when the handshake fails, which paho leaves open."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(sock, *args, **options)
        try:
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped


def _parse(url: str) -> tuple[str, str, int]:
    shown = re.sub(r"//[^/]*@", "//…@", url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"{shown}: expected mqtt://host:port, found a bad host or port.") from error
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.path not in ("", "/"):
        raise ConfigError(f"{shown}: expected mqtt://host:port or mqtts://host:port and nothing more.")
    if "@" in parts.netloc:
        raise ConfigError(
            f"{shown}: a URL is no place for credentials, it ends up in logs. "
            "Use username and password_file."
        )
    if parts.query or parts.fragment:
        raise ConfigError(f"{shown}: expected nothing after the port.")
    return parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port


def _load_ca(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise ConfigError(f"{path}: expected certificates of an authority, in PEM.") from error
    except OSError as error:
        raise _unreadable(path, "the authority's certificate", error) from error


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def refuse() -> str:
        raise ConfigError(f"{key}: this key is encrypted. A device needs one without a passphrase.")

    for path, what in ((certificate, "the client certificate"), (key, "the client key")):
        try:
            path.open("rb").close()
        except OSError as error:
            raise _unreadable(path, what, error) from error
    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        found = "a key of another certificate" if "MISMATCH" in str(error) else "something else"
        raise ConfigError(
            f"{certificate} and {key}: expected a certificate and its key in PEM, found {found}."
        ) from error


def _unreadable(path: Path, what: str, error: OSError) -> ConfigError:
    told = f"{path}: {what} cannot be read: {error.strerror}. {advice(path, error)}"
    return ConfigError(told.rstrip())
