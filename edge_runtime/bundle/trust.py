"""Whom a device trusts: a root file in TUF's style, and the question who signed a bundle.

    {"signed": {"_type": "root", "format": 1, "version": 1, "expires": "2036-01-01T00:00:00Z",
                "keys": {KEY ID: PEM}, "roles": {"root":   {"keyids": [KEY ID], "threshold": 1},
                                                 "bundle": {"keyids": [KEY ID], "threshold": 1}}},
     "signatures": [{"keyid": KEY ID, "sig": BASE64}]}

The role `root` says who may sign root files, `bundle` who may sign bundles. Signatures are over the
canonical JSON of "signed". Pure: nothing here looks at a clock.

How one is made and signed: `root_file.py`; how a next one takes its place: `rotation.py`.

Source for roles and thresholds: https://theupdateframework.github.io/specification/latest
"""

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.bundle.files import EXHAUSTED, read_small
from edge_runtime.bundle.keys import decode_public_key, key_id
from edge_runtime.bundle.manifest import MAX_RELEASE, canonical_json
from edge_runtime.bundle.signature import Signed, verify, verify_bytes
from edge_runtime.bundle.strict_json import as_shape, decode_any
from edge_runtime.durable import advice
from edge_runtime.errors import TrustError, UnreadableError
from edge_runtime.signals import raise_if_a_handlers

if TYPE_CHECKING:
    from edge_runtime.bundle.keys import PublicKey

ROOT_FORMAT = 1
MAX_ROOT_BYTES = 64 << 10
MAX_KEYS = 32
TIME = "%Y-%m-%dT%H:%M:%SZ"
_TIME_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z")


@dataclass(frozen=True)
class Role:
    """Who may sign for something, and how many of them must."""

    key_ids: tuple[str, ...]
    threshold: int


@dataclass(frozen=True)
class Root:
    """A checked root file.

    `raw` is the file itself, for whoever keeps it; `signed` is the canonical JSON that its signatures
    are over. Two files with the same `signed` are one root, whoever has signed them since.
    """

    version: int
    expires: datetime
    keys: Mapping[str, "PublicKey"]
    root: Role
    bundle: Role
    raw: bytes
    signed: bytes

    def keys_of(self, role: Role) -> dict[str, "PublicKey"]:
        return {name: self.keys[name] for name in role.key_ids}


def load_root(path: str | os.PathLike[str]) -> Root:
    """Read a root file; raises TrustError, or UnreadableError where too many files are open."""
    try:
        raw = read_small(path, MAX_ROOT_BYTES)
    except OSError as error:
        raise_if_a_handlers(error)
        told = f"{path}: the root file cannot be read: {error.strerror}."
        if what_to_do := EXHAUSTED.get(error.errno or 0):
            raise UnreadableError(f"{told} {what_to_do}") from error
        if isinstance(error, PermissionError):
            raise TrustError(f"{told} {advice(path, error)}") from error
        raise TrustError(
            f"{told} `edge-runtime keys generate` makes one; a device gets its fleet's."
        ) from error
    try:
        return decode_root(raw)
    except TrustError as error:
        raise TrustError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Draft:
    """A root file whose signatures were not counted yet: base64 by key id, each id once."""

    root: Root
    signatures: Mapping[str, str]

    def signers(self, role_of: Root) -> frozenset[str]:
        """The distinct root keys of a root that signed this one.

        Raises TrustError when a signature filed under one of them is wrong; other keys' are passed over.
        """
        own = role_of.keys_of(role_of.root)
        signers = frozenset(self.signatures.keys() & own.keys())
        for name in sorted(signers):
            if not verify_bytes(_base64(self.signatures[name]), self.root.signed, own[name]):
                raise TrustError(
                    f"root file: expected a valid signature by key {name}, found a wrong one. "
                    "The file was altered or damaged: fetch it again."
                )
        return signers


def decode_root(raw: bytes) -> Root:
    """Read and check a root file's bytes.

    It must be signed by enough of its own root keys; each role needs a threshold from 1 to the number
    of its keys. Raises TrustError.
    """
    draft = decode_draft(raw)
    signers, needed = draft.signers(draft.root), draft.root.root.threshold
    if len(signers) < needed:
        raise TrustError(
            f"root file: expected signatures by {needed} of its own root keys, found {len(signers)}. "
            "`edge-runtime keys sign-root` adds one; a device gets its fleet's."
        )
    return draft.root


def decode_draft(raw: bytes) -> Draft:
    """Read a root file that more people may have to sign; all but the signatures is checked.

    Raises TrustError.
    """
    value = decode_any(raw, subject="root file", max_bytes=MAX_ROOT_BYTES)
    file = as_shape(value, _File, subject="root file")
    body = file.signed
    if (body.type, body.format) != ("root", ROOT_FORMAT):
        raise _fault(f"type 'root' and format {ROOT_FORMAT}", f"{body.type!a} and {body.format}")
    if not 1 <= body.version <= MAX_RELEASE:
        raise _fault(f"a version of 1 or more, up to {MAX_RELEASE}", str(body.version))
    names = [signature.keyid for signature in file.signatures]
    if len(names) > MAX_KEYS or len(set(names)) != len(names):
        raise _fault(f"at most {MAX_KEYS} signatures, one for each key", f"{len(names)} of them")
    keys = _keys(body.keys)
    root = Root(
        version=body.version,
        expires=_time(body.expires),
        keys=keys,
        root=_role("root", body.roles.root, keys),
        bundle=_role("bundle", body.roles.bundle, keys),
        raw=raw,
        signed=_canonical(value["signed"]),
    )
    return Draft(root, {each.keyid: each.sig for each in file.signatures})


def is_expired(root: Root, now: datetime) -> bool:
    """Whether a root file's time has passed; `now` carries its time zone.

    Whether `now` can be believed is not asked here: see `edge_runtime.bundle.expiry`.
    """
    return now >= root.expires


def signed_files(root: Root, signatures: Mapping[str, bytes]) -> Signed:
    """What enough of the root's bundle keys say about a bundle's files.

    `signatures` holds envelopes by the key id they are filed under. Those of keys the root does not
    name are passed over; each of the others must be valid, and all must say the same.
    Raises TrustError when fewer distinct keys signed than the threshold demands.
    """
    trusted = root.keys_of(root.bundle)
    if not signatures:
        raise TrustError(
            f"expected a signature by one of the trusted keys {_listed(trusted)}, found none. "
            "Sign it with `edge-runtime sign`, or allow unsigned bundles on purpose."
        )
    found = [
        verify(signatures[name], {name: trusted[name]}) for name in sorted(trusted.keys() & signatures)
    ]
    signers = frozenset[str]().union(*(each.key_ids for each in found))
    if len(signers) < root.bundle.threshold:
        raise TrustError(
            f"expected signatures by at least {root.bundle.threshold} of the trusted keys "
            f"{_listed(trusted)}, found {len(signers)} by them and {len(signatures) - len(signers)} by "
            f"others ({_listed(signatures.keys() - signers)}). Use the root file of this bundle's "
            "signer, or have it signed by a trusted key."
        )
    if any(each.files != found[0].files for each in found):
        raise TrustError("expected all signers to have signed the same files, found different ones.")
    return Signed(found[0].files, signers)


def _keys(pems: Mapping[str, str]) -> dict[str, "PublicKey"]:
    if len(pems) > MAX_KEYS:
        raise _fault(f"at most {MAX_KEYS} keys", str(len(pems)))
    keys = {
        name: decode_public_key(pem, subject=f"root file: key {name[:64]!a}")
        for name, pem in pems.items()
    }
    for name, public in keys.items():
        if key_id(public) != name:
            raise _fault(f"key {key_id(public)} under its own id", f"it under {name[:64]!a}")
    return keys


def _role(name: str, role: "_FileRole", keys: Mapping[str, Any]) -> Role:
    ids = role.keyids
    if len(set(ids)) != len(ids):
        raise _fault(f"each key of the role {name!r} once", "one twice")
    if unknown := sorted(set(ids) - keys.keys()):
        raise _fault(
            f"the keys of the role {name!r} among its keys", f"{unknown[0][:64]!a}, which is not"
        )
    if not 1 <= role.threshold <= len(ids):
        raise _fault(
            f"a threshold from 1 to the {len(ids)} keys of the role {name!r}", str(role.threshold)
        )
    return Role(tuple(ids), role.threshold)


def _time(text: str) -> datetime:
    try:
        if _TIME_SHAPE.match(text):
            return datetime.strptime(text, TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        pass
    raise _fault("an expiry such as 2036-01-01T00:00:00Z", f"{text[:40]!a}")


def _canonical(value: Any) -> bytes:
    try:
        return canonical_json(value)
    except RecursionError as error:
        raise _fault("flat JSON", "it nested too deeply") from error


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise _fault("signatures in base64", f"{text[:40]!a}") from error


def _listed(names: Any) -> str:
    return ", ".join(name[:12] for name in sorted(names)) or "(none)"


def _fault(expected: str, found: str) -> TrustError:
    return TrustError(
        f"root file: expected {expected}, found {found}. "
        "`edge-runtime keys generate` makes a valid one; a device gets its fleet's."
    )


class _FileRole(msgspec.Struct, frozen=True):
    keyids: list[str]
    threshold: int


class _Roles(msgspec.Struct, frozen=True):
    root: _FileRole
    bundle: _FileRole


class _Body(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="_type")
    format: int
    version: int
    expires: str
    keys: dict[str, str]
    roles: _Roles


class _RootSignature(msgspec.Struct, frozen=True):
    keyid: str
    sig: str


class _File(msgspec.Struct, frozen=True):
    signed: _Body
    signatures: list[_RootSignature]
