"""The command `sign`: one more signature for a bundle that is there already."""

import json
import os
from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command(short_help="Add a signature to a bundle.")
@click.argument("path", metavar="BUNDLE", type=_PATH)
@click.option(
    "--signing-key", "key_path", metavar="KEY", type=_PATH, required=True, help="The private key, PEM."
)
@click.option("--output", metavar="FILE", type=_PATH, help="Write there, and leave BUNDLE as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def sign(path: Path, key_path: Path, output: Path | None, as_json: bool) -> None:
    """Add a signature to a bundle, so that several people sign it, each where their key is.

    Every byte is checked against the manifest first, not who signed it before: look at it with
    `inspect` and sign what you mean to. The bundle's identity does not change. Signing twice with one
    key is fine and changes nothing. The file is replaced as a whole or not at all.
    """
    from edge_runtime.bundle.keys import key_id, load_private_key
    from edge_runtime.bundle.signing import with_signature
    from edge_runtime.durable import replace_file
    from edge_runtime.errors import BundleError

    if os.path.isdir(path):
        raise BundleError(f"{path}: expected an .edge file to sign, found a folder. Sign the file.")
    key = load_private_key(key_path)
    signed = with_signature(path, key)
    target = output or path
    if signed.is_new or output is not None:
        replace_file(target, signed.raw)
    name = key_id(key.public_key())
    document = {
        "bundle": str(target),
        "digest": signed.digest,
        "key_id": name,
        "added": signed.is_new,
        "signed_by": list(signed.signed_by),
    }
    if as_json:
        click.echo(json.dumps(document))
        return
    done = "signed" if signed.is_new else "nothing to do: signed before"
    click.echo(
        f"{target}: {done} by {name}\n  bundle {signed.digest}, {len(signed.signed_by)} signature(s)"
    )
