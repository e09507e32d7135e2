"""A sensor: plays the held-out recordings over MQTT as one unbroken stream of single samples.

It stands in for a smart watch and knows nothing of the agent: it numbers its samples, publishes each
with QoS 1 on its own broker and keeps a ledger of what it sent. Recording boundaries are not sent.
"""

import argparse
import json
import os
import socket
import threading
import time
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
from train import CHANNELS, RATE_HZ, RECORDINGS


def main() -> None:
    arguments = _arguments()
    with np.load(RECORDINGS) as recordings:
        samples = recordings["test_windows"].reshape(-1, len(CHANNELS))
    client, acknowledged = _connect(arguments.port)
    run = os.urandom(4).hex()
    started = time.monotonic()
    for seq, values in enumerate(samples.tolist()):
        _sleep_until(started + seq / arguments.rate_hz)
        message = {"segment": run, "seq": seq, "time": time.time(), "values": values}
        client.publish(arguments.topic, json.dumps(message), qos=1)
        if seq % 10 == 0:
            _write(arguments.ledger, run, seq + 1, acknowledged, started)
    deadline = time.monotonic() + 10
    while len(acknowledged) < len(samples) and time.monotonic() < deadline:
        time.sleep(0.05)
    _write(arguments.ledger, run, len(samples), acknowledged, started, done=True)
    client.disconnect()
    client.loop_stop()


def _connect(port: int) -> tuple[mqtt.Client, set[int]]:
    acknowledged: set[int] = set()
    ready = threading.Event()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="watch")
    client.max_inflight_messages_set(1000)
    client.on_connect = lambda *_: ready.set()
    client.on_publish = lambda _c, _u, mid, *_: acknowledged.add(mid)
    # Without it each QoS 1 message waits for a delayed ACK: 10 to 40 ms.
    client.on_socket_open = lambda _c, _u, opened: opened.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )
    client.connect("127.0.0.1", port)
    client.loop_start()
    if not ready.wait(10):
        raise SystemExit(f"sensor: no broker on port {port} after 10 s")
    return client, acknowledged


def _sleep_until(moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(left)


def _write(
    ledger: Path, run: str, sent: int, acknowledged: set[int], started: float, *, done: bool = False
) -> None:
    seconds = time.monotonic() - started
    content = {
        "segment": run,
        "sent": sent,
        "acknowledged": len(acknowledged),
        "seconds": seconds,
        "done": done,
        "times_real_time": sent / seconds / RATE_HZ if seconds else 0.0,
    }
    temporary = ledger.with_suffix(".tmp")
    temporary.write_text(json.dumps(content))
    temporary.replace(ledger)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the sensor broker, on this machine")
    parser.add_argument("--topic", default="sensors/watch")
    parser.add_argument("--rate-hz", type=float, default=10 * RATE_HZ)
    parser.add_argument("--ledger", type=Path, required=True, help="where to count what was sent")
    return parser.parse_args()


if __name__ == "__main__":
    main()
