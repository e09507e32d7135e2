"""Bounds the embedded broker's stream of undelivered messages, over nats-server's own protocol.

Only what that needs: CONNECT, SUB, PUB and one reply at a time on a loopback socket
(docs.nats.io/reference/reference-protocols/nats-protocol). The stream is the one nats-server itself
makes for the first MQTT client; made before, with a bound, there is never one without.
"""

import json
import socket
from typing import Any, BinaryIO

from edge_runtime.errors import BrokerError

STREAM = "$MQTT_msgs"

_TIMEOUT_S = 10.0
_MAX_REPLY_BYTES = 1 << 20
_NOT_FOUND = 10059


def bound_messages(port: int, *, max_bytes: int, user: str = "", password: str = "") -> None:
    """Make the stream refuse publishers once it holds `max_bytes`. Raises BrokerError."""
    wanted = {"max_bytes": max_bytes, "discard": "new"}
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
            api = _StreamAPI(connection, user, password)
            reply = api.ask("INFO")
            if reply.get("error", {}).get("err_code") == _NOT_FOUND:
                # What nats-server would make, see mqtt.go there, and the bound.
                made = {"name": STREAM, "subjects": ["$MQTT.msgs.>"], "storage": "file"}
                if "error" not in api.ask("CREATE", made | {"retention": "interest"} | wanted):
                    return
                reply = api.ask("INFO")  # an MQTT client was faster
            config = reply["config"]
            if all(config.get(name) == value for name, value in wanted.items()):
                return
            reply = api.ask("UPDATE", config | wanted)
            if "error" in reply:
                raise BrokerError(f"nats-server refused to bound its store: {reply['error']}.")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokerError(
            f"nats-server did not bound its store: {type(error).__name__}: {error}."
        ) from error


class _StreamAPI:
    """One connection that asks about one stream."""

    def __init__(self, connection: socket.socket, user: str, password: str) -> None:
        self._connection = connection
        self._lines: BinaryIO = connection.makefile("rb")
        self._lines.readline(_MAX_REPLY_BYTES)  # INFO, which greets every client
        options = {"verbose": False, "pedantic": False, "lang": "python", "name": "edge-runtime"}
        identity = {"user": user, "pass": password} if user else {}
        self._send(f"CONNECT {json.dumps(options | identity)}\r\nSUB _INBOX.edge 1\r\n".encode())

    def ask(self, verb: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
        body = json.dumps(config).encode() if config else b""
        self._send(
            f"PUB $JS.API.STREAM.{verb}.{STREAM} _INBOX.edge {len(body)}\r\n".encode() + body + b"\r\n"
        )
        while True:
            line = self._lines.readline(_MAX_REPLY_BYTES)
            if line.startswith(b"MSG "):
                size = int(line.split()[-1])
                if size > _MAX_REPLY_BYTES:
                    raise ValueError(f"a reply of {size} bytes")
                reply = json.loads(self._lines.read(size))
                self._lines.readline()
                assert isinstance(reply, dict)
                return reply
            if line.startswith(b"PING"):
                self._send(b"PONG\r\n")
            elif line.startswith(b"-ERR") or not line:
                raise ValueError(line.decode("utf-8", "replace").strip() or "it closed the connection")

    def _send(self, data: bytes) -> None:
        self._connection.sendall(data)
