"""Making root files: what one shall say, and signatures of several people, added one by one. Pure."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from edge_runtime.bundle.keys import encode_public_key, key_id
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.bundle.signature import sign_bytes
from edge_runtime.bundle.trust import ROOT_FORMAT, TIME, Root, decode_draft, decode_root

if TYPE_CHECKING:
    from edge_runtime.bundle.keys import PrivateKey, PublicKey

_DEFAULT_EXPIRY = datetime(2046, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Terms:
    """What a root file shall say. Keys are told apart by id, so one given twice counts once."""

    version: int
    expires: datetime
    root_keys: Sequence["PublicKey"]
    bundle_keys: Sequence["PublicKey"]
    root_threshold: int = 1
    bundle_threshold: int = 1


def draft(terms: Terms) -> bytes:
    """A root file of these terms that nobody has signed; TrustError where none could be accepted."""
    roles = {"root": (terms.root_keys, terms.root_threshold)}
    roles["bundle"] = (terms.bundle_keys, terms.bundle_threshold)
    ids = {name: sorted({key_id(key) for key in keys}) for name, (keys, _) in roles.items()}
    public = {key_id(key): encode_public_key(key) for keys, _ in roles.values() for key in keys}
    signed = {
        "_type": "root",
        "format": ROOT_FORMAT,
        "version": terms.version,
        "expires": terms.expires.astimezone(timezone.utc).strftime(TIME),
        "keys": public,
        "roles": {
            name: {"keyids": ids[name], "threshold": threshold} for name, (_, threshold) in roles.items()
        },
    }
    raw = _file(canonical_json(signed), {})
    decode_draft(raw)
    return raw


def add_signature(raw: bytes, key: "PrivateKey") -> bytes:
    """The same root file with one more signature; unchanged where the key has signed it already.

    The signatures that are there stay, in the order of key ids, so that the order of signing leaves no
    trace. Raises TrustError for what is no root file.
    """
    found = decode_draft(raw)
    signatures = dict(found.signatures)
    signature = base64.b64encode(sign_bytes(found.root.signed, key)).decode()
    if signatures.get(name := key_id(key.public_key())) == signature:
        return raw
    return _file(found.root.signed, signatures | {name: signature})


def next_terms(
    old: Root,
    *,
    expires: datetime,
    add: Mapping[str, Sequence["PublicKey"]],
    remove: Mapping[str, Sequence[str]],
    root_threshold: int | None = None,
    bundle_threshold: int | None = None,
) -> Terms:
    """What the root after `old` says: its keys less `remove` (key ids) and `add`, both by role."""
    kept = {
        name: [old.keys[each] for each in role.key_ids if each not in remove.get(name, ())]
        for name, role in (("root", old.root), ("bundle", old.bundle))
    }
    return Terms(
        version=old.version + 1,
        expires=expires,
        root_keys=[*kept["root"], *add.get("root", ())],
        bundle_keys=[*kept["bundle"], *add.get("bundle", ())],
        root_threshold=old.root.threshold if root_threshold is None else root_threshold,
        bundle_threshold=old.bundle.threshold if bundle_threshold is None else bundle_threshold,
    )


def make_root(
    bundle_keys: Sequence["PublicKey"],
    *signing_keys: "PrivateKey",
    version: int = 1,
    expires: datetime = _DEFAULT_EXPIRY,
    bundle_threshold: int = 1,
    root_threshold: int = 1,
) -> bytes:
    """The bytes of a root file that trusts `bundle_keys` for bundles.

    `signing_keys` sign it, and their public halves become its root keys. Raises TrustError when what
    is asked for would not be accepted by `decode_root`.
    """
    root_keys = [key.public_key() for key in signing_keys]
    raw = draft(Terms(version, expires, root_keys, bundle_keys, root_threshold, bundle_threshold))
    for key in signing_keys:
        raw = add_signature(raw, key)
    decode_root(raw)
    return raw


def _file(signed: bytes, signatures: Mapping[str, str]) -> bytes:
    """`signed` goes in as it stands: it is canonical, so the whole file is too."""
    listed = canonical_json([{"keyid": name, "sig": signatures[name]} for name in sorted(signatures)])
    return b'{"signatures":' + listed + b',"signed":' + signed + b"}"
