"""What an error says of the slot that was tried."""

import pytest

from edge_runtime.errors import (
    BundleError,
    ConfigError,
    EdgeError,
    EngineError,
    GoldenMismatchError,
    UnavailableError,
    UnreadableError,
    WorkerError,
)
from edge_runtime.store.blame import Decision, decide
from edge_runtime.store.slots import ModelState, Slot, SlotState

NEW, ACTIVE, PREVIOUS = "n" * 64, "a" * 64, "p" * 64


def slot(digest: str, state: SlotState) -> Slot:
    return Slot(model="m", digest=digest, version="1.0.0", release=1, state=state)


def model(state: SlotState, *others: str) -> ModelState:
    """A slot NEW that is pending, beside ACTIVE and PREVIOUS or not."""
    slots = {NEW: slot(NEW, state), **{other: slot(other, "good") for other in others}}
    return ModelState(
        pending=NEW,
        active=ACTIVE if ACTIVE in others else None,
        previous=PREVIOUS if PREVIOUS in others else None,
        slots=slots,
    )


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (GoldenMismatchError("other outputs"), "reject"),
        (EngineError("cannot be loaded"), "reject"),
        (BundleError("another digest"), "withdraw"),
        (WorkerError("ended by SIGKILL"), "attempt"),
        (UnavailableError("no onnxruntime"), "wait"),
        (UnreadableError("Permission denied"), "wait"),
        (ConfigError("no such file"), "wait"),
    ],
)
@pytest.mark.parametrize("others", [(), (ACTIVE,), (ACTIVE, PREVIOUS)])
def test_of_a_slot_on_trial(error: EdgeError, decision: Decision, others: tuple[str, ...]) -> None:
    assert decide(error, model("trial", *others), NEW) == decision


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (GoldenMismatchError("other outputs"), "reject"),
        (BundleError("another digest"), "withdraw"),
        (WorkerError("ended by SIGKILL"), "stay"),
        (UnavailableError("no onnxruntime"), "wait"),
        (UnreadableError("Permission denied"), "wait"),
    ],
)
def test_of_a_way_back_beside_the_active_one(error: EdgeError, decision: Decision) -> None:
    assert decide(error, model("good", ACTIVE), NEW) == decision


@pytest.mark.parametrize(
    "error", [GoldenMismatchError("other outputs"), WorkerError("ended by SIGKILL")]
)
def test_the_last_good_one_is_kept_whatever_it_does(error: EdgeError) -> None:
    assert decide(error, model("good"), NEW) == "wait"


def test_the_active_one_makes_way_for_one_that_may_work_and_only_for_its_own_fault() -> None:
    active = ModelState(active=ACTIVE, slots={ACTIVE: slot(ACTIVE, "good")})
    with_a_way_back = ModelState(
        active=ACTIVE,
        previous=PREVIOUS,
        slots={ACTIVE: slot(ACTIVE, "good"), PREVIOUS: slot(PREVIOUS, "good")},
    )

    wrong, killed, missing = GoldenMismatchError("x"), WorkerError("x"), UnavailableError("x")
    assert [decide(wrong, each, ACTIVE) for each in (active, with_a_way_back)] == ["wait", "reject"]
    assert [decide(killed, each, ACTIVE) for each in (active, with_a_way_back)] == ["wait", "wait"]
    assert [decide(missing, each, ACTIVE) for each in (active, with_a_way_back)] == ["wait", "wait"]
