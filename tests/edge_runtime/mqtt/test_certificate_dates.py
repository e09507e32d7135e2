"""Certificates that are out of date, or seem so to a clock that is wrong: a real broker, real TLS."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from edge_runtime.errors import BrokerError
from edge_runtime.mqtt import Broker, check
from tests.support.brokers import Mosquitto, ServerTLS
from tests.support.pki import Authority, Issued

DAY = datetime.timedelta(days=1)


class DatedAuthority(Authority):
    """One that can date anew what it issued."""

    def dated(self, issued: Issued, begins: int, ends: int) -> Issued:
        """Valid from and until so many days from now, in the same file."""
        old = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(
            issuer_name=old.issuer,
            subject_name=old.subject,
            public_key=old.public_key(),
            serial_number=old.serial_number,
            not_valid_before=now + begins * DAY,
            not_valid_after=now + ends * DAY,
            extensions=list(old.extensions),
        )
        made = builder.sign(self._key, hashes.SHA256())
        issued.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return issued


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [(-9, -1, "certificate has expired"), (1, 9, "certificate is not yet valid")],
    ids=["expired", "not yet valid, as to a clock in 1970"],
)
def test_a_brokers_certificate_out_of_date_is_told_with_the_clock_as_a_cause(
    tmp_path: Path, begins: int, ends: int, words: str
) -> None:
    authority = DatedAuthority(tmp_path)
    server = authority.dated(authority.server("127.0.0.1"), begins, ends)
    with Mosquitto(tmp_path / "broker", tls=ServerTLS(server)) as broker:
        with pytest.raises(BrokerError, match=f"{words}.*this machine's clock"):
            check(Broker.from_url(broker.url, ca=authority.certificate))
        authority.dated(server, -1, 1)
        broker.kill()
        broker.start()
        check(Broker.from_url(broker.url, ca=authority.certificate))
