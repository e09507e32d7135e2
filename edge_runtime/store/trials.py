"""The trial of a slot: its attempts, and what it takes to confirm it. Decisions only.

An attempt is counted before the model is loaded, so that a model which takes the device down with it
uses its attempts up. A clean stop gives the attempt back; a crash never does.
"""

import math
from dataclasses import dataclass

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.store.slots import (
    MAX_REASON,
    ModelState,
    Slot,
    State,
    confirmed,
    not_pending,
    rejected,
    with_model,
)

DEFAULT_ATTEMPTS = 3
CONTACT = "contact with the fleet"
_LONG_S = 300.0


@dataclass(frozen=True)
class Rules:
    """What a trial must show beside its golden outputs before it is confirmed."""

    predictions: int = 10
    seconds: float = 10.0
    fleet: bool = False


@dataclass(frozen=True)
class Evidence:
    """What a trial has shown since it serves; `fleet`: the fleet acknowledged something sent since."""

    predictions: int
    seconds: float
    fleet: bool


GOLDENS_ONLY = Rules(predictions=0, seconds=0, fleet=False)


def missing(rules: Rules, evidence: Evidence) -> str:
    """What a trial has still to show, in words; '' when it may be confirmed."""
    parts = []
    if evidence.predictions < rules.predictions:
        lacks = rules.predictions - evidence.predictions
        parts.append(f"{lacks} of {rules.predictions} good predictions")
    if evidence.seconds < rules.seconds:
        parts.append(_time(rules.seconds - evidence.seconds, rules.seconds))
    if rules.fleet and not evidence.fleet:
        parts.append(CONTACT)
    return ", ".join(parts)


def _time(lacks_s: float, rule_s: float) -> str:
    """In minutes where it is a matter of those: an agent tells it anew whenever it is another."""
    if rule_s >= _LONG_S:
        return f"{math.ceil(lacks_s / 60)} of {rule_s / 60:.0f} minutes of service"
    return f"{math.ceil(lacks_s)} of {rule_s:g} s of service"


def tried(state: State, model: str, digest: str, allowed: int, why: str = "") -> State:
    """One attempt of the pending slot's trial is counted; write this down before loading it.

    A staged slot begins its trial with `allowed` attempts. One that has none left is bad, for the
    reason its last attempt ended; `why` says that when it is known. A good slot needs no attempts.
    Raises StoreError when the slot is not pending.
    """
    slot = _pending(state, model, digest)
    if slot.state == "good":
        return state
    if slot.state == "staged":
        slot = msgspec.structs.replace(slot, state="trial", allowed=allowed, attempts=allowed)
    reason = (why or slot.reason)[:MAX_REASON]
    if slot.attempts < 1:
        return rejected(state, model, digest, exhausted(slot, reason))
    waits = "" if why else slot.waits  # what ended the last attempt is newer than why one waited
    slot = msgspec.structs.replace(slot, attempts=slot.attempts - 1, reason=reason, waits=waits)
    return _replaced(state, slot)


def exhausted(slot: Slot, reason: str) -> str:
    """Why a trial without attempts left ends."""
    last = reason or "what ran it was ended, or the power went, before it was confirmed"
    return f"{slot.allowed} of {slot.allowed} attempts of its trial failed; the last: {last}"


def proved(state: State, model: str, digest: str) -> State:
    """The pending slot gave its golden outputs here. Raises StoreError when it is not pending."""
    slot = _pending(state, model, digest)
    if slot.state == "staged":
        raise AssertionError(f"{model}: slot {digest} is not on trial")
    return _replaced(state, msgspec.structs.replace(slot, proved=True, waits=""))


def refunded(state: State, model: str, digest: str, why: str = "") -> State:
    """A trial was stopped on purpose, or has to wait, and `why`: its attempt is given back.

    Nothing where it is over by now.
    """
    now = state.models.get(model, ModelState())
    slot = now.slots.get(digest)
    if slot is None or digest != now.pending or slot.state != "trial":
        return state
    attempts = min(slot.allowed, slot.attempts + 1)
    waits = why[:MAX_REASON] or slot.waits
    return _replaced(state, msgspec.structs.replace(slot, attempts=attempts, waits=waits))


def given_up(state: State, model: str, digest: str) -> State:
    """The request to go back to this slot is over, what is active stays; told late, nothing changes."""
    now = state.models.get(model, ModelState())
    if now.active is None or digest != now.pending:
        return state
    return with_model(state, model, pending=None)


def confirmed_by_hand(state: State, model: str) -> State:
    """Whoever asks vouches for what is on trial; nothing changes when no slot is pending.

    Raises StoreError when the pending slot has not given its golden outputs here, or nothing runs.
    """
    now = state.models.get(model, ModelState())
    if now.pending is None and now.active is None:
        raise StoreError(f"{model}: nothing is on trial. Install a version first.")
    return confirmed(state, model, now.pending) if now.pending else state


def _pending(state: State, model: str, digest: str) -> Slot:
    now = state.models.get(model, ModelState())
    if digest != now.pending:
        raise not_pending(now, model, digest)
    return now.slots[digest]


def _replaced(state: State, slot: Slot) -> State:
    slots = {**state.models[slot.model].slots, slot.digest: slot}
    return with_model(state, slot.model, slots=slots)
