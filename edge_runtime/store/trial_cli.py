"""Commands about what shall run, is on trial, or is kept: `activate`, `confirm`, `prune`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime.store.options import JSON, STORE, WAIT, wanted_options

if TYPE_CHECKING:
    from edge_runtime.store.activate import Wanted
    from edge_runtime.store.disk import Store


@click.command(short_help="Make an installed version the one that runs.")
@click.argument("model", required=False)
@click.argument("which", metavar="[VERSION|DIGEST]", required=False)
@STORE
@wanted_options
@click.option(
    "--again",
    is_flag=True,
    help="Measure what is active again, whatever was found or asked for before.",
)
@WAIT
@JSON
def activate(
    *,
    model: str | None,
    which: str | None,
    folder: Path,
    wanted: "Wanted",
    again: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Make an installed version the one that runs, by its version or the beginning of its digest.

    Without one, what waits or is on trial already. A version that was confirmed here needs its golden
    outputs only, whatever its release; any other passes its trial. Versions below a floor that was
    declared by a confirmed one are gone. What is active is measured again where no agent runs and
    nothing that was measured holds any more, or with --again, which also ends what --variant or
    --provider said once. Safe to repeat and to interrupt.
    """
    from edge_runtime.store.beside_agent import demand_no_agent
    from edge_runtime.store.cli import finish
    from edge_runtime.store.disk import Store

    store = Store(folder)
    demand_no_agent(store, wanted.variant, wanted.provider, again=again)
    slot = store.activate(model, which)
    finish(store, slot, "activating", wanted=wanted, anew=again, wait_s=wait_s, as_json=as_json)


@click.command(short_help="Confirm what is on trial, without waiting for it to show more.")
@click.argument("model", required=False)
@STORE
@JSON
def confirm(model: str | None, folder: Path, as_json: bool) -> None:
    """Confirm the version of a model that is on trial: it is good from now on, on your word.

    It must have given its golden outputs on this device. Where nothing is on trial, nothing changes. A
    running agent takes it over without a restart.
    """
    from edge_runtime.store.disk import Store

    store = Store(folder)
    before = store.state().models
    slot = store.confirm(model)
    was_active = slot.model in before and before[slot.model].active == slot.digest
    text = "was active already, and nothing is on trial" if was_active else "is confirmed"
    document = {
        "model": slot.model,
        "version": slot.version,
        "release": slot.release,
        "digest": slot.digest,
        "active": True,
    }
    click.echo(json.dumps(document) if as_json else f"{slot.model} {slot.version} {text}")


@click.command(short_help="Remove what is kept beyond a number of good versions.")
@STORE
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(1, 16),
    help="Good versions of each model, the active one counted; the store keeps to it from now on.",
)
@JSON
def prune(folder: Path, keep: int | None, as_json: bool) -> None:
    """Remove the files of versions beyond those that are kept, and what interrupted commands left.

    A new store keeps two good versions of each model: the active one and the way back. What runs, waits
    or is on trial is never removed. With 1 there is no way back once a version is confirmed.
    """
    from edge_runtime.store.disk import Store

    store = Store(folder)
    before = _versions(store)
    kept = store.prune(keep).keep
    gone = sorted(before - _versions(store))
    if as_json:
        removed = [{"model": model, "version": version} for model, version in gone]
        click.echo(json.dumps({"keep": kept, "removed": removed}))
    else:
        names = ", ".join(f"{model} {version}" for model, version in gone) or "nothing"
        versions = f"{kept} good version{'s' if kept > 1 else ''}"
        click.echo(f"removed {names}; keeps {versions} of each model")


def _versions(store: "Store") -> set[tuple[str, str]]:
    models = store.state().models
    return {(slot.model, slot.version) for now in models.values() for slot in now.slots.values()}
