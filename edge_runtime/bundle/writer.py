"""Seal a bundle: list every file in the manifest, sign the list, write the archive."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from edge_runtime.bundle.archive import write_archive
from edge_runtime.bundle.keys import key_id
from edge_runtime.bundle.manifest import File, Manifest, decode, encode
from edge_runtime.bundle.reader import MANIFEST, MAX_SIGNATURES
from edge_runtime.bundle.signature import FOLDER, sign
from edge_runtime.errors import ManifestError

if TYPE_CHECKING:
    from edge_runtime.bundle.keys import PrivateKey


def seal(manifest: Manifest, artifacts: Mapping[str, bytes], keys: Sequence["PrivateKey"]) -> bytes:
    """The bytes of a bundle of these artifacts (name to contents), signed by each key.

    `manifest.files` is filled in here. The same arguments give the same bytes. No keys: an unsigned
    bundle. Raises ManifestError or ArchiveError for what no reader would open.
    """
    if len(keys) > MAX_SIGNATURES:
        raise ManifestError(f"expected at most {MAX_SIGNATURES} signing keys, found {len(keys)}.")
    if reserved := sorted(n for n in artifacts if n == MANIFEST or n.split("/")[0] == FOLDER):
        raise ManifestError(
            f"artifact {reserved[0]!a}: expected a name other than {MANIFEST} and {FOLDER}/..., "
            "which sealing writes itself. Rename it."
        )
    files = {name: File(sha256=_sha256(data), size=len(data)) for name, data in artifacts.items()}
    raw = encode(msgspec.structs.replace(manifest, files=files))
    decode(raw)  # what is written must open: a NaN, for one, has no JSON
    digests = {MANIFEST: _sha256(raw)} | {name: file.sha256 for name, file in files.items()}
    name = f"{manifest.name}-{manifest.version}"
    signatures = {
        f"{FOLDER}/{key_id(key.public_key())}.sig": sign(digests, name=name, key=key) for key in keys
    }
    return write_archive({MANIFEST: raw, **artifacts, **signatures})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
