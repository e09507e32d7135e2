"""Files that are others by the time they are used: what was checked is what is read, or it is an error.

A bundle is opened once and read through that descriptor; a folder's files are opened without following
links and hashed while they are read.
"""

import io
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge_runtime.bundle import open_bundle, open_folder, read_index
from edge_runtime.errors import BundleError
from tests.hostile.building import GOOD, archive, relisted, signed
from tests.hostile.case import Attempt, Case, Make
from tests.support.tiny_bundle import MODEL_FILE, root
from tests.support.unpacked import unpack

GROUP = "replacement"
TOCTOU = "CVE-2020-25860"
FORGED = b"!" * len(GOOD[MODEL_FILE])
ALTERED = ("bundle.reader.Bundle._digested: _altered",)
SAYS = rf"{MODEL_FILE}: expected SHA-256 [0-9a-f]{{64}}, found [0-9a-f]{{64}}"
CHANGED = "bundle.sources.FolderSource.open: expected one name"
Change = Callable[[Path], object]


def _in_folder(change: Change) -> Make:
    """Opened and checked; then the model file is changed; then it is read."""

    def make(folder: Path) -> Attempt:
        inside, undo = unpack(signed(GOOD), folder / "bundle"), folder / "as it was"

        def attempt() -> None:
            with open_folder(inside, root=root()) as bundle:
                (inside / MODEL_FILE).rename(undo)
                (inside / MODEL_FILE).write_bytes(GOOD[MODEL_FILE])
                change(inside / MODEL_FILE)
                try:
                    bundle.read(MODEL_FILE)
                finally:
                    _back(undo, inside / MODEL_FILE)

        return attempt

    return make


def _back(undo: Path, model: Path) -> None:
    if model.parent.is_symlink():
        model.parent.unlink()
        (model.parents[2] / "moved").rename(model.parent)
    model.unlink(missing_ok=True)
    undo.rename(model)
    for extra in (model.parents[2].parent / "outside", model.parent / "again"):
        extra.unlink(missing_ok=True)


def _link_to_outside(model: Path) -> None:
    outside = model.parents[2].parent / "outside"
    model.rename(outside)
    model.symlink_to(outside)


def _folder_link(model: Path) -> None:
    """The folder on the way becomes a link to where it was moved."""
    moved = model.parents[2] / "moved"
    model.parent.rename(moved)
    model.parent.symlink_to(moved)


def _pipe(model: Path) -> None:
    model.unlink()
    os.mkfifo(model)


def _in_archive(change: Change) -> Make:
    """Opened and checked; then the archive is changed; then the model is read."""

    def make(folder: Path) -> Attempt:
        path, raw = folder / "hostile.edge", archive(signed(GOOD))
        path.write_bytes(raw)

        def attempt() -> None:
            with open_bundle(path, root=root()) as bundle:
                change(path)
                try:
                    bundle.read(MODEL_FILE)
                finally:
                    path.write_bytes(raw)

        return attempt

    return make


def _model_replaced(path: Path) -> None:
    _write_at(path, path.read_bytes().index(GOOD[MODEL_FILE]), FORGED)


def _while_reading(folder: Path) -> Attempt:
    """A thread writes over an archive's payload while its chunks are being read."""
    path = folder / "hostile.edge"
    raw = archive(relisted(lambda _, files: files.update(large=bytes(8 << 20))))
    path.write_bytes(raw)
    last = read_index(io.BytesIO(raw))["large"].offset + (7 << 20)

    def attempt() -> None:
        with open_bundle(path, root=root()) as bundle:
            chunks = bundle.chunks("large")
            next(chunks)
            writer = threading.Thread(target=_write_at, args=(path, last, b"forged"))
            writer.start()
            writer.join()
            try:
                for _ in chunks:
                    pass
            finally:
                _write_at(path, last, bytes(6))

    return attempt


def _write_at(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


_case = partial(Case, GROUP, error=BundleError, advisory=TOCTOU)
CRC = "bundle.sources.ArchiveSource.chunks: expected CRC-32"
CASES = (
    _case(
        "a folder's file overwritten", _in_folder(lambda model: model.write_bytes(FORGED)), ALTERED, SAYS
    ),
    _case(
        "a folder's file of another size",
        _in_folder(lambda model: model.write_bytes(FORGED + b"!")),
        (CHANGED, *ALTERED),
        "expected one name and 376 bytes, found 1 and 377",
    ),
    _case(
        "a folder's file with a second name",
        _in_folder(lambda model: os.link(model, model.parent / "again")),
        (CHANGED,),
        "expected one name and 376 bytes, found 2 and 376",
    ),
    _case(
        "a link in place of a folder's file",
        _in_folder(_link_to_outside),
        ("bundle.sources.as_bundle_error: cannot be read",),
        "the bundle cannot be read: Too many levels of symbolic links",
    ),
    _case(
        "a link in place of a folder",
        _in_folder(_folder_link),
        ("bundle.sources.as_bundle_error: cannot be read",),
        "the bundle cannot be read: (Not a directory|Too many levels)",
    ),
    _case(
        "a named pipe in place of a folder's file",
        _in_folder(_pipe),
        ("bundle.files.open_regular: it is not a regular file",),
        "it is not a regular file",
    ),
    _case(
        "a folder's file removed",
        _in_folder(lambda model: model.unlink()),
        ("bundle.sources.as_bundle_error: cannot be read",),
        "the bundle cannot be read: No such file",
    ),
    _case(
        "an archive written to while it is read",
        _while_reading,
        (CRC, *ALTERED),
        "large: expected CRC-32",
    ),
    _case(
        "an archive overwritten while it is open",
        _in_archive(_model_replaced),
        (CRC, *ALTERED),
        f"{MODEL_FILE}: expected CRC-32",
    ),
    _case(
        "an archive cut while it is open",
        _in_archive(lambda path: os.truncate(path, 100)),
        ("bundle.files.read_range: it became shorter",),
        "it became shorter while it was read",
    ),
)
