"""Which variants of the installed models can run here, and why others cannot."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from edge_runtime.bundle import open_folder
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.doctor.software import in_a_process
from edge_runtime.doctor.store import installed, opened, told
from edge_runtime.engine.requirements import only
from edge_runtime.engine.select import why_passed_over
from edge_runtime.errors import EdgeError, UnavailableError
from edge_runtime.store.disk import Store

LIMIT_S = 60.0
_FIND = """
import json, sys
sys.path[:] = [folder for folder in sys.path if folder]  # nothing is imported from where we stand
from edge_runtime.engine import registry
print(json.dumps(dict(registry.find(sys.argv[1:]).unavailable)))
"""
_ADVICE = "Install what is named, or a bundle that was converted for this device."


def look(device: Device) -> Iterator[Finding]:
    if (store := opened(device)) is None:
        return
    manifests = list(_manifests(store))
    names = {variant.engine for each in manifests for variant in each.variants}
    if not names:
        return
    # In a process of its own: on a processor it was not built for, importing an engine ends the process.
    said = in_a_process(Path(sys.executable), _FIND, *sorted(names))
    if isinstance(said, Finding):
        yield said
        return
    unavailable = msgspec.json.decode(said, type=dict[str, str])
    config = device.config
    pinned = {one.name: one.variant or "" for one in config.models} if config else {}
    for each in manifests:
        yield judge(each, unavailable, config.board if config else "", pinned.get(each.name, ""))


def judge(manifest: Manifest, unavailable: Mapping[str, str], board: str, pinned: str) -> Finding:
    """`unavailable`: why each engine cannot be used, '' where it can; `pinned`: the one variant, or ''.

    What was made for this very board is expected to run; that variants for others do not is in order.
    """
    subject = f"{manifest.name} {manifest.version}"
    try:
        variants = only(manifest, pinned).variants
    except UnavailableError as error:
        return problem(*told(error, _ADVICE))
    reasons = {each.id: why_passed_over(each, unavailable, board) for each in variants}
    others = "; ".join(f"{name} {why}" for name, why in reasons.items() if why)
    able = [name for name, why in reasons.items() if not why]
    if not able:
        return problem(f"{subject}: no variant can run here: {others}.", _ADVICE)
    runs = f"{subject}: {', '.join(able)} can run here"
    meant = [
        f"{each.id} {reasons[each.id]}" for each in variants if board in each.boards and reasons[each.id]
    ]
    if meant:
        return warning(f"{runs}, but not what was made for this board: {'; '.join(meant)}.", _ADVICE)
    return ok(f"{runs}; {others}." if others else f"{runs}.")


def _manifests(store: Store) -> Iterator[Manifest]:
    """Of what is active or pending; what cannot be read, the store's check tells."""
    for name, now in installed(store).items():
        for digest in (now.active, now.pending):
            if digest is None:
                continue
            try:
                folder = store.slot_path(name, digest)
                with open_folder(folder, root=None, allow_unsigned=True) as bundle:
                    yield bundle.manifest
            except EdgeError:
                continue
