"""Unpacked bundles as a store would hold them, without a store."""

from pathlib import Path

from edge_runtime.agent.serving import Installed
from edge_runtime.bundle import open_bundle, open_folder
from edge_runtime.store.unpack import unpack


def slot(parent: Path, raw: bytes) -> Path:
    """Unpack a bundle's bytes into a folder named by its digest."""
    archive = parent / "bundle.edge"
    archive.write_bytes(raw)
    with open_bundle(archive, root=None, allow_unsigned=True) as bundle:
        folder = parent / bundle.digest
        unpack(bundle, folder)
        return folder


def installed_in(folder: Path) -> Installed:
    """What `slot` unpacked, as an agent hands it on."""
    with open_folder(folder, root=None, allow_unsigned=True) as bundle:
        return Installed(bundle.digest, folder, bundle.manifest)
