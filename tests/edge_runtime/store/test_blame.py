"""What an error says of the slot that was tried."""

from pathlib import Path

import pytest

from edge_runtime.bundle import load_root
from edge_runtime.errors import (
    BundleError,
    ConfigError,
    EdgeError,
    EngineError,
    GoldenMismatchError,
    OlderReleaseError,
    StorageError,
    StoreBusyError,
    StoreError,
    TrustError,
    UnavailableError,
    UnreadableError,
    WorkerError,
)
from edge_runtime.store.blame import Decision, decide, may_pass
from edge_runtime.store.disk import Store
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


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (StorageError("the disk is full"), True),
        (StoreBusyError("another install is under way"), True),
        (TrustError("signed by a stranger"), False),
        (UnavailableError("for another board"), False),
        (ConfigError("another model"), False),
        (OlderReleaseError("below the floor"), False),
        (StoreError("rejected here"), False),
        (BundleError("altered"), False),
    ],
)
def test_of_a_bundle_that_could_not_be_installed(error: EdgeError, passes: bool) -> None:
    assert may_pass(error) == passes


def test_what_the_system_does_not_give_now_may_come(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(BundleError, match="No such file") as absent:
        store.install(tmp_path / "tiny.edge", allow_unsigned=True)
    with pytest.raises(TrustError, match="No such file") as trust:
        load_root(tmp_path / "root.json")
    (tmp_path / "tiny.edge").write_bytes(b"half of one")
    with pytest.raises(BundleError) as half:
        store.install(tmp_path / "tiny.edge", allow_unsigned=True)
    assert [may_pass(found.value) for found in (absent, trust, half)] == [True, True, False]
