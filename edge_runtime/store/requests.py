"""Which slot people mean, by model and version. Decisions only."""

from edge_runtime.errors import StoreError
from edge_runtime.store.slots import ModelState, Slot, State, requested, short


def named(state: State, model: str | None, which: str | None) -> Slot:
    """The installed slot of that version or beginning of a digest; None means the pending or active one.

    `model` may be None when there is one. Raises StoreError unless exactly one slot fits.
    """
    model = _chosen(state, model)
    now = state.models[model]
    whole = [slot for slot in now.slots.values() if slot.state != "writing"]
    if which is None:
        fits = [slot for slot in whole if slot.digest == (now.pending or now.active)]
    else:
        fits = [slot for slot in whole if slot.version == which or slot.digest.startswith(which)]
    if len(fits) == 1:
        return fits[0]
    found = ", ".join(f"{slot.version} ({short(slot.digest)})" for slot in whole) or "none"
    advice = "Name one of these by its version or digest, or install it."
    if which and any(bad.version == which or bad.digest.startswith(which) for bad in now.bad.values()):
        advice = "It was rejected here: once that is mended, edge-runtime install BUNDLE --retry."
    advice = _forbidden(now) or advice
    raise StoreError(
        f"{model}: expected one installed version {which or 'to activate'}, found: {found}. {advice}"
    )


def rolled_back(state: State, model: str | None) -> tuple[State, Slot]:
    """Ask for the slot to go back to, and which it is: from a trial the active one, else the one before.

    `model` may be None when there is one. Raises StoreError when there is no such model or no way back.
    """
    model = _chosen(state, model)
    now = state.models[model]
    if now.active and now.pending and now.slots[now.pending].state == "trial":
        return requested(state, model, now.active), now.slots[now.active]
    if now.previous is None:
        found = f"only {now.slots[now.active].version}" if now.active else "no confirmed version"
        advice = _forbidden(now) or "Install the version you want."
        raise StoreError(f"{model}: nothing to roll back to, {found} is kept here. {advice}")
    return requested(state, model, now.previous), now.slots[now.previous]


def _forbidden(now: ModelState) -> str:
    """What to do about a version that a declared floor may have removed; '' where there is none."""
    if not now.declared:
        return ""
    return (
        f"Version {now.declared_by} declared that no release below {now.declared} may run here again: "
        "to ship older content on purpose, make a new bundle of it with a release of "
        f"{now.floor} or more."
    )


def _chosen(state: State, model: str | None) -> str:
    if model is None and len(state.models) == 1:
        return next(iter(state.models))
    found = ", ".join(sorted(state.models)) or "none"
    if model is None:
        raise StoreError(f"expected one model in this store, found: {found}. Name one.")
    if model not in state.models:
        what_to_do = "Name one of these." if state.models else "Install a bundle of it first."
        raise StoreError(f"{model}: there is no such model in this store; found: {found}. {what_to_do}")
    return model
