"""Commands about what is installed on this device: `install`, `status`, `rollback`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.store.options import JSON, PATH, STORE, WAIT, wanted_options

if TYPE_CHECKING:
    from edge_runtime.store.activate import Wanted
    from edge_runtime.store.disk import Store
    from edge_runtime.store.slots import Slot


@click.command(short_help="Install a bundle and make it the one that runs.")
@click.argument("bundle", metavar="BUNDLE", type=PATH)
@STORE
@click.option(
    "--trust",
    metavar="ROOT",
    type=PATH,
    help="Root file that names whom to trust. Needed once: the store keeps it and holds to it.",
)
@click.option(
    "--allow-unsigned", is_flag=True, help="Take bundles of anybody, while the store trusts no root."
)
@click.option(
    "--retry",
    is_flag=True,
    help="Try it again although it was rejected here, once what was wrong is mended.",
)
@wanted_options
@WAIT
@JSON
def install(
    *,
    bundle: Path,
    folder: Path,
    trust: Path | None,
    allow_unsigned: bool,
    retry: bool,
    wanted: "Wanted",
    wait_s: float,
    as_json: bool,
) -> None:
    """Verify a bundle, put it into the store and make it the one that runs.

    It is unpacked beside the running version, which goes on until the new one has given the right
    outputs for its golden inputs. An agent that runs on the same store takes the new version up by
    itself, without a restart: it serves on trial until the agent confirms it, and this command waits for
    that. Without an agent its golden outputs confirm it. Of several variants that can run here the
    fastest is taken, as measured now. A bundle that was rejected here is refused, unless with --retry,
    such as for a limit that was too low: it begins a new trial. Safe to repeat, and safe to interrupt.
    """
    if trust and allow_unsigned:
        raise click.UsageError("--trust and --allow-unsigned exclude each other.")
    from edge_runtime.bundle import load_root
    from edge_runtime.engine.requirements import demand_met
    from edge_runtime.store.beside_agent import demand_no_agent
    from edge_runtime.store.disk import Store

    root = load_root(trust) if trust else None
    store = Store(folder)
    demand_no_agent(store, wanted.variant, wanted.provider)
    click.echo(f"verifying and unpacking {bundle}", err=True)
    slot = store.install(
        bundle,
        root=root,
        allow_unsigned=allow_unsigned,
        retry=retry,
        accept=lambda manifest: demand_met(manifest, board=wanted.board, pinned=wanted.variant),
    )
    if warning := store.expiry_warning():
        click.echo(f"warning: {warning}", err=True)
    finish(store, slot, "installed", wanted=wanted, wait_s=wait_s, as_json=as_json)


@click.command(short_help="Go back to the version that ran before.")
@click.argument("model", required=False)
@STORE
@click.option("--model", "named", metavar="NAME", help="The same as MODEL.")
@wanted_options
@WAIT
@JSON
def rollback(
    *,
    model: str | None,
    folder: Path,
    named: str | None,
    wanted: "Wanted",
    wait_s: float,
    as_json: bool,
) -> None:
    """Go back to the version of a model that ran before; MODEL may be left out when there is only one.

    It proves itself by its golden inputs again before it takes over. Rolling back twice is forth and
    back. While a new version is on trial, this gives the trial up and stays with the active one.
    """
    if model and named and model != named:
        raise click.UsageError(f"MODEL is {model}, and --model {named}: name one.")
    from edge_runtime.store.beside_agent import demand_no_agent
    from edge_runtime.store.disk import Store

    store = Store(folder)
    demand_no_agent(store, wanted.variant, wanted.provider)
    slot = store.rollback(model or named)
    finish(store, slot, "going back to", wanted=wanted, wait_s=wait_s, as_json=as_json)


@click.command(short_help="Show what is installed, and what runs.")
@STORE
@JSON
def status(folder: Path, as_json: bool) -> None:
    """Show which versions are installed, which one runs, which one waits or was rejected, and why."""
    from edge_runtime.store.beside_agent import told, why_silent
    from edge_runtime.store.disk import Store
    from edge_runtime.store.report import Seen, as_document, as_text, choices

    store = Store(folder)
    state = store.state()
    says = told(store)
    seen = Seen(
        state,
        root=store.trusted_root(),
        agent_running=store.agent_running(),
        busy=store.activator(),
        told=says,
        choices=choices(folder, state),
        silent=why_silent(store, says),
    )
    click.echo(json.dumps(as_document(seen)) if as_json else as_text(seen))


def finish(
    store: "Store",
    slot: "Slot",
    doing: str,
    *,
    wanted: "Wanted",
    anew: bool = False,
    wait_s: float,
    as_json: bool,
) -> None:
    """Wait until the slot runs, and say so; success is never told before.

    `anew`: what is active already is measured again, whatever is recorded.
    """
    from edge_runtime.signals import ended_as_by_ctrl_c
    from edge_runtime.store.activate import bring_up, choose_again, is_active

    def say(text: str) -> None:
        click.echo(text, err=True)

    if is_active(store.state(), slot):
        store.slot_path(slot.model, slot.digest)  # raises where its files are gone
        by = "nobody"
        chosen = choose_again(store, slot, wait_s=wait_s, wanted=wanted, anew=anew, say=say)
        text = f"was active already; chosen by now: {chosen}" if chosen else "was active already"
    else:
        say(f"{doing} {slot.model} {slot.version}")
        with ended_as_by_ctrl_c():  # so that it costs no attempt
            by = bring_up(store, slot, wait_s=wait_s, wanted=wanted, say=say)
        text = "is active, taken up by the agent" if by == "agent" else "is active"
        if by == "agent" and (wanted.variant or wanted.provider):
            say(
                "warning: an agent started meanwhile, and its configuration says what runs: --variant "
                "and --provider were not heeded"
            )
    document: dict[str, Any] = {
        "model": slot.model,
        "version": slot.version,
        "release": slot.release,
        "digest": slot.digest,
        "active": True,
        "activated_by": by,
    }
    click.echo(json.dumps(document) if as_json else f"{slot.model} {slot.version} {text}")
