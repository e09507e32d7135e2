"""Where a broker is: what a URL may say, and which files are refused before any connection."""

import ssl
import subprocess
from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.mqtt import TLS, Broker
from tests.support.pki import Authority
from tests.support.programs import program


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://broker.local", "broker.local", 1883, None),
        ("mqtt://10.0.0.1:2883/", "10.0.0.1", 2883, None),
        ("mqtts://fleet.example.org", "fleet.example.org", 8883, TLS()),
        ("mqtts://[::1]:9", "::1", 9, TLS()),
    ],
)
def test_a_url_names_host_port_and_tls(url: str, host: str, port: int, tls: TLS | None) -> None:
    broker = Broker.from_url(url)
    assert (broker.host, broker.port, broker.tls) == (host, port, tls)
    assert Broker.from_url(broker.url) == broker


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("tcp://broker", "expected mqtt://"),
        ("broker:1883", "expected mqtt://"),
        ("mqtt://", "expected mqtt://"),
        ("mqtt://broker:0", "port from 1"),
        ("mqtt://broker:70000", "bad host or port"),
        ("mqtt://broker/topic", "nothing more"),
        ("mqtt://broker?x=1", "nothing after"),
        ("mqtt://bro ker", "host name"),
        ("mqtt://me:secret@broker", "no place for credentials"),
    ],
)
def test_any_other_url_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        Broker.from_url(url)
    assert "secret" not in str(caught.value)


def test_settings_that_cannot_work_together_are_refused(tmp_path: Path) -> None:
    for wrong in (
        {"ca": tmp_path},
        {"password_file": tmp_path},
        {"username": "a\0b"},
    ):
        with pytest.raises(ConfigError):
            Broker.from_url("mqtt://broker", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="only work together"):
        Broker.from_url("mqtts://broker", certificate=tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo\n", b"\xff\xfe", b"x" * 70_000])
def test_a_password_file_holds_one_line_of_text(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="password"):
        Broker("broker", 1, username="me", password_file=file).check_files()


def test_the_line_end_is_not_part_of_a_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" grüße \n", encoding="utf-8")
    assert Broker("broker", 1, username="me", password_file=file).password() == " grüße "


def test_files_that_are_missing_or_something_else_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.client("one"), authority.client("other")
    text, none = tmp_path / "text", tmp_path / "none"
    text.write_text("no certificate")
    for tls, complaint in (
        (TLS(ca=none), "none: the authority's certificate cannot be read"),
        (TLS(ca=text), "text: expected certificates of an authority"),
        (TLS(certificate=one.certificate, key=none), "none: the client key cannot be read"),
        (TLS(certificate=one.certificate, key=text), "expected a certificate and its key"),
        (TLS(certificate=one.certificate, key=other.key), "a key of another certificate"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            Broker("broker", 1, tls).check_files()
    with pytest.raises(ConfigError, match="none: the password cannot be read"):
        Broker("broker", 1, username="me", password_file=none).check_files()


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_passphrase(tmp_path: Path) -> None:
    issued = Authority(tmp_path).client("one")
    locked = tmp_path / "locked.key"
    command = [program("openssl"), *["pkcs8", "-topk8", "-passout", "pass:x"]]
    command += ["-in", issued.key, "-out", locked]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ConfigError, match="encrypted"):
        Broker("broker", 1, TLS(certificate=issued.certificate, key=locked)).check_files()


def test_tls_verifies_the_broker_and_is_not_older_than_1_2() -> None:
    context = Broker.from_url("mqtts://broker").context()
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
