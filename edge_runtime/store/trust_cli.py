"""The command `trust`: whom this device's store trusts, and how the next root takes its place."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.store.options import JSON, PATH, STORE

if TYPE_CHECKING:
    from edge_runtime.bundle import Root


@click.group(short_help="Show or rotate whom this device trusts.")
def trust() -> None:
    """Show whom this device's store trusts, and put the next root file in the place of the old one.

    The first `install` with --trust tells a store whom to trust. From then on only a root file that
    enough of the old root keys have signed can change that; no bundle can.
    """


@trust.command(short_help="Show whom this store trusts.")
@STORE
@JSON
def show(folder: Path, as_json: bool) -> None:
    """Show the root file this store trusts: its version, expiry, keys and thresholds."""
    from edge_runtime.bundle.expiry import judged
    from edge_runtime.bundle.root_report import as_document, as_text, expiry_document, expiry_lines
    from edge_runtime.errors import StoreError
    from edge_runtime.store.disk import Store

    store = Store(folder)
    store.state()
    if (root := store.trusted_root()) is None:
        raise StoreError(
            f"{folder}: expected a store that trusts a root file, found one without. "
            "The first `edge-runtime install` tells it, with --trust."
        )
    expired = judged(root, store.clock())
    if as_json:
        click.echo(json.dumps({**as_document(root), **expiry_document(expired)}))
        return
    click.echo(as_text(root))
    click.echo("  " + "\n    ".join(expiry_lines(root, expired)))


@trust.command(short_help="Put the next root file in the place of the old one.")
@click.argument("files", metavar="NEW_ROOT...", type=PATH, nargs=-1, required=True)
@STORE
@JSON
def update(files: tuple[Path, ...], folder: Path, as_json: bool) -> None:
    """Put the next root file in the place of the one this store trusts.

    It must be signed by enough root keys of the old file and of its own. A device that missed some
    versions is given all of them: each is checked by the one before it. What is installed runs on;
    what is installed from now on is held to the new root. Safe beside a running agent, safe to repeat
    and to interrupt; where a file is refused nothing is changed.
    """
    from edge_runtime.bundle import load_root
    from edge_runtime.store.disk import Store

    store = Store(folder)
    store.state()
    before = store.trusted_root()
    root = store.update_trust([load_root(file).raw for file in files])
    _tell(root, before, as_json)


def _tell(root: "Root", before: "Root | None", as_json: bool) -> None:
    from edge_runtime.bundle.root_report import as_document, as_text

    changed = before is None or before.signed != root.signed
    document: dict[str, Any] = {**as_document(root), "changed": changed}
    if as_json:
        click.echo(json.dumps(document))
    elif changed:
        click.echo(f"the store trusts a new root file\n{as_text(root)}")
    else:
        click.echo(f"nothing to do: the store trusts this root file already\n{as_text(root)}")
