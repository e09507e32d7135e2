"""Commands for those who hold root keys: `keys root`, `keys rotate`, `keys sign-root`, `keys show`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from datetime import datetime

    from edge_runtime.bundle.keys import PublicKey
    from edge_runtime.bundle.trust import Draft, Root

_FILE = click.Path(path_type=Path)
_SIGNERS = click.option(
    "--signing-key", "signers", metavar="KEY", type=_FILE, multiple=True,
    help="A private root key that signs it now; may be given several times.",
)  # fmt: skip
_EXPIRES = click.option(
    "--expires-days", type=click.IntRange(1, 36500), default=3650, show_default=True,
    help="Days until devices accept nothing new under it.",
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
_THRESHOLD = click.IntRange(1, 32)


_Command = TypeVar("_Command", bound=Callable[..., Any])


def _keys(name: str, what: str, *, required: bool = False) -> Callable[[_Command], _Command]:
    return click.option(
        name, metavar="PUBLIC", type=_FILE, multiple=True, required=required,
        help=f"{what}, a public key file; may be given several times.",
    )  # fmt: skip


@click.command(short_help="Make a root file from public keys.")
@click.argument("output", metavar="ROOT", type=_FILE)
@_keys("--root-key", "Who may sign root files", required=True)
@_keys("--bundle-key", "Who may sign bundles", required=True)
@click.option("--root-threshold", type=_THRESHOLD, default=1, show_default=True)
@click.option("--bundle-threshold", type=_THRESHOLD, default=1, show_default=True)
@_EXPIRES
@_SIGNERS
@_JSON
def root(
    *,
    output: Path,
    root_key: tuple[Path, ...],
    bundle_key: tuple[Path, ...],
    root_threshold: int,
    bundle_threshold: int,
    expires_days: int,
    signers: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make the first root file, ROOT, of a fleet from its people's public keys.

    It counts once enough of its root keys have signed it: with --signing-key now, or by `keys
    sign-root` later, each where that key is.
    """
    from edge_runtime.bundle.root_file import Terms, draft

    terms = Terms(
        1,
        _in_days(expires_days),
        _public(root_key),
        _public(bundle_key),
        root_threshold,
        bundle_threshold,
    )
    _create(output, _signed(draft(terms), signers), None, as_json)


@click.command(short_help="Make the next root file from the one before.")
@click.argument("old", metavar="OLD_ROOT", type=_FILE)
@click.argument("output", metavar="NEW_ROOT", type=_FILE)
@_keys("--add-root-key", "Another who may sign root files")
@_keys("--add-bundle-key", "Another who may sign bundles")
@click.option("--remove-root-key", metavar="ID", multiple=True, help="A key id, or how it begins.")
@click.option("--remove-bundle-key", metavar="ID", multiple=True, help="A key id, or how it begins.")
@click.option("--root-threshold", type=_THRESHOLD, help="Unchanged where it is left out.")
@click.option("--bundle-threshold", type=_THRESHOLD, help="Unchanged where it is left out.")
@_EXPIRES
@_SIGNERS
@_JSON
def rotate(
    *,
    old: Path,
    output: Path,
    add_root_key: tuple[Path, ...],
    add_bundle_key: tuple[Path, ...],
    remove_root_key: tuple[str, ...],
    remove_bundle_key: tuple[str, ...],
    root_threshold: int | None,
    bundle_threshold: int | None,
    expires_days: int,
    signers: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make NEW_ROOT, the next version of OLD_ROOT, with keys added, removed, or a later expiry.

    A device takes it when enough root keys of OLD_ROOT and enough of its own have signed it. OLD_ROOT
    stays as it is: keep every version, for devices that were away.
    """
    from edge_runtime.bundle.root_file import draft, next_terms
    from edge_runtime.bundle.trust import load_root

    before = load_root(old)
    terms = next_terms(
        before,
        expires=_in_days(expires_days),
        add={"root": _public(add_root_key), "bundle": _public(add_bundle_key)},
        remove={
            "root": [_named(each, before.root.key_ids, "root") for each in remove_root_key],
            "bundle": [_named(each, before.bundle.key_ids, "bundle") for each in remove_bundle_key],
        },
        root_threshold=root_threshold,
        bundle_threshold=bundle_threshold,
    )
    _create(output, _signed(draft(terms), signers), before, as_json)


@click.command(short_help="Add a signature to a root file.")
@click.argument("path", metavar="ROOT", type=_FILE)
@click.option(
    "--signing-key", "key", metavar="KEY", type=_FILE, required=True, help="A private root key."
)
@click.option(
    "--old", metavar="OLD_ROOT", type=_FILE, help="The version before, to say what is missing."
)
@_JSON
def sign_root(path: Path, key: Path, old: Path | None, as_json: bool) -> None:
    """Add a signature to the root file ROOT; what it says is shown, and stays as it is.

    The file is replaced as a whole or not at all. Signing twice with one key changes nothing.
    """
    from edge_runtime.bundle.trust import load_root
    from edge_runtime.durable import replace_file

    before = load_root(old) if old else None
    raw = _read(path)
    signed = _signed(raw, [key])
    if signed != raw:
        replace_file(path, signed)
    _tell(path, signed, before, as_json)


@click.command(short_help="Show a key or a root file.")
@click.argument("path", metavar="FILE", type=_FILE)
@click.option("--public", is_flag=True, help="Print the public half of a private key, as PEM.")
@_JSON
def show(path: Path, public: bool, as_json: bool) -> None:
    """Show a root file and what is missing to it, or the id of a key. Nothing secret is shown."""
    from edge_runtime.bundle.keys import encode_public_key, key_id, load_private_key, load_public_key

    raw = _read(path)
    if not raw.lstrip().startswith(b"-----BEGIN"):
        _tell(path, raw, None, as_json)
        return
    is_private = b"PRIVATE KEY-----" in raw
    key = load_private_key(path).public_key() if is_private else load_public_key(path)
    if public:
        click.echo(encode_public_key(key), nl=False)
        return
    kind, name = ("private" if is_private else "public"), key_id(key)
    document = {"file": str(path), "kind": kind, "key_id": name}
    click.echo(json.dumps(document) if as_json else f"{kind} key {name}")


def _in_days(days: int) -> "datetime":
    from datetime import datetime, timedelta, timezone

    return datetime.now(timezone.utc) + timedelta(days=days)


def _public(paths: Sequence[Path]) -> list["PublicKey"]:
    from edge_runtime.bundle.keys import load_public_key

    return [load_public_key(path) for path in paths]


def _named(start: str, known: Sequence[str], role: str) -> str:
    """The one key id that begins so; raises TrustError."""
    from edge_runtime.errors import TrustError

    found = [name for name in known if start and name.startswith(start.lower())]
    if len(found) != 1:
        raise TrustError(
            f"{start!r}: expected how the id of one of the old root file's {role} keys begins, found "
            f"{len(found)} of them. Its keys: {', '.join(known)}."
        )
    return found[0]


def _signed(raw: bytes, signers: Sequence[Path]) -> bytes:
    from edge_runtime.bundle.keys import load_private_key
    from edge_runtime.bundle.root_file import add_signature

    for path in signers:
        raw = add_signature(raw, load_private_key(path))
    return raw


def _read(path: Path) -> bytes:
    from edge_runtime.bundle.files import read_small
    from edge_runtime.bundle.trust import MAX_ROOT_BYTES
    from edge_runtime.errors import TrustError

    try:
        return read_small(path, MAX_ROOT_BYTES)
    except OSError as error:
        raise TrustError(f"{path}: the file cannot be read: {error.strerror}.") from error


def _create(path: Path, raw: bytes, before: "Root | None", as_json: bool) -> None:
    from edge_runtime.durable import create_file, sync_folder
    from edge_runtime.errors import StorageError

    if path.exists():
        raise StorageError(
            f"{path}: expected no such file yet, found one. Devices may need every version of a root "
            "file: choose another name."
        )
    create_file(path, [raw])
    sync_folder(path.parent)
    _tell(path, raw, before, as_json)


def _tell(path: Path, raw: bytes, before: "Root | None", as_json: bool) -> None:
    """What a root file says, and who has signed it as far as that can be known here."""
    from edge_runtime.bundle.root_report import (
        as_document,
        as_text,
        signatures_document,
        signatures_text,
    )
    from edge_runtime.bundle.trust import decode_draft
    from edge_runtime.errors import TrustError

    try:
        draft: Draft = decode_draft(raw)
        counted = signatures_document(draft, before)
    except TrustError as error:
        raise TrustError(f"{path}: {error}") from error
    if as_json:
        click.echo(json.dumps({"file": str(path), **as_document(draft.root), **counted}))
        return
    click.echo(f"{path}: {as_text(draft.root)}\n{signatures_text(draft, before)}")
