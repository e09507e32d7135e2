"""Trials: attempts are counted before a load and never given back by a crash; only a confirm proves."""

import pytest

from edge_runtime.errors import StoreError
from edge_runtime.store import requests, slots, trials
from edge_runtime.store.slots import Slot, State
from edge_runtime.store.trials import Evidence, Rules
from tests.edge_runtime.store.test_slots import ONE, THREE, TWO, install, motion, prove, run


def on_trial(attempts: int = 3) -> State:
    """One good version, and a second whose first attempt is counted."""
    return trials.tried(install(run(State(), ONE), TWO), "motion", TWO.digest, attempts)


def two(state: State) -> Slot:
    return motion(state).slots[TWO.digest]


def test_an_attempt_is_counted_and_the_good_one_stays_active() -> None:
    state = on_trial()

    assert (two(state).state, two(state).attempts, two(state).allowed) == ("trial", 2, 3)
    assert (motion(state).active, motion(state).pending) == (ONE.digest, TWO.digest)


def test_a_trial_alone_raises_no_floor_and_a_confirm_does() -> None:
    state = trials.proved(on_trial(), "motion", TWO.digest)
    assert motion(state).floor == ONE.release

    state = slots.confirmed(state, "motion", TWO.digest)
    assert motion(state).floor == TWO.release
    assert (two(state).state, two(state).attempts) == ("good", 0)
    assert (motion(state).active, motion(state).previous) == (TWO.digest, ONE.digest)


def test_after_the_last_attempt_the_next_start_rejects_it_for_the_last_reason() -> None:
    state = on_trial(2)
    state = trials.tried(state, "motion", TWO.digest, 2, "It hung.")
    assert (two(state).attempts, two(state).reason) == (0, "It hung.")
    state = trials.tried(state, "motion", TWO.digest, 2)

    assert (motion(state).active, motion(state).pending) == (ONE.digest, None)
    reason = motion(state).bad[TWO.digest].reason
    assert reason == "2 of 2 attempts of its trial failed; the last: It hung."


def test_attempts_that_power_cuts_took_are_told_as_such() -> None:
    state = on_trial(1)

    state = trials.tried(state, "motion", TWO.digest, 1)

    assert "the power went, before it was confirmed" in motion(state).bad[TWO.digest].reason


def test_another_setting_does_not_give_a_running_trial_more_attempts() -> None:
    state = trials.tried(on_trial(2), "motion", TWO.digest, 16)

    assert (two(state).attempts, two(state).allowed) == (0, 2)


def test_a_clean_stop_gives_the_attempt_back_and_never_more_than_there_were() -> None:
    state = trials.refunded(on_trial(), "motion", TWO.digest)
    assert two(state).attempts == 3

    assert trials.refunded(state, "motion", TWO.digest) == state


def test_why_a_version_waits_is_kept_until_it_proves_itself_and_is_no_reason_to_reject_it() -> None:
    state = trials.refunded(on_trial(1), "motion", TWO.digest, "There is no memory.")
    assert (two(state).attempts, two(state).waits) == (1, "There is no memory.")
    state = trials.tried(state, "motion", TWO.digest, 1)
    state = trials.refunded(state, "motion", TWO.digest)  # the device is stopped meanwhile
    assert two(state).waits == "There is no memory."

    state = trials.tried(state, "motion", TWO.digest, 1)
    assert two(trials.proved(state, "motion", TWO.digest)).waits == ""
    bad = motion(trials.tried(state, "motion", TWO.digest, 1)).bad[TWO.digest]
    assert "the power went, before it was confirmed" in bad.reason
    assert bad.waits == ""


def test_a_refund_that_comes_late_changes_nothing() -> None:
    done = slots.confirmed(trials.proved(on_trial(), "motion", TWO.digest), "motion", TWO.digest)

    assert trials.refunded(done, "motion", TWO.digest) == done
    assert trials.refunded(done, "motion", THREE.digest) == done


def test_installing_the_same_again_during_its_trial_gives_no_attempts_back() -> None:
    state = slots.requested(on_trial(), "motion", TWO.digest)

    assert state == on_trial()


@pytest.mark.parametrize("state", [install(State(), TWO), on_trial()])
def test_what_has_not_given_its_golden_outputs_here_is_not_confirmed(state: State) -> None:
    told = r"2\.0\.0: expected a version that gave its golden outputs here, found one that did not"

    with pytest.raises(StoreError, match=told):
        trials.confirmed_by_hand(state, "motion")
    with pytest.raises(StoreError, match=told):
        slots.confirmed(state, "motion", TWO.digest)


def test_a_confirm_by_hand_is_idempotent_and_needs_something_to_confirm() -> None:
    done = trials.confirmed_by_hand(trials.proved(on_trial(), "motion", TWO.digest), "motion")

    assert motion(done).active == TWO.digest
    assert trials.confirmed_by_hand(done, "motion") == done
    with pytest.raises(StoreError, match=r"nothing is on trial\. Install a version first"):
        trials.confirmed_by_hand(
            slots.rejected(install(State(), ONE), "motion", ONE.digest, ""), "motion"
        )


def test_a_way_back_needs_no_attempts() -> None:
    state, _ = requests.rolled_back(run(run(State(), ONE), TWO), "motion")

    assert trials.tried(state, "motion", ONE.digest, 3) == state
    assert motion(slots.confirmed(state, "motion", ONE.digest)).active == ONE.digest


def test_a_way_back_that_is_given_up_leaves_the_active_one_and_any_later_request() -> None:
    before = run(run(State(), ONE), TWO)
    asked, _ = requests.rolled_back(before, "motion")
    replaced = install(asked, THREE)

    assert trials.given_up(asked, "motion", ONE.digest) == before
    assert trials.given_up(before, "motion", ONE.digest) == before
    assert trials.given_up(replaced, "motion", ONE.digest) == replaced


def test_a_step_of_a_trial_that_was_replaced_is_refused() -> None:
    state = install(on_trial(), THREE)

    for step in (lambda: trials.tried(state, "motion", TWO.digest, 3), lambda: prove(state, TWO.digest)):
        with pytest.raises(
            StoreError,
            match=r"^motion \S+: it is not pending any more; a later",
        ):
            step()


def test_more_good_versions_are_kept_where_that_is_asked_for() -> None:
    state = slots.pruned(run(State(), ONE), 3)
    state = run(run(state, TWO), THREE)
    assert motion(state).older == (ONE.digest,)

    state = slots.requested(state, "motion", requests.named(state, None, "1.0.0").digest)
    state = slots.confirmed(state, "motion", ONE.digest)
    assert (motion(state).previous, motion(state).older) == (THREE.digest, (TWO.digest,))

    state = slots.pruned(state, 1)
    assert set(motion(state).slots) == {ONE.digest}
    with pytest.raises(StoreError, match="expected 1 to 16 good versions a model, found 0"):
        slots.pruned(state, 0)


def test_pruning_leaves_what_is_on_trial() -> None:
    state = slots.pruned(on_trial(), 1)

    assert set(motion(state).slots) == {ONE.digest, TWO.digest}


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (Evidence(predictions=10, seconds=5, fleet=True), ""),
        (Evidence(predictions=7, seconds=5, fleet=True), "3 of 10 good predictions"),
        (
            Evidence(predictions=10, seconds=2.5, fleet=False),
            "3 of 5 s of service, contact with the fleet",
        ),
    ],
)
def test_what_a_trial_has_still_to_show(evidence: Evidence, words: str) -> None:
    assert trials.missing(Rules(predictions=10, seconds=5, fleet=True), evidence) == words


def test_a_trial_of_a_day_tells_minutes() -> None:
    asks, shown = Rules(seconds=86_400), Evidence(predictions=10, seconds=90, fleet=False)
    assert trials.missing(asks, shown) == "1439 of 1440 minutes of service"


def test_a_model_without_a_stream_is_proved_by_its_golden_outputs() -> None:
    assert trials.missing(trials.GOLDENS_ONLY, Evidence(predictions=0, seconds=0, fleet=False)) == ""


def test_an_attempt_that_ended_for_another_reason_takes_the_place_of_why_it_waited() -> None:
    state = trials.refunded(on_trial(), "motion", TWO.digest, "There is no memory.")
    state = trials.tried(state, "motion", TWO.digest, 3)
    state = trials.tried(state, "motion", TWO.digest, 3, "It hung.")

    assert (two(state).reason, two(state).waits) == ("It hung.", "")
