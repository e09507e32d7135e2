"""What a bundle is: the one signed file that ships a model. Specified in docs/bundle-format.md.

`open_bundle` and `open_folder` read one, `seal` makes one, `Root` says whose signature counts.
Each name brings its module when it is first used: a device that loads what it has verified before needs
none that signs or verifies.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.bundle.archive import Entry, read_index, write_archive
    from edge_runtime.bundle.manifest import Manifest
    from edge_runtime.bundle.reader import Bundle, open_bundle, open_folder
    from edge_runtime.bundle.root_file import make_root
    from edge_runtime.bundle.signature import (
        Signed,
        generate_private_key,
        key_id,
        load_private_key,
        sign,
        verify,
    )
    from edge_runtime.bundle.trust import Root, decode_root, is_expired, load_root
    from edge_runtime.bundle.writer import seal

_MODULES = {
    "archive": ("Entry", "read_index", "write_archive"),
    "manifest": ("Manifest",),
    "reader": ("Bundle", "open_bundle", "open_folder"),
    "root_file": ("make_root",),
    "signature": ("Signed", "generate_private_key", "key_id", "load_private_key", "sign", "verify"),
    "trust": ("Root", "decode_root", "is_expired", "load_root"),
    "writer": ("seal",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Bundle",
    "Entry",
    "Manifest",
    "Root",
    "Signed",
    "decode_root",
    "generate_private_key",
    "is_expired",
    "key_id",
    "load_private_key",
    "load_root",
    "make_root",
    "open_bundle",
    "open_folder",
    "read_index",
    "seal",
    "sign",
    "verify",
    "write_archive",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
