"""Every failure to connect is told as what, where and what to do."""

import errno
import os
import socket
import ssl

import pytest

from edge_runtime.mqtt import TLS, Broker, reasons

PLAIN = Broker("broker.local", 1883)
SECURE = Broker("broker.local", 8883, TLS())


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] text")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (socket.gaierror(-2, "Name or service not known"), "host name 'broker.local' is not known"),
        (UnicodeError("label too long"), "host name"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "nothing listens there"),
        (TimeoutError("timed out"), "no answer within 7 s"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "closed the connection at once"),
        (OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), "No route to host"),
        (OSError("odd"), "cannot be reached: OSError"),
        (tls_error("WRONG_VERSION_NUMBER"), "no TLS is spoken there"),
        (tls_error("UNEXPECTED_EOF_WHILE_READING"), "no TLS is spoken there"),
        (tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), "TLS failed: tlsv1 alert protocol version"),
    ],
)
def test_why_a_connection_did_not_come_to_be(error: Exception, part: str) -> None:
    said = reasons.of_error(SECURE, error, timeout_s=7)
    assert said.startswith("mqtts://broker.local:8883: ")
    assert part in said
    assert said.endswith(".")
    assert ". " in said, "it says what to do"


@pytest.mark.parametrize(
    ("code", "part"), [(132, "3.1.1"), (134, "password"), (135, "let us in"), (99, "99")]
)
def test_why_the_broker_refused(code: int, part: str) -> None:
    assert part in reasons.of_refusal(PLAIN, code)


def test_why_a_connection_ended() -> None:
    assert "wants mqtts://" in reasons.of_loss(PLAIN, "", answered=False)
    assert "who may connect" in reasons.of_loss(SECURE, "", answered=False)
    assert "(reset)" in reasons.of_loss(PLAIN, "reset", answered=True)
    alert = "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"
    assert "Check our certificate and key" in reasons.of_loss(SECURE, alert, answered=False)


def test_who_may_not_subscribe_is_named_if_there_is_a_name() -> None:
    named = Broker("broker.local", 1883, username="arm-7")
    assert "let user 'arm-7' subscribe to a, b" in reasons.of_refused_topics(named, ["a", "b"])
    assert "let us subscribe to a" in reasons.of_refused_topics(PLAIN, ["a"])


def test_only_connections_that_end_soon_again_and_again_point_to_a_second_client() -> None:
    said = reasons.of_loss(PLAIN, "", answered=True)
    assert reasons.repeated(said, 2, "edge-7") == said
    assert reasons.repeated(said, 3, "edge-7").startswith(f"{said} That was soon after the connect")
