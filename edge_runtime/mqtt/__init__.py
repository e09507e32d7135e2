"""MQTT 3.1.1 to one broker: where it is, and a link to it that lasts (ADR 0009, docs/mqtt.md)."""

from edge_runtime.mqtt.broker import TLS, Broker
from edge_runtime.mqtt.connection import Will
from edge_runtime.mqtt.link import MAX_PAYLOAD_BYTES, Link, check

__all__ = ["MAX_PAYLOAD_BYTES", "TLS", "Broker", "Link", "Will", "check"]
