"""A broker that does not take us: each way has its sentence, and what to do."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.config import BrokerConfig
from edge_runtime.doctor.checkup import examine
from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.doctor.network import TIMEOUT_S, check
from tests.support.brokers import Mosquitto, ServerTLS
from tests.support.pki import Authority


def look(**settings: object) -> Finding:
    (found,) = examine(Device(), [check("fleet", BrokerConfig(**settings))])  # type: ignore[arg-type]
    assert found.check == "fleet"
    assert bool(found.advice) == (found.state != "ok")
    assert not found.what.endswith("..")
    return found


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_nobody_listens() -> None:
    found = look(url="mqtt://127.0.0.1:1")
    assert (found.state, found.what) == ("problem", "mqtt://127.0.0.1:1: nothing listens there.")
    assert found.advice == "Start the broker, or check host and port."


def test_a_name_that_nobody_knows() -> None:
    found = look(url="mqtt://broker.invalid")
    assert "the host name 'broker.invalid' is not known" in found.what
    assert "this machine's DNS" in found.advice


def test_something_that_does_not_answer_takes_a_bounded_time(silent: int) -> None:
    began = time.monotonic()
    found = look(url=f"mqtt://127.0.0.1:{silent}")
    assert time.monotonic() - began < 2 * TIMEOUT_S
    assert "gave no MQTT answer within 5 s" in found.what


def test_tls_and_credentials_have_words_of_their_own(tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path, "ours"), Authority(tmp_path, "strange")
    (tmp_path / "right").write_text("secret\n")
    (tmp_path / "wrong").write_text("guess\n")
    tls = ServerTLS(ours.server("127.0.0.1"))
    with Mosquitto(tmp_path / "broker", users={"arm": "secret"}, tls=tls) as broker:
        known = {"url": broker.url, "username": "arm", "ca": ours.certificate}
        assert look(**known, password_file=tmp_path / "right").what.endswith(" takes us as 'arm'.")
        refused = look(**known, password_file=tmp_path / "wrong")
        assert "refuses our user name or password" in refused.what or "not let us in" in refused.what
        untrusted = look(**known | {"ca": strange.certificate}, password_file=tmp_path / "right")
        assert "the broker's certificate is not trusted" in untrusted.what
        assert "this machine's clock" in untrusted.advice
        plain = look(url=broker.url.replace("mqtts", "mqtt"))
        assert plain.advice == "Check whether it wants mqtts://."


def test_a_password_file_that_is_not_there(tmp_path: Path) -> None:
    found = look(url="mqtt://127.0.0.1:1", username="me", password_file=tmp_path / "none")
    assert found.what == f"{tmp_path}/none: the password cannot be read: No such file or directory."
