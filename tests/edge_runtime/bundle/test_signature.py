"""Signatures: what is signed is what is read, and nothing is read leniently."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle import key_id, sign, verify
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.bundle.signature import sign_bytes
from edge_runtime.errors import TrustError
from tests.support.tiny_bundle import KEY, OTHER_KEY

FILES = {"manifest.json": "ab" * 32, "variants/fp32/model.onnx": "cd" * 32}
KEYS = {key_id(KEY.public_key()): KEY.public_key()}
ENVELOPE = sign(FILES, name="tiny-1.0.0", key=KEY)


def test_a_signature_says_which_files_were_signed_and_by_whom() -> None:
    signed = verify(ENVELOPE, KEYS)

    assert signed.files == FILES
    assert signed.key_ids == frozenset(KEYS)


def test_the_same_files_and_key_give_the_same_bytes() -> None:
    again = sign(dict(reversed(FILES.items())), name="tiny-1.0.0", key=KEY)

    assert again == ENVELOPE


def test_a_key_that_is_not_trusted_is_named() -> None:
    foreign = sign(FILES, name="tiny", key=OTHER_KEY)

    with pytest.raises(TrustError, match=f"found key '{key_id(OTHER_KEY.public_key())}'"):
        verify(foreign, KEYS)


def test_a_signature_under_a_trusted_key_s_name_must_be_made_by_it() -> None:
    forged = json.loads(sign(FILES, name="tiny", key=OTHER_KEY))
    forged["verificationMaterial"]["publicKey"]["hint"] = key_id(KEY.public_key())

    with pytest.raises(TrustError, match="does not match what it signs"):
        verify(canonical_json(forged), KEYS)


@given(st.integers(0, len(ENVELOPE) - 1), st.integers(1, 255))
def test_a_changed_byte_never_changes_what_was_signed(position: int, change: int) -> None:
    altered = bytearray(ENVELOPE)
    altered[position] ^= change
    try:
        signed = verify(bytes(altered), KEYS)
    except TrustError:
        return
    # Only what is neither signed nor used can differ: the empty `keyid`, `tlogEntries`, their names.
    assert signed == verify(ENVELOPE, KEYS)


@given(st.binary(max_size=500))
def test_garbage_is_a_trust_error_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(TrustError):
        verify(raw, KEYS)


def _envelope(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(ENVELOPE)
    change(value)
    return canonical_json(value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda e: e.update(mediaType="application/json"), "media type"),
        (lambda e: e.pop("verificationMaterial"), "verificationMaterial"),
        (lambda e: e["verificationMaterial"].update(publicKey={}), "hint"),
        (lambda e: e["dsseEnvelope"].update(payloadType="text/plain"), "payload type"),
        (lambda e: e["dsseEnvelope"].update(signatures=[]), "one signature in the envelope, found 0"),
        (lambda e: e["dsseEnvelope"]["signatures"].append({"sig": "AA=="}), "one signature .* found 2"),
        (lambda e: e["dsseEnvelope"].update(payload="!!"), "payload in base64"),
        (lambda e: e["dsseEnvelope"].update(payload=e["dsseEnvelope"]["payload"] + "\n"), "base64"),
        (lambda e: e["dsseEnvelope"]["signatures"][0].update(sig="AB=="), "signature in base64"),
        (lambda e: e["dsseEnvelope"]["signatures"][0].update(sig="AA=="), "does not match"),
        (lambda e: e["dsseEnvelope"]["signatures"][0].update(sig=""), "does not match"),
        (lambda e: e["dsseEnvelope"].update(payload=7), "Expected `str`"),
    ],
)
def test_an_envelope_out_of_the_ordinary_is_refused(
    change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    with pytest.raises(TrustError, match=complaint):
        verify(_envelope(change), KEYS)


def _signed_statement(change: Callable[[dict[str, Any]], object]) -> bytes:
    """An envelope properly signed, over a statement that is not as it should be."""

    def replace(envelope: dict[str, Any]) -> None:
        dsse = envelope["dsseEnvelope"]
        statement = json.loads(base64.b64decode(dsse["payload"]))
        change(statement)
        resign(dsse, canonical_json(statement))

    return _envelope(replace)


def resign(dsse: dict[str, Any], payload: bytes) -> None:
    kind = dsse["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    dsse["payload"] = base64.b64encode(payload).decode()
    dsse["signatures"][0]["sig"] = base64.b64encode(sign_bytes(signed, KEY)).decode()


def _serialization(statement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = statement["predicate"]["serialization"]
    return found


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"), "expected type"),
        (lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"), "expected predicate"),
        (lambda s: _serialization(s).update(method="shards"), "method 'files', found 'shards'"),
        (lambda s: _serialization(s).update(hash_type="blake2"), "hash 'sha256'"),
        (lambda s: _serialization(s).update(allow_symlinks=True), "no symbolic links"),
        (lambda s: _serialization(s).pop("allow_symlinks"), "allow_symlinks"),
        (lambda s: s["predicate"]["resources"][0].update(algorithm="md5"), "algorithm 'sha256'"),
        (lambda s: s["predicate"]["resources"][0].update(digest="AB" * 32), "64 hexadecimal"),
        (lambda s: s["predicate"]["resources"][0].update(digest="ab"), "64 hexadecimal"),
        (lambda s: s["predicate"]["resources"][0].update(name="../etc/passwd"), "file names"),
        (lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]), "each file once"),
        (lambda s: s["predicate"]["resources"].pop(), "over all files"),
        (lambda s: s["predicate"]["resources"].extend([{}] * 300), "name"),
        (lambda s: s["subject"].append(s["subject"][0]), "one subject, found 2"),
        (lambda s: s.update(subject=[]), "one subject, found 0"),
        (lambda s: s["subject"][0]["digest"].update(sha256="00" * 32), "over all files"),
    ],
)
def test_a_statement_out_of_the_ordinary_is_refused_however_well_it_is_signed(
    change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    with pytest.raises(TrustError, match=complaint):
        verify(_signed_statement(change), KEYS)


def test_more_files_than_a_bundle_holds_are_refused() -> None:
    many = {f"f{number}": "ab" * 32 for number in range(257)}

    with pytest.raises(TrustError, match="at most 256 files, found 257"):
        verify(sign(many, name="many", key=KEY), KEYS)


def test_a_key_that_appears_twice_in_the_json_is_refused() -> None:
    twice = ENVELOPE.replace(b'{"dsseEnvelope"', b'{"mediaType":"x","dsseEnvelope"', 1)
    with pytest.raises(TrustError, match="'mediaType' twice"):
        verify(twice, KEYS)


def test_a_key_that_appears_twice_in_the_signed_statement_is_refused() -> None:
    def repeat(envelope: dict[str, Any]) -> None:
        dsse = envelope["dsseEnvelope"]
        payload = base64.b64decode(dsse["payload"])
        resign(dsse, payload.replace(b'{"_type"', b'{"subject":[],"_type"', 1))

    with pytest.raises(TrustError, match="'subject' twice"):
        verify(_envelope(repeat), KEYS)


@pytest.mark.parametrize(
    "raw",
    [b"[" * 200_000, b'{"a":NaN}', b"\xff", b"{}" * 600_000, b"", b"[1]", b'"' + b"\\ud800" * 3 + b'"'],
)
def test_json_that_means_harm_is_refused(raw: bytes) -> None:
    with pytest.raises(TrustError):
        verify(raw, KEYS)


def test_keys_on_other_curves_do_not_verify() -> None:
    other = ec.derive_private_key(7, ec.SECP384R1())

    with pytest.raises(TrustError, match="does not match"):
        verify(ENVELOPE, {key_id(KEY.public_key()): other.public_key()})
