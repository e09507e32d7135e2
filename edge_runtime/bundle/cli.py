"""Commands that make keys and look at bundles: `keys`, `inspect`, `verify`."""

import json
import os
import re
from pathlib import Path
from typing import Any

import click

from edge_runtime.bundle import roots_cli

_FILE = click.Path(readable=False, path_type=Path)  # what may not be read is told like other faults
_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@click.group(short_help="Make signing keys and root files.")
def keys() -> None:
    """Make signing keys and the root file that tells devices to trust them.

    A bundle is signed with a private key when it is converted. A device runs it only if its root file
    names the public half of that key.
    """


@keys.command(short_help="Make a private key and a root file that trusts it.")
@click.argument("folder", metavar="DIR", type=_FILE)
@click.option("--name", default="signing-key", show_default=True, help="Name of the private key's file.")
@click.option(
    "--expires-days",
    type=click.IntRange(1, 36500),
    default=3650,
    show_default=True,
    help="Days until the root file asks to be renewed.",
)
@click.option("--key-only", is_flag=True, help="Make no root file: another one will name this key.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def generate(folder: Path, name: str, expires_days: int, key_only: bool, as_json: bool) -> None:
    """Make a private key, DIR/NAME.pem, and a root file that trusts it, DIR/root.json.

    Its public half is DIR/NAME.pub.pem, for `keys root` and `keys rotate`. The private key is
    not encrypted and only its owner may read it: keep it secret, and off devices.
    The root file is public: every device gets a copy. Nothing is ever overwritten.
    """
    from datetime import datetime, timedelta, timezone

    from edge_runtime.bundle.keys import (
        encode_private_key,
        encode_public_key,
        generate_private_key,
        key_id,
    )
    from edge_runtime.bundle.root_file import make_root
    from edge_runtime.durable import create_file, sync_folder

    if not _KEY_NAME.match(name):
        raise click.BadParameter(
            "expected 1 to 64 letters, digits, '.', '_' or '-'.", param_hint="--name"
        )
    private_path, public_path = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    root_path = None if key_only else folder / "root.json"
    _demand_new(folder, private_path, public_path, *([root_path] if root_path else []))
    private = generate_private_key()
    public = private.public_key()
    expires = datetime.now(timezone.utc) + timedelta(days=expires_days)
    create_file(private_path, [encode_private_key(private)], mode=0o600)
    create_file(public_path, [encode_public_key(public).encode()])
    if root_path:
        create_file(root_path, [make_root([public], private, expires=expires)])
    sync_folder(folder)
    made = {
        "key_id": key_id(public),
        "private_key": str(private_path),
        "public_key": str(public_path),
    }
    if root_path:
        made |= {"root": str(root_path), "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
    click.echo(json.dumps(made) if as_json else _made(made))


def _made(made: dict[str, str]) -> str:
    advice = "Keep it secret and backed up, and never put it on a device: whoever has it can make your "
    lines = [
        f"Made key {made['key_id']}.",
        f"  {made['private_key']}  signs bundles (convert --signing-key). {advice}devices run anything.",
        f"  {made['public_key']}  is its public half, for `keys root` and `keys rotate`.",
    ]
    if "root" in made:
        lines.append(
            f"  {made['root']}  names the key to trust (--trust). It is public: copy it to every device."
            f" It expires on {made['expires'][:10]}."
        )
    return "\n".join(lines)


for _command in (roots_cli.root, roots_cli.rotate, roots_cli.sign_root, roots_cli.show):
    keys.add_command(_command)


@click.command()
@click.argument("path", metavar="BUNDLE", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def inspect(path: Path, as_json: bool) -> None:
    """Show what a bundle says about itself. BUNDLE is an .edge file or an unpacked one.

    Reads the manifest: model, inputs and outputs, variants and how they agree with the source model,
    evaluation, origin. Nothing is trusted and no signature is checked: that is what `verify` does.
    """
    from edge_runtime.bundle.report import summary

    with _opened(path, root=None) as bundle:
        if as_json:
            click.echo(json.dumps(_as_json(bundle)))
        else:
            click.echo(summary(bundle))


@click.command(short_help="Check a bundle whole, and whose it is.")
@click.argument("path", metavar="BUNDLE", type=_FILE)
@click.option("--trust", metavar="ROOT", type=_FILE, required=True, help="The root file: whom to trust.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def verify(path: Path, trust: Path, as_json: bool) -> None:
    """Check everything about a bundle: its structure, who signed it, and every byte of every file.

    BUNDLE is an .edge file or an unpacked one. The exit status is 0 only if a device that has this
    root file, and this machine's clock, would accept it. What the model computes is
    checked on the device, when it is installed.
    """
    from edge_runtime import clock
    from edge_runtime.bundle.expiry import demand_current
    from edge_runtime.bundle.report import verdict
    from edge_runtime.bundle.root_report import as_document, expiry_document
    from edge_runtime.bundle.trust import load_root

    root = load_root(trust)
    expiry = demand_current(root, clock.read(None))
    if expiry.warning:
        click.echo(f"warning: {trust}: {expiry.warning}", err=True)
    with _opened(path, root=root) as bundle:
        checked = _read_everything(bundle)
        if not as_json:
            click.echo(verdict(bundle, root, trust, expiry, checked))
            return
        found = {
            "verified": True,
            "name": bundle.manifest.name,
            "version": bundle.manifest.version,
            "release": bundle.manifest.release,
            "digest": bundle.digest,
            "key_ids": list(bundle.key_ids),
            "threshold": root.bundle.threshold,
            "root_version": root.version,
            "root": as_document(root) | expiry_document(expiry),
            "files": len(bundle.names),
            "bytes": checked,
        }
        click.echo(json.dumps(found))


def _opened(path: Path, *, root: Any) -> Any:
    from edge_runtime.bundle.reader import open_bundle, open_folder

    open_ = open_folder if os.path.isdir(path) else open_bundle
    return open_(path, root=root, allow_unsigned=root is None)


def _as_json(bundle: Any) -> dict[str, Any]:
    import msgspec

    return {
        "digest": bundle.digest,
        "size_bytes": bundle.size_bytes,
        "signed_by": list(bundle.signed_by()),
        "verified": False,
        "manifest": msgspec.to_builtins(bundle.manifest),
    }


def _read_everything(bundle: Any) -> int:
    """Read every file, which checks its digest; progress on stderr once it takes longer than 2 s."""
    import time

    total, done, told = sum(map(bundle.size_of, bundle.names)), 0, time.monotonic()
    for name in bundle.names:
        for chunk in bundle.chunks(name):
            done += len(chunk)
            if time.monotonic() - told > 2:
                told = time.monotonic()
                click.echo(f"verifying: {done / 1e6:.0f} of {total / 1e6:.0f} MB", err=True)
    return done


def _demand_new(folder: Path, *paths: Path) -> None:
    """Make the folder, and refuse paths that exist."""
    from edge_runtime.errors import StorageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: the folder cannot be made: {error.strerror}.") from error
    for path in paths:
        if os.path.lexists(path):
            raise StorageError(
                f"{path}: expected no such file yet, found one. A key that is overwritten cannot be "
                "brought back: choose another folder, or move the file away."
            )
