"""Adding a signature to a bundle that exists: the same bytes as if it had been sealed with that key."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundle.archive import write_archive
from edge_runtime.bundle.keys import key_id
from edge_runtime.bundle.reader import MANIFEST, MAX_SIGNATURES, Bundle, open_bundle
from edge_runtime.bundle.signature import FOLDER, sign, verify
from edge_runtime.errors import TrustError

if TYPE_CHECKING:
    from edge_runtime.bundle.keys import PrivateKey


@dataclass(frozen=True)
class SignedBundle:
    """The bundle's bytes, its identity, whose signatures it carries, and whether one was added."""

    raw: bytes
    digest: str
    signed_by: tuple[str, ...]
    is_new: bool


def with_signature(path: Path, key: "PrivateKey") -> SignedBundle:
    """The bundle at `path` with a signature by `key` as well; all its bytes are checked first.

    A key that has signed these very files adds nothing. Raises BundleError for what is no bundle, and
    TrustError when the key's place is taken by another signature, or by as many as a bundle may have.
    """
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        entries = {name: bundle.read(name) for name in bundle.names}
        digests = _digests(bundle)
        signers = bundle.signed_by()
        title = f"{bundle.manifest.name}-{bundle.manifest.version}"
        digest = bundle.digest
    own = key_id(key.public_key())
    place = f"{FOLDER}/{own}.sig"
    is_new = place not in entries
    if not is_new:
        _demand_it_signs(path, entries[place], key, digests)
    elif len(signers) >= MAX_SIGNATURES:
        raise TrustError(
            f"{path}: expected fewer than {MAX_SIGNATURES} signatures, found {len(signers)}. A bundle "
            "may have no more: convert it again and let those sign who must."
        )
    else:
        entries[place] = sign(digests, name=title, key=key)
        signers = tuple(sorted({*signers, own}))
    return SignedBundle(write_archive(entries), digest, signers, is_new)


def _digests(bundle: Bundle) -> dict[str, str]:
    """SHA-256 by name of what a signature is over."""
    files = {name: file.sha256 for name, file in bundle.manifest.files.items()}
    return {MANIFEST: bundle.digest, **files}


def _demand_it_signs(path: Path, envelope: bytes, key: "PrivateKey", digests: dict[str, str]) -> None:
    own = key_id(key.public_key())
    if verify(envelope, {own: key.public_key()}).files != digests:
        raise TrustError(
            f"{path}: expected the signature by key {own} to be over this bundle's files, found one "
            "over others. The bundle was put together from two: fetch or convert it again."
        )
