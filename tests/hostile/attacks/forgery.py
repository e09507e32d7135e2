"""Forged signatures, and ways to be counted without having signed."""

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime.bundle import decode_root, make_root, sign
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.bundle.signature import sign_bytes
from edge_runtime.errors import BundleError, TrustError
from tests.hostile.building import GOOD, Files, archive, opening, sha256, signature_name, signed
from tests.hostile.case import Attempt, Case, Make
from tests.support.tiny_bundle import KEY, OTHER_KEY

GROUP = "forgery"
DUPLICATE_SIGNER = "CVE-2020-6174, CVE-2020-15093"
PAYLOAD_TYPE = b"application/vnd.in-toto+json"
NAME = signature_name(KEY)
DIGESTS = {name: sha256(data) for name, data in GOOD.items()}
VERIFY = "bundle.signature.verify: "
FILES = "bundle.signature._files: "
Envelope = dict[str, Any]


def _envelope() -> Envelope:
    return dict(json.loads(signed(GOOD)[NAME]))


def _pae(payload: bytes, kind: bytes = PAYLOAD_TYPE) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _enveloped(change: Callable[[Envelope], object]) -> Make:
    """The good bundle with an envelope that was changed after it was signed."""

    def make(folder: Path) -> Attempt:
        envelope = _envelope()
        change(envelope)
        return opening(archive({**GOOD, NAME: canonical_json(envelope)}), folder)

    return make


def _stated(change: Callable[[dict[str, Any]], object]) -> Make:
    """The good bundle with a statement that was changed and then signed properly."""

    def change_both(envelope: Envelope) -> None:
        dsse = envelope["dsseEnvelope"]
        statement = json.loads(base64.b64decode(dsse["payload"]))
        change(statement)
        payload = canonical_json(statement)
        dsse["payload"] = base64.b64encode(payload).decode()
        signature = sign_bytes(_pae(payload), KEY)
        dsse["signatures"][0]["sig"] = base64.b64encode(signature).decode()

    return _enveloped(change_both)


def _unread_bits(envelope: Envelope) -> None:
    """Another spelling of the same payload: a last group of one byte leaves four bits over."""
    dsse = envelope["dsseEnvelope"]
    statement = json.loads(base64.b64decode(dsse["payload"]))
    while len(payload := canonical_json(statement)) % 3 != 1:
        statement["subject"][0]["name"] += "x"
    spelled = base64.b64encode(payload).decode()
    dsse["payload"] = f"{spelled[:-3]}{chr(ord(spelled[-3]) + 1)}=="
    assert base64.b64decode(dsse["payload"]) == payload
    dsse["signatures"][0]["sig"] = base64.b64encode(sign_bytes(_pae(payload), KEY)).decode()


def _of_files(files: Files, **trust: Any) -> Make:
    return lambda folder: opening(archive(files), folder, **trust)


def _resigned(sign_it: Callable[[bytes], bytes]) -> Callable[[Envelope], None]:
    def change(envelope: Envelope) -> None:
        dsse = envelope["dsseEnvelope"]
        raw = sign_it(base64.b64decode(dsse["payload"]))
        dsse["signatures"][0]["sig"] = base64.b64encode(raw).decode()

    return change


def _flipped(envelope: Envelope) -> None:
    sig = bytearray(base64.b64decode(envelope["dsseEnvelope"]["signatures"][0]["sig"]))
    sig[-1] ^= 1
    envelope["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(bytes(sig)).decode()


def _two_signers(name_of_second: str, second: bytes) -> Files:
    return {**signed(GOOD), name_of_second: second}


def _two_needed() -> Any:
    return decode_root(
        make_root([KEY.public_key(), OTHER_KEY.public_key()], KEY, OTHER_KEY, bundle_threshold=2)
    )


def _copied_under_the_other_name(folder: Path) -> Attempt:
    files = _two_signers(signature_name(OTHER_KEY), signed(GOOD)[NAME])
    return opening(archive(files), folder, whom=_two_needed())


def _signers_disagree(folder: Path) -> Attempt:
    other = sign({**DIGESTS, "card.md": "0" * 64}, name="x", key=OTHER_KEY)
    files = _two_signers(signature_name(OTHER_KEY), other)
    return opening(archive(files), folder, whom=_two_needed())


_case = partial(Case, GROUP, error=TrustError)
MATCH = VERIFY + "found one that does not match"
ENOUGH = "bundle.trust.signed_files: expected signatures by at least"
CASES = (
    _case("one bit of the signature", _enveloped(_flipped), (MATCH,), "does not match"),
    _case(
        "by another key under the trusted hint",
        _enveloped(_resigned(lambda payload: sign_bytes(_pae(payload), OTHER_KEY))),
        (MATCH,),
        "does not match",
    ),
    _case(
        "over the bare payload, without DSSE's type",
        _enveloped(_resigned(lambda payload: sign_bytes(payload, KEY))),
        (MATCH,),
        "does not match",
    ),
    _case(
        "over another payload type",
        _enveloped(_resigned(lambda payload: sign_bytes(_pae(payload, b"text/plain"), KEY))),
        (MATCH,),
        "does not match",
    ),
    _case(
        "with SHA-512 in place of SHA-256",
        _enveloped(_resigned(lambda payload: KEY.sign(_pae(payload), ec.ECDSA(hashes.SHA512())))),
        (MATCH,),
        "does not match",
    ),
    _case(
        "of r = s = 0",
        _enveloped(_resigned(lambda _: bytes.fromhex("3006020100020100"))),
        (MATCH,),
        "does not match",
        advisory="CVE-2022-21449",
    ),
    _case("an empty signature", _enveloped(_resigned(lambda _: b"")), (MATCH,), "does not match"),
    _case(
        "a payload type that nobody asked for",
        _enveloped(lambda each: each["dsseEnvelope"].update(payloadType="text/plain")),
        (VERIFY + "payload type",),
        "expected payload type application/vnd.in-toto.json, found 'text/plain'",
    ),
    _case(
        "another media type",
        _enveloped(lambda each: each.update(mediaType="application/json")),
        (VERIFY + "media type",),
        "expected media type .* found 'application/json'",
    ),
    _case(
        "two signatures in one envelope",
        _enveloped(lambda each: each["dsseEnvelope"]["signatures"].append({"sig": ""})),
        (VERIFY + "one signature in the envelope",),
        "expected one signature in the envelope, found 2",
    ),
    _case(
        "base64 with bits that nobody reads",
        _enveloped(_unread_bits),
        ("bundle.signature._base64: in base64",),
        "expected payload in base64",
    ),
    _case(
        "another statement type",
        _stated(lambda each: each.update(_type="https://in-toto.io/Statement/v0.1")),
        (FILES + "type {_STATEMENT_TYPE}",),
        "expected type .*Statement/v1, found",
    ),
    _case(
        "a predicate of something else",
        _stated(lambda each: each.update(predicateType="https://slsa.dev/provenance/v1")),
        (FILES + "predicate {_PREDICATE_TYPE}",),
        "expected predicate .* found 'https://slsa",
    ),
    _case(
        "files hashed by another algorithm",
        _stated(lambda each: each["predicate"]["resources"][0].update(algorithm="md5")),
        (FILES + "algorithm 'sha256'",),
        "expected algorithm 'sha256', found 'md5'",
    ),
    _case(
        "symbolic links allowed",
        _stated(lambda each: each["predicate"]["serialization"].update(allow_symlinks=True)),
        (FILES + "no symbolic links",),
        "expected no symbolic links",
    ),
    _case(
        "a digest over other files",
        _stated(lambda each: each["subject"][0]["digest"].update(sha256="0" * 64)),
        (FILES + "over all files",),
        "expected the digest [0-9a-f]{64} over all files",
    ),
    _case(
        "a file listed twice",
        _stated(lambda each: each["predicate"]["resources"].append(each["predicate"]["resources"][0])),
        (FILES + "each file once", FILES + "over all files"),
        "expected each file once",
    ),
    _case(
        "two subjects",
        _stated(lambda each: each["subject"].append(each["subject"][0])),
        (FILES + "one subject",),
        "expected one subject, found 2",
    ),
    _case(
        "no signature at all",
        _of_files(GOOD),
        ("bundle.trust.signed_files: expected a signature by one of",),
        "expected a signature by one of the trusted keys .* found none",
    ),
    _case(
        "a stranger's signature",
        _of_files(signed(GOOD, OTHER_KEY)),
        (ENOUGH,),
        "found 0 by them and 1 by others",
    ),
    _case(
        "one of two signers",
        _of_files(signed(GOOD), whom=_two_needed()),
        (ENOUGH,),
        "expected signatures by at least 2 of the trusted keys .* found 1",
    ),
    _case(
        "one signature under two names",
        _copied_under_the_other_name,
        (VERIFY + "expected one of the trusted keys",),
        "expected one of the trusted keys",
        advisory=DUPLICATE_SIGNER,
    ),
    _case(
        "two signers of different files",
        _signers_disagree,
        ("bundle.trust.signed_files: all signers to have signed the same files",),
        "expected all signers to have signed the same files, found different ones",
    ),
    _case(
        "a file altered after it was signed",
        _of_files({**signed(GOOD), "card.md": b"Trust me." + GOOD["card.md"][9:]}),
        ("bundle.reader.Bundle._digested: _altered",),
        r"card.md: expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}",
        error=BundleError,
    ),
)
