"""The decisions of the store: by sentences, then by every sequence Hypothesis can think of."""

import contextlib
import hashlib

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_runtime.errors import OlderReleaseError, StoreError
from edge_runtime.store import requests, slots, trials
from edge_runtime.store.slots import ModelState, Slot, State


def slot(version: str, release: int, declares: int = 0) -> Slot:
    digest = hashlib.sha256(f"{version} {release}".encode()).hexdigest()
    return Slot(
        model="motion",
        digest=digest,
        version=version,
        release=release,
        state="writing",
        declares=declares,
    )


ONE, TWO, THREE = slot("1.0.0", 1), slot("2.0.0", 2), slot("3.0.0", 3)


def install(state: State, new: Slot) -> State:
    return slots.staged(slots.begin_write(state, new), "motion", new.digest)


def prove(state: State, digest: str) -> State:
    return trials.proved(trials.tried(state, "motion", digest, 2), "motion", digest)


def run(state: State, new: Slot) -> State:
    return slots.confirmed(prove(install(state, new), new.digest), "motion", new.digest)


def motion(state: State) -> ModelState:
    return state.models["motion"]


def test_an_installed_bundle_waits_until_it_is_proved() -> None:
    state = install(run(State(), ONE), TWO)

    assert (motion(state).active, motion(state).pending) == (ONE.digest, TWO.digest)
    assert motion(state).slots[TWO.digest].state == "staged"


def test_activation_keeps_the_one_before_as_the_way_back_and_no_other() -> None:
    state = run(run(run(State(), ONE), TWO), THREE)

    assert (motion(state).active, motion(state).previous) == (THREE.digest, TWO.digest)
    assert set(motion(state).slots) == {TWO.digest, THREE.digest}


def test_the_floor_stays_where_it_was_after_a_rollback() -> None:
    state, _ = requests.rolled_back(run(run(State(), ONE), TWO), "motion")
    state = slots.confirmed(state, "motion", ONE.digest)

    assert motion(state).floor == TWO.release


def test_an_older_release_is_refused_with_both_numbers_and_the_way_out() -> None:
    with pytest.raises(OlderReleaseError, match=r"release 1 is below 2.*release of 2 or more"):
        slots.begin_write(run(State(), TWO), ONE)


def test_the_same_release_with_other_content_may_be_installed() -> None:
    state = run(run(State(), TWO), slot("2.0.1", 2))

    assert motion(state).floor == 2


def test_each_model_has_its_own_floor() -> None:
    state = slots.begin_write(run(State(), TWO), msgspec.structs.replace(ONE, model="vibration"))

    assert state.models["vibration"].slots[ONE.digest].state == "writing"


class TestADeclaredFloor:
    MENDED = slot("3.0.0", 3, declares=2)

    def test_its_confirm_drops_the_ways_back_below_it_and_no_other(self) -> None:
        state = slots.pruned(run(run(State(), ONE), TWO), 4)

        state = run(state, self.MENDED)

        assert (motion(state).previous, motion(state).older) == (TWO.digest, ())
        assert set(motion(state).slots) == {TWO.digest, self.MENDED.digest}
        assert (motion(state).declared, motion(state).declared_by) == (2, "3.0.0")

    def test_before_its_confirm_everything_may_be_gone_back_to(self) -> None:
        state = prove(install(run(State(), ONE), self.MENDED), self.MENDED.digest)
        state, target = requests.rolled_back(state, "motion")

        assert target.digest == motion(state).active == ONE.digest
        assert motion(state).declared == 0

    def test_what_it_forbids_is_refused_with_who_declared_it_and_the_way_out(self) -> None:
        state = run(run(State(), ONE), self.MENDED)
        why = (
            r"Version 3\.0\.0 declared that no release below 2 may run here again: "
            r"to ship older content on purpose, make a new bundle of it with a release of 3 or more\."
        )

        with pytest.raises(StoreError, match=r"nothing to roll back to, only 3\.0\.0 .* " + why):
            requests.rolled_back(state, "motion")
        with pytest.raises(StoreError, match=r"installed version 1\.0\.0, found: 3\.0\.0 .* " + why):
            requests.named(state, "motion", "1.0.0")
        with pytest.raises(OlderReleaseError, match="release 1 is below 3"):
            slots.begin_write(state, ONE)

    def test_a_later_release_that_declares_less_or_nothing_does_not_lower_it(self) -> None:
        state = run(run(run(State(), TWO), self.MENDED), slot("4.0.0", 4, declares=1))
        state = run(state, slot("5.0.0", 5))

        assert (motion(state).declared, motion(state).declared_by) == (2, "3.0.0")

    def test_going_back_above_it_does_not_lower_it(self) -> None:
        state, _ = requests.rolled_back(run(run(State(), TWO), self.MENDED), "motion")
        state = slots.confirmed(state, "motion", TWO.digest)

        assert (motion(state).active, motion(state).declared) == (TWO.digest, 2)

    def test_a_fault_of_what_declared_it_brings_nothing_older_back(self) -> None:
        state = run(run(State(), ONE), self.MENDED)

        for give_up in (
            slots.withdrawn(state, "motion", self.MENDED.digest),
            slots.rejected(state, "motion", self.MENDED.digest, "It crashes."),
        ):
            assert (motion(give_up).active, motion(give_up).pending) == (None, None)
            assert (motion(give_up).slots, motion(give_up).declared) == ({}, 2)

    def test_what_was_unpacked_while_the_floor_rose_is_not_installed(self) -> None:
        state = slots.begin_write(install(run(State(), ONE), self.MENDED), TWO)
        state = slots.confirmed(prove(state, self.MENDED.digest), "motion", self.MENDED.digest)

        with pytest.raises(OlderReleaseError, match="release 2 is below 3, which was confirmed"):
            slots.staged(state, "motion", TWO.digest)


def test_a_rejected_bundle_is_remembered_and_the_running_one_stays() -> None:
    why = "motion 2.0.0: Golden 3 differs."
    state = slots.rejected(install(run(State(), ONE), TWO), "motion", TWO.digest, why)

    assert (motion(state).active, motion(state).pending) == (ONE.digest, None)
    assert motion(state).bad[TWO.digest].reason == why
    with pytest.raises(StoreError, match=r"2\.0\.0.*rejected: Golden 3 differs\. Install another"):
        slots.begin_write(state, TWO)


def test_what_was_rejected_last_is_told_of_until_something_newer_waits_or_was_good() -> None:
    """So whoever asks in a year is not told of what has long been replaced."""
    state = run(State(), ONE)
    assert slots.refused(motion(state)) is None
    state = slots.rejected(install(state, TWO), "motion", TWO.digest, "Row 2 differs.")
    refused = slots.refused(motion(state))
    assert refused
    assert (refused.version, refused.reason) == ("2.0.0", "Row 2 differs.")
    assert slots.refused(motion(install(state, THREE))) is None

    other = slot("3.1.0", 3)
    state = slots.rejected(install(run(state, THREE), other), "motion", other.digest, "It hangs.")
    assert slots.refused(motion(state)) is None, "one as new is active"
    state = slots.requested(state, "motion", ONE.digest)
    state = slots.confirmed(state, "motion", ONE.digest)
    assert motion(state).active == ONE.digest
    state = slots.rejected(state, "motion", ONE.digest, "It died.")
    assert slots.refused(motion(state)) is None, "one newer was good, and is the way back"


def test_what_was_active_and_stopped_working_is_told_of_while_the_one_before_it_runs() -> None:
    state = run(run(State(), ONE), TWO)
    state = slots.rejected(state, "motion", TWO.digest, "It died three times.")
    assert motion(state).pending == ONE.digest
    assert slots.refused(motion(state)) == motion(state).bad[TWO.digest]
    state = slots.confirmed(state, "motion", ONE.digest)
    assert slots.refused(motion(state)) == motion(state).bad[TWO.digest]


def test_a_rejected_bundle_that_is_tried_again_is_bad_until_it_is_staged() -> None:
    state = slots.rejected(install(run(State(), ONE), TWO), "motion", TWO.digest, "It hung.")

    writing = slots.begin_write(state, TWO, retry=True)
    assert slots.recovered(writing) == state
    state = slots.staged(writing, "motion", TWO.digest)

    assert (motion(state).pending, motion(state).bad) == (TWO.digest, {})
    assert motion(prove(state, TWO.digest)).slots[TWO.digest].attempts == 1
    assert slots.rejected(state, "motion", TWO.digest, "Again.").models["motion"].bad


def test_a_retry_is_no_way_below_the_floor() -> None:
    state = slots.rejected(install(run(State(), ONE), TWO), "motion", TWO.digest, "It hung.")

    with pytest.raises(OlderReleaseError):
        slots.begin_write(run(state, THREE), TWO, retry=True)


def test_an_active_bundle_that_stops_working_makes_room_for_the_way_back() -> None:
    state = slots.rejected(run(run(State(), ONE), TWO), "motion", TWO.digest, "It crashes.")

    assert (motion(state).active, motion(state).pending) == (None, ONE.digest)
    assert motion(slots.confirmed(state, "motion", ONE.digest)).active == ONE.digest


def test_a_way_back_survives_when_the_active_one_is_replaced_after_a_fault() -> None:
    state = slots.rejected(run(run(State(), ONE), TWO), "motion", TWO.digest, "It crashes.")
    state = run(state, THREE)

    assert (motion(state).active, motion(state).previous) == (THREE.digest, ONE.digest)


def test_a_damaged_copy_may_be_installed_again() -> None:
    state = slots.withdrawn(install(run(State(), ONE), TWO), "motion", TWO.digest)

    assert motion(install(state, TWO)).pending == TWO.digest


def test_a_later_install_replaces_the_one_that_waits() -> None:
    state = install(install(run(State(), ONE), TWO), THREE)

    assert set(motion(state).slots) == {ONE.digest, THREE.digest}
    with pytest.raises(
        StoreError,
        match=r"^motion \S+: it is not pending any more; a later",
    ):
        slots.confirmed(state, "motion", TWO.digest)
    with pytest.raises(StoreError, match="neither pending nor active"):
        slots.rejected(state, "motion", TWO.digest, "too late")


def test_asking_for_the_active_one_gives_up_what_waits() -> None:
    state = slots.requested(install(run(State(), ONE), TWO), "motion", ONE.digest)

    assert (motion(state).active, motion(state).pending) == (ONE.digest, None)


def test_asking_for_what_is_gone_is_refused() -> None:
    with pytest.raises(StoreError, match="not installed any more"):
        slots.requested(run(State(), ONE), "motion", TWO.digest)


def test_activating_the_active_one_again_changes_nothing() -> None:
    state = run(State(), ONE)

    assert slots.confirmed(state, "motion", ONE.digest) == state


def test_a_crash_while_writing_leaves_what_was_there_before() -> None:
    before = run(State(), ONE)

    assert slots.recovered(slots.begin_write(before, TWO)) == before
    assert slots.recovered(slots.begin_write(State(), TWO)) == State()


def test_the_number_of_models_and_the_memory_of_bad_ones_are_bounded() -> None:
    full = State(models={f"m{n}": ModelState(floor=1) for n in range(slots.MAX_MODELS)})
    with pytest.raises(StoreError, match="64 models already"):
        slots.begin_write(full, ONE)

    state = State()
    for n in range(slots.MAX_BAD + 3):
        new = slot(f"1.0.{n}", n)
        state = slots.rejected(install(state, new), "motion", new.digest, "x" * 10_000)
    assert len(motion(state).bad) == slots.MAX_BAD
    assert new.digest in motion(state).bad
    assert len(motion(state).bad[new.digest].reason) == slots.MAX_REASON


class StoreMachine(RuleBasedStateMachine):
    """Anything that users, agents and crashes may do, in any order, to one model."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.floor, self.ever_bad = State(), 0, set[str]()
        self.declared = 0

    @property
    def now(self) -> ModelState:
        return self.state.models.get("motion", ModelState())

    @rule(release=st.integers(0, 6), content=st.integers(0, 1), crash=st.booleans(), retry=st.booleans())
    def install(self, release: int, content: int, crash: bool, retry: bool) -> None:
        new = slot(f"{release}.0.{content}", release, declares=max(0, release - 2) if content else 0)
        if new.digest in self.now.slots:
            self.state = slots.requested(self.state, "motion", new.digest)
            return
        try:
            self.state = slots.begin_write(self.state, new, retry=retry)
        except OlderReleaseError:
            assert release < self.floor
        except StoreError:
            assert new.digest in self.ever_bad
            assert not retry
        else:
            self.writing_is_one_slot_more(crash, new)

    def writing_is_one_slot_more(self, crash: bool, new: Slot) -> None:
        self.runnable_and_bounded()
        if crash:
            self.state = slots.recovered(self.state)
        else:
            self.state = slots.staged(self.state, "motion", new.digest)
            assert self.now.pending == new.digest
            self.ever_bad.discard(new.digest)

    @rule()
    def roll_back(self) -> None:
        try:
            self.state, _ = requests.rolled_back(self.state, None)
        except StoreError:
            assert self.now.previous is None
        else:
            assert self.now.pending in (self.now.previous, None)

    @precondition(lambda self: self.now.pending)
    @rule(why=st.sampled_from(["", "It hung."]))
    def attempt(self, why: str) -> None:
        assert self.now.pending
        before = self.now.slots[self.now.pending]
        self.state = trials.tried(self.state, "motion", before.digest, 2, why)
        if before.state == "trial" and before.attempts == 0:
            self.ever_bad.add(before.digest)
        elif before.state == "trial":
            assert self.now.slots[before.digest].attempts == before.attempts - 1

    @precondition(lambda self: self.now.pending)
    @rule()
    def clean_stop(self) -> None:
        self.state = trials.refunded(self.state, "motion", self.now.pending or "")

    @rule(keep=st.integers(1, 4))
    def prune(self, keep: int) -> None:
        self.state = slots.pruned(self.state, keep)

    @precondition(lambda self: self.now.pending and self.may_be_tried())
    @rule()
    def activate(self) -> None:
        assert self.now.pending
        self.state = slots.confirmed(prove(self.state, self.now.pending), "motion", self.now.pending)
        assert self.now.active
        active = self.now.slots[self.now.active]
        self.floor = max(self.floor, active.release)
        self.declared = max(self.declared, active.declares)

    def may_be_tried(self) -> bool:
        slot = self.now.slots[self.now.pending or ""]
        return slot.state != "trial" or slot.attempts > 0

    @precondition(lambda self: self.now.pending or self.now.active)
    @rule(active=st.booleans(), remember=st.booleans())
    def give_up(self, active: bool, remember: bool) -> None:
        digest = self.now.active if active and self.now.active else self.now.pending or self.now.active
        assert digest
        if remember:
            self.state = slots.rejected(self.state, "motion", digest, "why")
            self.ever_bad.add(digest)
        else:
            self.state = slots.withdrawn(self.state, "motion", digest)

    @rule(digest=st.sampled_from([slot(f"{n}.0.0", n).digest for n in range(7)]))
    def activate_out_of_turn(self, digest: str) -> None:
        before = self.state
        if digest != self.now.pending:
            with contextlib.suppress(StoreError):
                self.state = slots.confirmed(self.state, "motion", digest)
            assert self.state == before

    @rule()
    def crash(self) -> None:
        before = self.state
        self.state = slots.recovered(self.state)
        assert self.state == before

    @invariant()
    def runnable_and_bounded(self) -> None:
        now = self.now
        kept = {role for role in (now.active, now.pending, now.previous, *now.older) if role}
        writing = {d for d, s in now.slots.items() if s.state == "writing"}
        assert set(now.slots) == kept | writing
        assert len(writing) <= 1
        assert now.active is None or now.slots[now.active].state == "good"
        assert all(now.slots[one].state == "good" for one in (now.previous, *now.older) if one)
        assert now.pending is None or now.slots[now.pending].state in ("staged", "trial", "good")
        assert all(0 <= slot.attempts <= slot.allowed <= 2 for slot in now.slots.values())
        assert now.active is None or now.active not in (now.pending, now.previous)
        assert slots.prunable(now) == frozenset()

    @invariant()
    def the_floor_never_falls(self) -> None:
        assert (self.now.floor, self.now.declared) == (self.floor, self.declared)

    @invariant()
    def nothing_below_a_declared_floor_may_run(self) -> None:
        whole = [slot for slot in self.now.slots.values() if slot.state != "writing"]
        assert all(slot.release >= self.declared for slot in whole)

    @invariant()
    def bad_stays_bad(self) -> None:
        assert set(self.now.bad) == self.ever_bad
        assert not self.ever_bad & set(self.now.slots)

    @invariant()
    def the_state_reads_back(self) -> None:
        assert msgspec.json.decode(msgspec.json.encode(self.state), type=State) == self.state


StoreMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
)
TestAnySequence = StoreMachine.TestCase
