"""Whom the store trusts, for how long, and which releases it still takes."""

from collections.abc import Iterator
from datetime import timedelta

from edge_runtime.bundle import Root
from edge_runtime.bundle.expiry import judged
from edge_runtime.clock import Clock
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.doctor.store import opened, state_of, told
from edge_runtime.errors import EdgeError
from edge_runtime.store.slots import ModelState

_SOON = timedelta(days=30)


def look(device: Device) -> Iterator[Finding]:
    if (store := opened(device)) is None:
        return
    state = state_of(store)
    try:
        root = store.trusted_root()
    except EdgeError as error:
        what, advice = told(error, "Put the fleet's root file there.")
        effect = "" if isinstance(error.__cause__, PermissionError) else " Nothing new is accepted."
        yield problem(f"{what}{effect}", advice)
    else:
        if root is None and state is None:
            return  # who knows whether that is a store: `store` tells
        yield judge(root, store.clock(), f"edge-runtime trust update --store {store.root} FILE")
    for name, model in state.models.items() if state else ():
        if model.floor:
            yield ok(f"{name}: takes bundles with a release of {model.floor} or more.{_declared(model)}")


def judge(root: Root | None, clock: Clock, update: str) -> Finding:
    """`update`: the command that brings the next root file."""
    if root is None:
        return warning(
            "The store trusts no root file: it takes anybody's bundles with --allow-unsigned.",
            "Give your fleet's root file to the next install: --trust FILE, or `device.trust`.",
        )
    subject, ends = f"The root file, version {root.version},", f"{root.expires:%Y-%m-%d}"
    expiry = judged(root, clock)
    if expiry.refusal:
        return problem(
            f"{subject} expired on {ends}: what runs runs on, but nothing new is accepted.",
            f"Bring your fleet's next root file: {update}",
        )
    if expiry.expired:
        return warning(
            f"{subject} expired on {ends}, if the clock were right; but it {clock.why}.",
            f"Set the clock, and ask for your fleet's next root file: {update}",
        )
    if clock.believed and root.expires <= clock.now + _SOON:
        return warning(
            f"{subject} expires on {ends}; from then on nothing new is accepted.",
            f"Bring your fleet's next root file before that day: {update}",
        )
    return ok(f"{subject} is good until {ends}.")


def _declared(model: ModelState) -> str:
    if not model.declared:
        return ""
    return f" {model.declared_by} declared that none below {model.declared} may run again."
