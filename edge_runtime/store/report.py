"""What `status` shows of a store, for people and for programs."""

from collections.abc import Iterator
from typing import Any

import msgspec

from edge_runtime.bundle import Root
from edge_runtime.store.slots import ModelState, Slot, State, short


def as_document(state: State, root: Root | None, agent_running: bool) -> dict[str, Any]:
    """One JSON value: the state as it is stored, whom the store trusts, whether an agent runs."""
    trust = root and {
        "version": root.version,
        "expires": root.expires.isoformat(),
        "bundle_keys": list(root.bundle.key_ids),
        "bundle_threshold": root.bundle.threshold,
    }
    models = msgspec.to_builtins(state.models)
    return {"agent_running": agent_running, "trust": trust, "models": models}


def as_text(state: State, root: Root | None, agent_running: bool) -> str:
    """A few lines a model."""
    return "\n".join(_lines(state, root, agent_running))


def _lines(state: State, root: Root | None, agent_running: bool) -> Iterator[str]:
    yield f"agent  {'running' if agent_running else 'not running'}"
    if root:
        keys = ", ".join(key[:12] for key in root.bundle.key_ids)
        yield f"trust  root version {root.version}, bundles signed by {root.bundle.threshold} of: {keys}"
    else:
        yield "trust  no root file; anybody's bundles are taken with --allow-unsigned"
    if not state.models:
        yield "no models are installed"
    for model, now in sorted(state.models.items()):
        yield ""
        yield f"{model}  (new bundles need a release of {now.floor} or more)"
        if now.declared:
            yield f"  {now.declared_by} declared that no release below {now.declared} may run again"
        if not now.active and not now.pending:
            yield "  nothing runs: install a bundle"
        for role, slot in _rows(now):
            reason = f"  {slot.reason}" if slot.reason else ""
            if slot.declares and role == "pending":
                reason = f"  its confirm forbids releases below {slot.declares}{reason}"
            if slot.state == "trial":
                reason = f"  {slot.attempts} of {slot.allowed} attempts left{reason}"
            yield (
                f"  {role:<9} {slot.version:<12} {slot.state:<8} release {slot.release:<12} "
                f"{short(slot.digest)}{reason}"
            )


def _rows(now: ModelState) -> Iterator[tuple[str, Slot]]:
    roles: dict[str | None, str] = dict.fromkeys(now.older, "older")
    roles |= {now.previous: "previous", now.pending: "pending", now.active: "active"}
    order = ["active", "pending", "previous", "older", ""]
    slots = [(roles.get(digest, ""), slot) for digest, slot in now.slots.items()]
    yield from sorted(slots, key=lambda row: order.index(row[0]))
    for slot in now.bad.values():
        yield "rejected", slot
