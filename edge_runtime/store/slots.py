"""Which bundle of a model runs, waits or is kept: decisions only, as functions of frozen values.

A slot is a place for one bundle, named by the bundle's digest. Its life:

    writing ──► staged ──► good        installed, then proved by its golden inputs
                   └─────► bad         remembered by digest and reason; its files go

    active     the slot that runs; always good
    pending    the slot that shall run next: staged, or good when it is a way back
    previous   the slot that ran before; good; the way back

Between staged and good there is room for a trial: a further slot state `trial` with the attempts that
are left, entered where `activated` is called now, and a transition `confirmed` that leads to good.

The floor is the highest release that was ever activated. It gates what is written, not what is kept: a
slot that is good here may be activated again.
"""

from typing import Literal

import msgspec

from edge_runtime.errors import OlderReleaseError, StoreError

FORMAT = 1
MAX_MODELS = 64
MAX_BAD = 256  # of one model; the oldest are forgotten
MAX_REASON = 500  # characters

SlotState = Literal["writing", "staged", "good", "bad"]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle on this device. `reason` says why it is bad."""

    model: str
    digest: str
    version: str
    release: int
    state: SlotState
    reason: str = ""


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """One model's slots by digest, their roles, and the bad ones, which have no files any more."""

    active: str | None = None
    pending: str | None = None
    previous: str | None = None
    floor: int = 0
    slots: dict[str, Slot] = {}
    bad: dict[str, Slot] = {}


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds; the content of `state.json`."""

    format: int = FORMAT
    models: dict[str, ModelState] = {}


def begin_write(state: State, slot: Slot) -> State:
    """Announce a slot whose files come next.

    Raises OlderReleaseError below the floor, StoreError for a digest that was bad here.
    """
    model = slot.model
    now = state.models.get(model, ModelState())
    if slot.digest in now.slots:
        raise AssertionError(f"{model}: slot {slot.digest} is already there")
    if bad := now.bad.get(slot.digest):
        raise StoreError(
            f"{model} {slot.version}: this very bundle was tried here and rejected: {bad.reason} "
            "Install another one."
        )
    if slot.release < now.floor:
        raise OlderReleaseError(
            f"{model} {slot.version}: its release {slot.release} is below {now.floor}, the highest that "
            "ran here. To ship older content on purpose, make a new bundle of it with a release of "
            f"{now.floor} or more."
        )
    if model not in state.models and len(state.models) >= MAX_MODELS:
        raise StoreError(f"{model}: this store holds {MAX_MODELS} models already, the most it takes.")
    writing = msgspec.structs.replace(slot, state="writing", reason="")
    return _with(state, model, slots={**now.slots, slot.digest: writing})


def staged(state: State, model: str, digest: str) -> State:
    """All files of a slot are on the disk: it is installed, and shall run next."""
    now = state.models[model]
    if now.slots[digest].state != "writing":
        raise AssertionError(f"{model}: slot {digest} is not being written")
    slot = msgspec.structs.replace(now.slots[digest], state="staged")
    return _with(state, model, pending=digest, slots={**now.slots, digest: slot})


def requested(state: State, model: str, digest: str) -> State:
    """A slot that is here already shall run next; what else was pending is given up.

    Raises StoreError when it is not here, or not whole.
    """
    now = state.models.get(model, ModelState())
    if digest not in now.slots or now.slots[digest].state == "writing":
        raise StoreError(f"{model}: {_short(digest)} is not installed any more. Install it again.")
    return _with(state, model, pending=None if digest == now.active else digest)


def request_rollback(state: State, model: str | None) -> tuple[State, Slot]:
    """The slot that ran before shall run next, and which that is; `model` may be None when there is one.

    Raises StoreError when there is no such model or no way back.
    """
    model = _chosen(state, model)
    now = state.models[model]
    if now.previous is None:
        found = f"only {now.slots[now.active].version}" if now.active else "no version"
        raise StoreError(
            f"{model}: nothing to roll back to, {found} is kept here. Install the version you want."
        )
    return requested(state, model, now.previous), now.slots[now.previous]


def activated(state: State, model: str, digest: str) -> State:
    """The pending slot is proved and runs: it is good, the floor rises, the old one is the way back.

    Raises StoreError when another slot is pending by now: a later request counts more.
    """
    now = state.models.get(model, ModelState())
    if digest == now.active and now.pending is None:
        return state
    if digest != now.pending:
        raise StoreError(
            f"{model}: {_short(digest)} is not pending any more; a later request replaced it."
        )
    slot = msgspec.structs.replace(now.slots[digest], state="good")
    way_back = now.active or (None if digest == now.previous else now.previous)
    return _with(
        state,
        model,
        active=digest,
        pending=None,
        previous=way_back,
        floor=max(now.floor, slot.release),
        slots={**now.slots, digest: slot},
    )


def rejected(state: State, model: str, digest: str, reason: str) -> State:
    """The pending or active slot does not work here: its digest is remembered as bad.

    When it was the active one, the way back becomes pending. Raises StoreError when it is neither.
    """
    before = state.models.get(model, ModelState())
    state = withdrawn(state, model, digest)
    bad = msgspec.structs.replace(before.slots[digest], state="bad", reason=reason[:MAX_REASON])
    remembered = {**before.bad, digest: bad}
    return _with(state, model, bad=dict(list(remembered.items())[-MAX_BAD:]))


def withdrawn(state: State, model: str, digest: str) -> State:
    """This copy of the pending or active bundle is of no use; the bundle may be installed again."""
    now = state.models.get(model, ModelState())
    if digest not in (now.pending, now.active):
        raise StoreError(f"{model}: {_short(digest)} is neither pending nor active any more.")
    active, pending, previous = (
        None if role == digest else role for role in (now.active, now.pending, now.previous)
    )
    if active is None and pending is None:
        pending = previous
    return _with(state, model, active=active, pending=pending, previous=previous)


def recovered(state: State) -> State:
    """After a crash: a slot that was being written is gone."""
    for model, now in state.models.items():
        whole = {digest: slot for digest, slot in now.slots.items() if slot.state != "writing"}
        if len(whole) < len(now.slots):
            state = _with(state, model, slots=whole)
    return state


def prunable(model: ModelState) -> frozenset[str]:
    """Slots that nothing refers to. Every transition drops them; their folders go afterwards."""
    kept = {model.active, model.pending, model.previous}
    return frozenset(
        digest for digest, slot in model.slots.items() if digest not in kept and slot.state != "writing"
    )


def _with(state: State, model: str, **changes: object) -> State:
    now = msgspec.structs.replace(state.models.get(model, ModelState()), **changes)
    gone = prunable(now)
    slots = {digest: slot for digest, slot in now.slots.items() if digest not in gone}
    now = msgspec.structs.replace(now, slots=slots)
    models = {**state.models, model: now}
    if now == ModelState():  # nothing ever ran here and nothing waits
        del models[model]
    return msgspec.structs.replace(state, models=models)


def _chosen(state: State, model: str | None) -> str:
    if model is None and len(state.models) == 1:
        return next(iter(state.models))
    found = ", ".join(sorted(state.models)) or "none"
    if model is None:
        raise StoreError(f"expected one model in this store, found: {found}. Name one with --model.")
    if model not in state.models:
        raise StoreError(f"{model}: there is no such model in this store; found: {found}.")
    return model


def _short(digest: str) -> str:
    return digest[:12]
