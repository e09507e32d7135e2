"""Which bundle of a model runs, waits or is kept: decisions only, as functions of frozen values.

A slot is a place for one bundle, named by the bundle's digest. Its life:

    writing ──► staged ──► trial ──► good      installed, tried, confirmed
                             └─────► bad       remembered by digest and reason; its files go

    active     the last slot that was confirmed; always good
    pending    the slot that shall be active next: staged, on trial, or good when it is a way back
    previous   the slot that was active before; good; the way back
    older      more good ones, newest first, where more than two are kept

A trial ends by a confirm or a rejection; `trials.py` counts its attempts. The active slot stays what it
was meanwhile, so giving a trial up needs nothing but forgetting it.

The floor is the highest release that was ever confirmed. It gates what is written, not what is kept: a
slot that is good here may be activated again, unless a bundle that was confirmed declared a floor of its
own. Below that nothing may run again, so its confirm drops the ways back there. Neither ever falls.
"""

from typing import Literal

import msgspec

from edge_runtime.errors import OlderReleaseError, StoreError

FORMAT = 3
MAX_MODELS = 64
MAX_BAD = 256  # of one model; the oldest are forgotten
MAX_REASON = 500  # characters
MAX_KEEP = 16
DEFAULT_KEEP = 2  # the active one and the way back

SlotState = Literal["writing", "staged", "trial", "good", "bad"]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle on this device.

    On trial, `attempts` of the `allowed` ones are left, and `proved` says that it gave its golden
    outputs here. `reason` says why it is bad, or why the last attempt of its trial ended; `waits` says
    why it could not be tried, and will be again. `declares` is the floor in its manifest, 0 for none.
    """

    model: str
    digest: str
    version: str
    release: int
    state: SlotState
    attempts: int = 0
    allowed: int = 0
    proved: bool = False
    reason: str = ""
    waits: str = ""
    declares: int = 0


class ModelState(msgspec.Struct, frozen=True, kw_only=True):
    """One model's slots by digest, their roles, and the bad ones, which have no files any more.

    `declared` is the highest floor that a confirmed bundle declared, `declared_by` that one's version.
    """

    active: str | None = None
    pending: str | None = None
    previous: str | None = None
    older: tuple[str, ...] = ()
    floor: int = 0
    declared: int = 0
    declared_by: str = ""
    slots: dict[str, Slot] = {}
    bad: dict[str, Slot] = {}


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds; the content of `state.json`. `keep`: good slots of each model."""

    format: int = FORMAT
    keep: int = DEFAULT_KEEP
    models: dict[str, ModelState] = {}


def begin_write(state: State, slot: Slot, *, retry: bool = False) -> State:
    """Announce a slot whose files come next.

    Raises OlderReleaseError below the floor, StoreError for a digest that was bad here, unless it is a
    `retry`: then it is no longer bad once it is staged.
    """
    model = slot.model
    now = state.models.get(model, ModelState())
    if slot.digest in now.slots:
        raise AssertionError(f"{model}: slot {slot.digest} is already there")
    if (bad := now.bad.get(slot.digest)) and not retry:
        subject = f"{model} {slot.version}: "
        raise StoreError(
            f"{subject}this very bundle was tried here and rejected: "
            f"{bad.reason.removeprefix(subject).rstrip('.')}. Install another one, or this one with "
            "--retry once that is mended."
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
    return with_model(state, model, slots={**now.slots, slot.digest: writing})


def staged(state: State, model: str, digest: str) -> State:
    """All files of a slot are on the disk: it is installed, and shall run next, whatever it was before.

    Raises OlderReleaseError when the floor rose above it while it was written.
    """
    now = state.models[model]
    if now.slots[digest].state != "writing":
        raise AssertionError(f"{model}: slot {digest} is not being written")
    slot = msgspec.structs.replace(now.slots[digest], state="staged")
    if slot.release < now.floor:
        raise OlderReleaseError(
            f"{model} {slot.version}: its release {slot.release} is below {now.floor}, which was "
            "confirmed while it was unpacked. Make a new bundle of it with a release of "
            f"{now.floor} or more."
        )
    bad = {other: one for other, one in now.bad.items() if other != digest}
    return with_model(state, model, pending=digest, slots={**now.slots, digest: slot}, bad=bad)


def requested(state: State, model: str, digest: str) -> State:
    """A slot that is here already shall run next; what else was pending is given up.

    Raises StoreError when it is not here, or not whole.
    """
    now = state.models.get(model, ModelState())
    if digest not in now.slots or now.slots[digest].state == "writing":
        raise StoreError(f"{model}: {short(digest)} is not installed any more. Install it again.")
    return with_model(state, model, pending=None if digest == now.active else digest)


def confirmed(state: State, model: str, digest: str) -> State:
    """The pending slot is good and active, the floor rises, the old one is the way back.

    Ways back below the floor that it declares are dropped.
    Raises StoreError when another slot is pending by now (a later request counts more), or when it has
    not given its golden outputs here.
    """
    now = state.models.get(model, ModelState())
    if digest == now.active and now.pending is None:
        return state
    if digest != now.pending:
        raise not_pending(now, model, digest)
    slot = now.slots[digest]
    if slot.state != "good" and not (slot.state == "trial" and slot.proved):
        raise StoreError(
            f"{model} {slot.version}: expected a version that gave its golden outputs here, found one "
            f"that did not yet. `edge-runtime activate {model}` has it do so."
        )
    slot = msgspec.structs.replace(slot, state="good", attempts=0, allowed=0, reason="", waits="")
    if slot.declares > now.declared:
        now = msgspec.structs.replace(now, declared=slot.declares, declared_by=slot.version)
    others = [one for one in (now.active, now.previous, *now.older) if one and one != digest]
    before = [one for one in others if now.slots[one].release >= now.declared]
    return with_model(
        state,
        model,
        active=digest,
        pending=None,
        **_ways_back(before, state.keep),
        floor=max(now.floor, slot.release),
        declared=now.declared,
        declared_by=now.declared_by,
        slots={**now.slots, digest: slot},
    )


def pruned(state: State, keep: int | None) -> State:
    """At most `keep` good slots of each model from now on, the active one counted; None: as before.

    What is active or pending stays. Raises StoreError for a number out of range.
    """
    keep = state.keep if keep is None else keep
    if not 1 <= keep <= MAX_KEEP:
        raise StoreError(f"keep: expected 1 to {MAX_KEEP} good versions a model, found {keep}.")
    state = msgspec.structs.replace(state, keep=keep)
    for model, now in state.models.items():
        before = [one for one in (now.previous, *now.older) if one]
        state = with_model(state, model, **_ways_back(before, keep))
    return state


def rejected(state: State, model: str, digest: str, reason: str) -> State:
    """The pending or active slot does not work here: its digest is remembered as bad.

    When it was the active one, the way back becomes pending. Raises StoreError when it is neither.
    """
    before = state.models.get(model, ModelState())
    state = withdrawn(state, model, digest)
    bad = msgspec.structs.replace(
        before.slots[digest],
        state="bad",
        attempts=0,
        allowed=0,
        reason=reason[:MAX_REASON],
        waits="",
    )
    remembered = {**before.bad, digest: bad}
    return with_model(state, model, bad=dict(list(remembered.items())[-MAX_BAD:]))


def withdrawn(state: State, model: str, digest: str) -> State:
    """This copy of the pending or active bundle is of no use; the bundle may be installed again."""
    now = state.models.get(model, ModelState())
    if digest not in (now.pending, now.active):
        raise StoreError(f"{model}: {short(digest)} is neither pending nor active any more.")
    active, pending = (None if role == digest else role for role in (now.active, now.pending))
    before = [one for one in (now.previous, *now.older) if one and one != digest]
    if active is None and pending is None and before:
        pending = before[0]
    return with_model(
        state, model, active=active, pending=pending, **_ways_back(before, len(before) + 1)
    )


def refused(now: ModelState) -> Slot | None:
    """What was rejected last, where none newer was ever good and what is active or waits is older."""
    roles = (now.slots[role] for role in (now.active, now.pending) if role)
    newest = max((slot.release for slot in roles), default=-1)
    last = next(reversed(now.bad.values()), None)
    return last if last and newest < last.release >= now.floor else None


def not_pending(now: ModelState, model: str, digest: str) -> StoreError:
    """What is raised where somebody acts on a slot that was pending when they began."""
    which = now.slots[digest].version if digest in now.slots else short(digest)
    return StoreError(
        f"{model} {which}: it is not pending any more; a later request replaced it. "
        "`edge-runtime status` shows what is."
    )


def recovered(state: State) -> State:
    """After a crash: a slot that was being written is gone."""
    for model, now in state.models.items():
        whole = {digest: slot for digest, slot in now.slots.items() if slot.state != "writing"}
        if len(whole) < len(now.slots):
            state = with_model(state, model, slots=whole)
    return state


def prunable(model: ModelState) -> frozenset[str]:
    """Slots that nothing refers to. Every transition drops them; their folders go afterwards."""
    kept = {model.active, model.pending, model.previous, *model.older}
    return frozenset(
        digest for digest, slot in model.slots.items() if digest not in kept and slot.state != "writing"
    )


def with_model(state: State, model: str, **changes: object) -> State:
    """A state with one model changed, and without the slots that nothing refers to any more."""
    now = msgspec.structs.replace(state.models.get(model, ModelState()), **changes)
    gone = prunable(now)
    slots = {digest: slot for digest, slot in now.slots.items() if digest not in gone}
    now = msgspec.structs.replace(now, slots=slots)
    models = {**state.models, model: now}
    if now == ModelState():  # nothing ever ran here and nothing waits
        del models[model]
    return msgspec.structs.replace(state, models=models)


def _ways_back(before: list[str], keep: int) -> dict[str, object]:
    """The roles of good slots that are not active, newest first; `keep` counts the active one, too."""
    kept = before[: keep - 1]
    return {"previous": kept[0] if kept else None, "older": tuple(kept[1:])}


def short(digest: str) -> str:
    """A digest as people are shown it."""
    return digest[:12]
