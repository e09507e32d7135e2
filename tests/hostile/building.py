"""Bundles that are right in all but what a case changes: manifest, archive and signatures follow."""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import onnx
from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime.bundle import Bundle, Root, key_id, open_bundle, open_folder, sign
from edge_runtime.bundle.manifest import canonical_json
from edge_runtime.model import from_bundle
from tests.hostile.case import Attempt, Make
from tests.support.tiny_bundle import KEY, MODEL_FILE, root, tiny_bundle
from tests.support.unpacked import payloads

Files = dict[str, bytes]
Change = Callable[[dict[str, Any], Files], object]  # of a manifest and the artifacts
MANIFEST = "manifest.json"
GOOD = {
    name: data for name, data in payloads(tiny_bundle()).items() if name.split("/")[0] != "signatures"
}
CENTRAL = struct.Struct("<4s6H3I5H2I")
LOCAL = struct.Struct("<4s5H3I2H")
END = struct.Struct("<4s4H2IH")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signature_name(key: ec.EllipticCurvePrivateKey) -> str:
    return f"signatures/{key_id(key.public_key())}.sig"


def signed(files: Mapping[str, bytes], *keys: ec.EllipticCurvePrivateKey) -> Files:
    """The files with a signature over all of them by each key (the tests' own, where none is given)."""
    digests = {name: sha256(data) for name, data in files.items()}
    made = {signature_name(key): sign(digests, name="tiny-1.0.0", key=key) for key in keys or (KEY,)}
    return {**files, **made}


def relisted(change: Change, *keys: ec.EllipticCurvePrivateKey) -> Files:
    """The good bundle after `change` of its manifest and artifacts, listed and signed anew.

    Where `change` puts another value in the place of `manifest["files"]`, that one counts.
    """
    files = {name: data for name, data in GOOD.items() if name != MANIFEST}
    manifest = json.loads(GOOD[MANIFEST])
    listed = manifest["files"]
    change(manifest, files)
    if manifest["files"] is listed:
        manifest["files"] = listing(files)
    return signed({MANIFEST: canonical_json(manifest), **files}, *keys)


def listing(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """What a manifest says about files."""
    return {name: {"sha256": sha256(data), "size": len(data)} for name, data in files.items()}


def with_model(raw: bytes) -> bytes:
    """The archive of the good bundle with another model file."""

    def change(manifest: dict[str, Any], files: Files) -> None:
        files[manifest["variants"][0]["file"]] = raw

    return archive(relisted(change))


def changed_model(change: Callable[[onnx.ModelProto], object]) -> bytes:
    """The good bundle's model after `change` of it."""
    model = onnx.load_from_string(GOOD[MODEL_FILE])
    change(model)
    return bytes(model.SerializeToString())


def archive(files: Mapping[str, bytes]) -> bytes:
    """The archive of the format, but of any names in any number."""
    return archive_of([(name.encode("latin-1"), data) for name, data in sorted(files.items())])


def archive_of(members: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The archive of the format, of names and payloads in the order given."""
    out, directory, count = bytearray(), b"", 0
    for name, data in members:
        crc32, position, count = zlib.crc32(data), len(out), count + 1
        stretch = -(position + LOCAL.size + len(name) + 4) % 4096
        out += LOCAL.pack(
            b"PK\3\4", 20, 0, 0, 0, 33, crc32, len(data), len(data), len(name), 4 + stretch
        )
        out += name + struct.pack("<HH", 0xD935, stretch) + bytes(stretch) + data
        directory += CENTRAL.pack(
            *(b"PK\1\2", 788, 20, 0, 0, 0, 33, crc32, len(data), len(data)),
            *(len(name), 0, 0, 0, 0, 0o100644 << 16, position),
        )
        directory += name
    end = END.pack(b"PK\5\6", 0, 0, count, count, len(directory), len(out), 0)
    return bytes(out) + directory + end


def read_all(bundle: Bundle) -> None:
    """Read every file that the manifest lists, which compares its digest."""
    for name in (MANIFEST, *bundle.manifest.files):
        bundle.read(name)


def opening(raw: bytes, folder: Path, *, whom: Root | None = None) -> Attempt:
    """Write a bundle and open it as `verify` does: signatures, manifest, and every file's digest."""
    path = folder / "hostile.edge"
    path.write_bytes(raw)

    def attempt() -> None:
        with open_bundle(path, root=whom or root()) as bundle:
            read_all(bundle)

    return attempt


def opening_folder(folder: Path) -> Attempt:
    """Open an unpacked bundle and check every file."""

    def attempt() -> None:
        with open_folder(folder, root=root()) as bundle:
            read_all(bundle)

    return attempt


def loading(raw: bytes, folder: Path) -> Attempt:
    """Write a bundle, load its model in this process and replay its goldens."""
    path = folder / "hostile.edge"
    path.write_bytes(raw)

    def attempt() -> None:
        with open_bundle(path, root=root()) as bundle, from_bundle(bundle) as model:
            model.replay_goldens()

    return attempt


def opening_changed(change: Change) -> Make:
    """Open the good bundle after `change` of it; see `relisted`."""
    return lambda folder: opening(archive(relisted(change)), folder)


def loading_changed(change: Change) -> Make:
    """Load the good bundle after `change` of it; see `relisted`."""
    return lambda folder: loading(archive(relisted(change)), folder)


def loading_model(raw: bytes) -> Make:
    """Load the good bundle with another model file."""
    return lambda folder: loading(with_model(raw), folder)
