"""Open a bundle: check its structure, its signatures and its manifest, then read what it holds.

The order is fixed: structure, then signatures, then that the manifest is the signed one, and only then
what the manifest says. Payloads are hashed when they are read; nothing unhashed leaves `read`.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from edge_runtime.bundle.files import read_range
from edge_runtime.bundle.manifest import MAX_MANIFEST_BYTES, Manifest, decode
from edge_runtime.bundle.sources import ArchiveSource, FolderSource, Source, as_bundle_error
from edge_runtime.errors import BundleError, EdgeError, TrustError
from edge_runtime.signals import raise_if_a_handlers

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.bundle.signature import Signed
    from edge_runtime.bundle.trust import Root

MANIFEST = "manifest.json"
FOLDER = "signatures"
MAX_SIGNATURES = 16
MAX_ENVELOPE_BYTES = 1 << 20
_SIGNATURE = re.compile(rf"{FOLDER}/([0-9a-f]{{64}})\.sig\Z")


class Bundle:
    """A read-only view of a checked bundle; a context manager. Reading is safe from several threads.

    Attributes:
        location: the path it was opened from, for messages.
        manifest: what it is.
        digest: SHA-256 of `manifest.json`, in hexadecimal: a bundle's identity. Signatures are not part.
        key_ids: trusted keys that signed it, sorted; empty when signatures were not verified.
        names: all its files, sorted, `manifest.json` and signatures included.
        size_bytes: what it takes on disk.
    """

    def __init__(
        self,
        location: str,
        source: Source,
        manifest: Manifest,
        digests: Mapping[str, str],
        key_ids: tuple[str, ...],
    ) -> None:
        self.location = location
        self.manifest = manifest
        self.digest = digests[MANIFEST]
        self.key_ids = key_ids
        self.names = tuple(source.sizes)
        self.size_bytes = source.size_bytes
        self._source = source
        self._digests = digests

    def read(self, name: str) -> bytes:
        """A whole file; raises BundleError when there is none of that name or it was altered."""
        return _joined(self.chunks(name))

    @contextmanager
    def held(self, name: str) -> Iterator["Held"]:
        """A file that stays open, for a reader who wants a path rather than bytes. Raises as `read`."""
        with _about(self.location):
            self._demand(name)
            descriptor = self._source.open(name)
        try:
            yield Held(self, name, descriptor)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file in chunks of at most 1 MiB.

        Raises BundleError at the end when it was altered, so use nothing before the end is reached.
        """
        with _about(self.location):
            self._demand(name)
            yield from self._digested(name, self._source.chunks(name))

    def _demand(self, name: str) -> None:
        if name not in self._digests:
            raise BundleError(f"expected a file {name!a} in the bundle, found none.")

    def _digested(self, name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != self._digests[name]:
            raise _altered(name, self._digests[name], digest.hexdigest())

    def check(self) -> None:
        """Read every file and compare its digest; raises BundleError when one was altered."""
        for name in self.names:
            for _ in self.chunks(name):
                pass

    def size_of(self, name: str) -> int:
        """How many bytes a file of `names` has."""
        return self._source.sizes[name]

    def path(self, name: str) -> "Path | None":
        """Where an unpacked bundle has this file; None for an archive, which must be read."""
        return self._source.path(name)

    def subject(self, name: str) -> str:
        """What messages about one of its files begin with."""
        return f"{self.manifest.name} {self.manifest.version}, {name}"

    def signed_by(self) -> tuple[str, ...]:
        """Ids of the keys it carries signatures of, whether trusted and verified or not."""
        return tuple(match[1] for name in self.names if (match := _SIGNATURE.match(name)))

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> "Bundle":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Held:
    """A file of a bundle that is open: what `read` gives is what is found under `path`.

    path: '' where it is a part of an archive, and without /proc. It leads to this file, whatever its
        name leads to by now.
    """

    def __init__(self, bundle: Bundle, name: str, descriptor: int) -> None:
        self._bundle = bundle
        self._name = name
        self._descriptor = descriptor
        path = f"/proc/self/fd/{descriptor}"
        self.path = path if descriptor >= 0 and os.path.exists(path) else ""
        self._before = self._state()

    def read(self) -> bytes:
        """The whole file; raises BundleError when it was altered."""
        if self._descriptor < 0:
            return self._bundle.read(self._name)
        with _about(self._bundle.location), as_bundle_error(self._bundle.location):
            chunks = read_range(self._descriptor, 0, self._bundle.size_of(self._name))
            return _joined(self._bundle._digested(self._name, chunks))

    def demand_unwritten(self) -> None:
        """Raise BundleError when it was written to since it was opened: `path` may have shown that."""
        if self._state() != self._before:
            with _about(self._bundle.location):
                raise BundleError(
                    f"{self._name}: expected that nobody writes to it, found that it was written to "
                    "while it was used. Install the bundle again."
                )

    def _state(self) -> tuple[int, ...]:
        if self._descriptor < 0:
            return ()
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def open_bundle(
    path: str | os.PathLike[str], *, root: "Root | None", allow_unsigned: bool = False
) -> Bundle:
    """Open a bundle file.

    With `root`, signatures are verified, and a bundle that carries none needs `allow_unsigned`.
    Without, `allow_unsigned` is needed, signatures are not looked at, and `key_ids` is empty.
    Raises BundleError when it cannot be read or was altered, TrustError when it is not signed by
    whom `root` trusts.
    """
    return _open(os.fspath(path), ArchiveSource, root, allow_unsigned)


def open_folder(
    path: str | os.PathLike[str], *, root: "Root | None", allow_unsigned: bool = False
) -> Bundle:
    """Open an unpacked bundle; the same checks and errors as `open_bundle`."""
    return _open(os.fspath(path), FolderSource, root, allow_unsigned)


def _open(
    path: str, open_source: Callable[[str], Source], root: "Root | None", allow_unsigned: bool
) -> Bundle:
    with _about(path):
        if root is None and not allow_unsigned:
            raise TrustError(
                "expected a root file that says whose signature to trust, found none. "
                "Give one (--trust root.json), or allow unsigned bundles on purpose (--allow-unsigned)."
            )
        source = open_source(path)
        try:
            return _checked(path, source, root, allow_unsigned)
        except BaseException:
            source.close()
            raise


def _checked(path: str, source: Source, root: "Root | None", allow_unsigned: bool) -> Bundle:
    signatures = _read_signatures(source)
    raw = _read_small(source, MANIFEST, MAX_MANIFEST_BYTES)
    digest = hashlib.sha256(raw).hexdigest()
    signed = _signed(root, signatures) if root and (signatures or not allow_unsigned) else None
    if signed and signed.files.get(MANIFEST) != digest:
        raise _altered(MANIFEST, signed.files.get(MANIFEST, "no such file"), digest)
    manifest = decode(raw)
    _check_contents(manifest, source.sizes)
    digests = {MANIFEST: digest} | {name: file.sha256 for name, file in manifest.files.items()}
    if signed and signed.files != digests:
        raise BundleError(
            "manifest.json: expected it to list the files that were signed, found others. "
            "The bundle was not made by edge-runtime: have it converted and signed again."
        )
    for key_id, envelope in signatures.items():
        digests[f"{FOLDER}/{key_id}.sig"] = hashlib.sha256(envelope).hexdigest()
    return Bundle(path, source, manifest, digests, tuple(sorted(signed.key_ids)) if signed else ())


def _signed(root: "Root", signatures: Mapping[str, bytes]) -> "Signed":
    from edge_runtime.bundle.trust import signed_files  # what was verified before is read without

    return signed_files(root, signatures)


def _check_contents(manifest: Manifest, sizes: Mapping[str, int]) -> None:
    """Demand that the files are exactly those of the manifest, with their sizes."""
    listed = {name: file.size for name, file in manifest.files.items()}
    found = {
        name: size for name, size in sizes.items() if name != MANIFEST and not _SIGNATURE.match(name)
    }
    if stray := sorted(found.keys() - listed.keys()):
        raise BundleError(
            f"expected only files that the manifest lists, found {stray[0]!a} as well. "
            "Something was added: fetch or unpack the bundle again."
        )
    for name, size in sorted(listed.items()):
        if found.get(name) != size:
            raise BundleError(
                f"{name!a}: expected {size} bytes, found {found.get(name, 'no such file')}. "
                "The bundle is damaged or was altered: fetch or unpack it again."
            )


def _read_signatures(source: Source) -> dict[str, bytes]:
    """Envelopes by the key id in their file's name."""
    names = {match[1]: name for name in source.sizes if (match := _SIGNATURE.match(name))}
    if len(names) > MAX_SIGNATURES:
        raise BundleError(f"expected at most {MAX_SIGNATURES} signatures, found {len(names)}.")
    return {key_id: _read_small(source, name, MAX_ENVELOPE_BYTES) for key_id, name in names.items()}


def _read_small(source: Source, name: str, max_bytes: int) -> bytes:
    size = source.sizes.get(name)
    if size is None:
        raise BundleError(f"expected a file {name!a}, found none. This is no bundle of edge-runtime.")
    if size > max_bytes:
        raise BundleError(f"{name}: expected at most {max_bytes} bytes, found {size}.")
    return b"".join(source.chunks(name))


def _joined(chunks: Iterator[bytes]) -> bytes:
    whole = io.BytesIO()  # whose buffer becomes the bytes: a list of chunks would be held beside them
    for chunk in chunks:
        whole.write(chunk)
    return whole.getvalue()


def _altered(name: str, expected: str, found: str) -> BundleError:
    return BundleError(
        f"{name}: expected SHA-256 {expected}, found {found}. "
        "The bundle is damaged or was altered after it was made: fetch or unpack it again."
    )


@contextmanager
def _about(path: str) -> Iterator[None]:
    """Put the bundle's path in front of what any error on purpose says."""
    try:
        yield
    except EdgeError as error:
        raise_if_a_handlers(error)
        raise type(error)(f"{path}: {error}") from error
