"""Why there is no connection, as a sentence that says what, where and what to do. Pure."""

import socket
import ssl

from edge_runtime.mqtt.broker import Broker

# MQTT 3.1.1, table 3.1, in the numbers that paho gives them (those of MQTT 5).
_REFUSALS = {
    132: "the broker does not speak MQTT 3.1.1. Use one that does",
    133: "the broker refuses our client id. Check its rules for client ids",
    134: "the broker refuses our user name or password. Check username and password_file",
    135: "the broker does not let us in. Check username, password_file and certificate",
    136: "the broker says it is not available now. Look at its log",
}

_SUSPICIOUS = 3  # connections in a row


def of_error(broker: Broker, error: Exception, timeout_s: float) -> str:
    """Why no connection came to be, from what the operating system or TLS raised."""
    return f"{broker.url}: {_of_error(broker, error, timeout_s)}."


def of_refusal(broker: Broker, code: int) -> str:
    """Why the broker refused us, from its CONNACK."""
    return f"{broker.url}: {_REFUSALS.get(code, f'the broker refuses us with code {code}')}."


def of_silence(broker: Broker, timeout_s: float) -> str:
    return (
        f"{broker.url}: something listens there, but gave no MQTT answer within {timeout_s:g} s. "
        "Check the port."
    )


def of_refused_topics(broker: Broker, topics: list[str]) -> str:
    user = f"user {broker.username!r}" if broker.username else "us"
    return (
        f"{broker.url}: the broker does not let {user} subscribe to {', '.join(topics)}. "
        "Check its access rules."
    )


def of_loss(broker: Broker, last_error: str, *, answered: bool) -> str:
    """Why a connection ended; `last_error` is what paho logged, `answered` whether MQTT was spoken."""
    detail = f" ({last_error})" if last_error else ""
    if "alert" in last_error.lower():
        return (
            f"{broker.url}: the broker ended the TLS connection{detail}. "
            "Check our certificate and key, it may want others or any at all."
        )
    if answered:
        return f"{broker.url}: the connection broke{detail}. It is made again."
    hint = "Check the port, and who may connect" if broker.tls else "Check whether it wants mqtts://"
    return f"{broker.url}: the broker closed the connection before it answered{detail}. {hint}."


def repeated(reason: str, short_lives: int, client_id: str) -> str:
    """The same, with what may be behind it when so many connections in a row ended soon."""
    if short_lives < _SUSPICIOUS:
        return reason
    return (
        f"{reason} That was soon after the connect, {short_lives} times in a row: brokers do that when "
        f"another client has the same id, {client_id} (is there a copy of this device?), when their "
        "disk is full, and to a client that reads too slowly. The broker's log says which."
    )


def _of_error(broker: Broker, error: Exception, timeout_s: float) -> str:
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"the host name {broker.host!r} is not known. Check the name and this machine's DNS"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there. Start the broker, or check host and port"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s. Check the address, the network and firewalls"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the broker's certificate is not trusted: {error.verify_message.rstrip('.')}. "
            "Check the ca file, the host name and this machine's clock"
        )
    if isinstance(error, ssl.SSLError):
        return _of_tls_error(error)
    if isinstance(error, ConnectionResetError):
        return "the broker closed the connection at once. Check the port, and who may connect"
    detail = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
    return f"cannot be reached: {detail}. Check the network"


def _of_tls_error(error: ssl.SSLError) -> str:
    reason = (error.reason or "no reason given").replace("_", " ").lower()
    if "version number" in reason or "record layer" in reason or "eof" in reason:
        return f"no TLS is spoken there ({reason}). Check the port, or use mqtt://"
    return f"TLS failed: {reason}. Check certificate and key on both sides"
