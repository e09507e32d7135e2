"""Real MQTT brokers for tests: nats-server and mosquitto, on a free port, killed and started at will.

with NatsServer(tmp_path / "broker") as broker:
    ...                   # broker.port
    broker.kill()         # SIGKILL
    broker.start()        # the same port, the same store
"""

import base64
import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.pki import Issued
from tests.support.programs import program

DEADLINE_S = 20.0
_LISTENING = re.compile(r"Listening for MQTT clients on \S+:(\d+)\s*$", re.M)
# A mosquitto password of PBKDF2 with few rounds, which makes tests quick.
_ROUNDS = 101


@dataclass(frozen=True)
class ServerTLS:
    """The broker's own certificate; with `client_ca` every client must show one of that authority."""

    server: Issued
    client_ca: Path | None = None


class BrokerRig:
    """A broker on 127.0.0.1, started by `with` or `start`. `users`: name to password; none: anyone.

    `limits` are further settings in the broker's own words. With `client_ca` the certificate's
    common name is the user.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        tls: ServerTLS | None = None,
        **limits: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.users = dict(users or {})
        self.tls = tls
        self.limits = limits
        self.port = 0
        self.log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """What the broker logged since it was last started."""
        return self.log.read_text("utf-8", "replace")

    def start(self) -> None:
        """Start, or start again, and wait until it takes connections."""
        taken = self.port
        for _ in range(5):
            if self._try_start():
                return
            assert "in use" in self.said, self.said
            self.port = taken  # somebody was faster on a free port; a port once ours stays ours
        raise AssertionError(self.said)

    def kill(self) -> None:
        """SIGKILL: nobody is told goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def freeze(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _try_start(self) -> bool:
        command = self._command()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                # The kernel ends the broker when the test process dies.
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + DEADLINE_S
        while self._process.poll() is None:
            assert time.monotonic() < deadline, self.said
            if self._ready():
                return True
            time.sleep(0.005)
        return False

    def _ready(self) -> bool:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError


class NatsServer(BrokerRig):
    """nats-server with MQTT and JetStream; its store survives `kill`."""

    def _command(self) -> list[str]:
        mqtt: dict[str, Any] = {"listen": f"127.0.0.1:{self.port or -1}", "ack_wait": "5s"}
        if self.tls:
            issued = self.tls.server
            tls: dict[str, Any] = {"cert_file": str(issued.certificate), "key_file": str(issued.key)}
            if self.tls.client_ca:
                tls |= {"ca_file": str(self.tls.client_ca), "verify_and_map": True}
            mqtt["tls"] = tls
        config: dict[str, Any] = {
            "server_name": "test",
            "listen": "127.0.0.1:-1",
            "max_payload": 256 << 10,
            "jetstream": {"store_dir": str(self.folder / "store"), "max_file_store": 1 << 30},
            "mqtt": mqtt,
            **self.limits,
        }
        if self.users:
            config["authorization"] = {"users": [self._user(*user) for user in self.users.items()]}
        path = self.folder / "nats-server.conf"
        path.write_text(json.dumps(config))
        return [str(Path(sys.executable).with_name("nats-server")), "--config", str(path)]

    def _user(self, name: str, password: str) -> dict[str, str]:
        if self.tls and self.tls.client_ca:
            return {"user": f"CN={name}"}
        return {"user": name, "password": password}

    def _ready(self) -> bool:
        said = self.said
        if (found := _LISTENING.search(said)) and "Server is ready" in said:
            self.port = int(found[1])
            return True
        return False


class Mosquitto(BrokerRig):
    """mosquitto without persistence: what it held is gone after `kill`."""

    def _command(self) -> list[str]:
        self.port = self.port or _free_port()
        lines = [
            f"listener {self.port} 127.0.0.1",
            "user root",
            "set_tcp_nodelay true",
            f"allow_anonymous {'false' if self.users else 'true'}",
            *(f"{name} {value}" for name, value in self.limits.items()),
        ]
        if self.tls:
            issued = self.tls.server
            lines += [f"certfile {issued.certificate}", f"keyfile {issued.key}"]
            if self.tls.client_ca:
                lines += [f"cafile {self.tls.client_ca}", "require_certificate true"]
                lines += ["use_identity_as_username true"]
        if self.users:
            path = self.folder / "passwords"
            path.write_text("".join(_password_line(*user) for user in self.users.items()))
            path.chmod(0o600)
            lines.append(f"password_file {path}")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        return [program("mosquitto"), "-c", str(config)]

    def _ready(self) -> bool:
        return f"on port {self.port}" in self.said and "running" in self.said


def _password_line(name: str, password: str) -> str:
    salt = hashlib.sha256(name.encode()).digest()[:12]
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS, 64)
    parts = (base64.b64encode(salt).decode(), base64.b64encode(digest).decode())
    return f"{name}:$7${_ROUNDS}${parts[0]}${parts[1]}\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
