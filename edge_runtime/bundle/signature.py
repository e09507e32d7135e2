"""Signatures: OpenSSF Model Signing v1.0, made and checked with `cryptography` alone.

One envelope is a sigstore bundle v0.3 that holds a DSSE envelope with one ECDSA P-256 signature over
an in-toto statement. The statement lists the SHA-256 of every file. The tool `model_signing` verifies
what `sign` makes over the unpacked files, and `verify` accepts what that tool makes.

Sources: https://github.com/sigstore/model-transparency (v1.0), https://docs.sigstore.dev/about/bundle,
https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md, RFC 6979.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.bundle.archive import MAX_ENTRIES, is_name
from edge_runtime.bundle.keys import generate_private_key, key_id, load_private_key
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.bundle.reader import FOLDER, MAX_ENVELOPE_BYTES
from edge_runtime.bundle.strict_json import decode_strict
from edge_runtime.errors import TrustError

if TYPE_CHECKING:
    from edge_runtime.bundle.keys import PrivateKey, PublicKey

__all__ = [
    "FOLDER",
    "MAX_ENVELOPE_BYTES",
    "Signed",
    "generate_private_key",
    "key_id",
    "load_private_key",
    "sign",
    "sign_bytes",
    "verify",
    "verify_bytes",
]


_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Signed:
    """What a valid signature says: SHA-256 by file name, and the ids of the keys that say so."""

    files: dict[str, str]
    key_ids: frozenset[str]


def sign(files: Mapping[str, str], *, name: str, key: "PrivateKey") -> bytes:
    """A signature over `files` (name to SHA-256 in hexadecimal); `name` is for people to read.

    The same arguments give the same bytes (ECDSA after RFC 6979).
    """
    statement = canonical_json(_statement(files, name))
    envelope = {
        "payload": base64.b64encode(statement).decode(),
        "payloadType": _PAYLOAD_TYPE,
        "signatures": [
            {"keyid": "", "sig": base64.b64encode(sign_bytes(_pae(statement), key)).decode()}
        ],
    }
    material = {"publicKey": {"hint": key_id(key.public_key())}, "tlogEntries": []}
    return canonical_json(
        {"mediaType": _MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}
    )


def verify(envelope: bytes, keys: Mapping[str, "PublicKey"]) -> Signed:
    """Check a signature against the trusted keys, by key id, and read what it says.

    Raises TrustError when the key is not among them, the signature is wrong, or anything about the
    envelope or its statement is not as OpenSSF Model Signing v1.0 and this format demand.
    """
    read = decode_strict(envelope, _Envelope, subject="signature", max_bytes=MAX_ENVELOPE_BYTES)
    _demand(read.media_type == _MEDIA_TYPE, f"media type {_MEDIA_TYPE}", read.media_type)
    dsse = read.dsse
    _demand(dsse.payload_type == _PAYLOAD_TYPE, f"payload type {_PAYLOAD_TYPE}", dsse.payload_type)
    _demand(len(dsse.signatures) == 1, "one signature in the envelope", len(dsse.signatures))
    hint = read.material.public_key.hint
    public = keys.get(hint)
    if public is None:
        raise TrustError(
            f"signature: expected one of the trusted keys {_listed(keys)}, found key {hint[:80]!a}. "
            "Sign with a trusted key, or use the root file that belongs to this signer."
        )
    payload = _base64(dsse.payload, "payload")
    if not verify_bytes(_base64(dsse.signatures[0].sig, "signature"), _pae(payload), public):
        raise TrustError(
            f"signature: expected a signature by key {hint}, found one that does not match what it "
            "signs. The bundle was altered or damaged: fetch it again."
        )
    return Signed(_files(payload), frozenset({hint}))


def sign_bytes(message: bytes, key: "PrivateKey") -> bytes:
    """ECDSA with SHA-256 over `message`, in DER, with the nonce of RFC 6979."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        return key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    except UnsupportedAlgorithm as error:
        raise TrustError(
            "signing: the cryptography library here is built on an OpenSSL older than 3.2, which cannot "
            "sign reproducibly. Install its wheel from PyPI: pip install --force-reinstall cryptography"
        ) from error


def verify_bytes(signature: bytes, message: bytes, public: "PublicKey") -> bool:
    """Whether `signature` is ECDSA with SHA-256 by this key over `message`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is really signed."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)


def _statement(files: Mapping[str, str], name: str) -> dict[str, Any]:
    # model_signing sorts by path component, which differs from sorting the strings: a/b before a-b/c.
    names = sorted(files, key=lambda file: file.split("/"))
    return {
        "_type": _STATEMENT_TYPE,
        "predicateType": _PREDICATE_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _root_digest(files[file] for file in names)}}],
        "predicate": {
            # Ignored by the verifying tool, which hashes everything else it finds in the folder.
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [FOLDER],
            },
            "resources": [
                {"name": file, "algorithm": "sha256", "digest": files[file]} for file in names
            ],
        },
    }


def _files(payload: bytes) -> dict[str, str]:
    """The digests by name of a statement whose signature was checked."""
    statement = decode_strict(
        payload, _Statement, subject="signed statement", max_bytes=MAX_ENVELOPE_BYTES
    )
    predicate, serialization = statement.predicate, statement.predicate.serialization
    _demand(statement.type == _STATEMENT_TYPE, f"type {_STATEMENT_TYPE}", statement.type)
    found = statement.predicate_type
    _demand(found == _PREDICATE_TYPE, f"predicate {_PREDICATE_TYPE}", found)
    _demand(serialization.method == "files", "method 'files'", serialization.method)
    _demand(serialization.hash_type == "sha256", "hash 'sha256'", serialization.hash_type)
    _demand(not serialization.allow_symlinks, "no symbolic links", "links allowed")
    _demand(
        len(predicate.resources) <= MAX_ENTRIES, f"at most {MAX_ENTRIES} files", len(predicate.resources)
    )
    files: dict[str, str] = {}
    for resource in predicate.resources:
        _demand(is_name(resource.name), "file names a bundle may have", resource.name)
        _demand(resource.name not in files, "each file once", resource.name)
        _demand(resource.algorithm == "sha256", "algorithm 'sha256'", resource.algorithm)
        _demand(_SHA256.match(resource.digest) is not None, "64 hexadecimal digits", resource.digest)
        files[resource.name] = resource.digest
    _demand(len(statement.subject) == 1, "one subject", len(statement.subject))
    stated, computed = statement.subject[0].digest.sha256, _root_digest(files.values())
    _demand(stated == computed, f"the digest {computed} over all files", stated)
    return files


def _root_digest(digests: Any) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in digests)).hexdigest()


def _base64(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    _demand(base64.b64encode(raw).decode() == text, f"{what} in base64", text)
    return raw


def _demand(holds: bool, expected: str, found: object) -> None:
    if not holds:
        shown = f"{found!a}"
        raise TrustError(
            f"signature: expected {expected}, found {shown[:80]}. It was not made for edge-runtime."
        )


def _listed(keys: Mapping[str, Any]) -> str:
    return ", ".join(sorted(keys)) or "(none)"


class _Hint(msgspec.Struct, frozen=True):
    hint: str


class _Material(msgspec.Struct, frozen=True):
    public_key: _Hint = msgspec.field(name="publicKey")


class _Signature(msgspec.Struct, frozen=True):
    sig: str


class _Dsse(msgspec.Struct, frozen=True):
    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: list[_Signature]


class _Envelope(msgspec.Struct, frozen=True):
    media_type: str = msgspec.field(name="mediaType")
    material: _Material = msgspec.field(name="verificationMaterial")
    dsse: _Dsse = msgspec.field(name="dsseEnvelope")


class _Sha256(msgspec.Struct, frozen=True):
    sha256: str


class _Subject(msgspec.Struct, frozen=True):
    digest: _Sha256


class _Serialization(msgspec.Struct, frozen=True):
    method: str
    hash_type: str
    allow_symlinks: bool


class _Resource(msgspec.Struct, frozen=True):
    name: str
    algorithm: str
    digest: str


class _Predicate(msgspec.Struct, frozen=True):
    serialization: _Serialization
    resources: list[_Resource]


class _Statement(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="_type")
    predicate_type: str = msgspec.field(name="predicateType")
    subject: list[_Subject]
    predicate: _Predicate
