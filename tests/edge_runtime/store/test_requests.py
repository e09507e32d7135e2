"""Which slot people mean when they name one, or ask for the way back."""

import msgspec
import pytest

from edge_runtime.errors import StoreError
from edge_runtime.store import requests, slots
from edge_runtime.store.slots import State
from tests.edge_runtime.store.test_slots import ONE, TWO, motion, run
from tests.edge_runtime.store.test_trials import on_trial


@pytest.mark.parametrize("which", ["2.0.0", TWO.digest, TWO.digest[:12]])
def test_a_slot_is_named_by_version_or_digest(which: str) -> None:
    assert requests.named(run(run(State(), ONE), TWO), "motion", which).digest == TWO.digest


def test_without_a_name_the_pending_slot_is_meant_else_the_active_one() -> None:
    assert requests.named(on_trial(), None, None).digest == TWO.digest
    assert requests.named(run(State(), ONE), None, None).digest == ONE.digest


def test_a_version_that_is_not_here_is_refused_with_those_that_are() -> None:
    with pytest.raises(StoreError, match=r"one installed version 3\.0\.0, found: 1\.0\.0 \("):
        requests.named(run(State(), ONE), None, "3.0.0")


def test_a_rollback_is_a_request_that_must_be_proved_too() -> None:
    asked, target = requests.rolled_back(run(run(State(), ONE), TWO), "motion")
    done = slots.confirmed(asked, "motion", ONE.digest)

    assert target.version == "1.0.0"
    assert (motion(asked).active, motion(asked).pending) == (TWO.digest, ONE.digest)
    assert (motion(done).active, motion(done).previous) == (ONE.digest, TWO.digest)


def test_a_rollback_during_a_trial_gives_the_trial_up_and_nothing_else() -> None:
    state, target = requests.rolled_back(on_trial(), "motion")

    assert target.version == "1.0.0"
    assert (motion(state).active, motion(state).pending) == (ONE.digest, None)
    assert motion(state).bad == {}


def test_without_a_way_back_a_rollback_says_what_to_do() -> None:
    with pytest.raises(StoreError, match=r"nothing to roll back to, only 1\.0\.0.*Install the version"):
        requests.rolled_back(run(State(), ONE), "motion")


def test_a_rollback_of_an_unknown_model_says_which_there_are() -> None:
    with pytest.raises(StoreError, match=r"vibration: there is no such model.*found: motion. Name one"):
        requests.rolled_back(run(State(), ONE), "vibration")


def test_a_rollback_without_a_name_needs_one_model_only() -> None:
    state = slots.begin_write(run(State(), TWO), msgspec.structs.replace(ONE, model="vibration"))

    with pytest.raises(StoreError, match=r"one model.*found: motion, vibration\. Name one\."):
        requests.rolled_back(state, None)
    with pytest.raises(StoreError, match="found: none"):
        requests.rolled_back(State(), None)
