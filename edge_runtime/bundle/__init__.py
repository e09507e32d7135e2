"""What a bundle is: the one signed file that ships a model. Specified in docs/bundle-format.md.

`open_bundle` and `open_folder` read one, `seal` makes one, `Root` says whose signature counts.
"""

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
