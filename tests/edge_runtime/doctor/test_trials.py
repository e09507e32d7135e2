"""A version that waits to be active: fine for a while, then something that somebody should look at."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.config import TrialConfig
from edge_runtime.doctor import trials
from edge_runtime.doctor.findings import Device
from edge_runtime.store.beside_agent import Told
from edge_runtime.store.slots import Slot, SlotState
from tests.edge_runtime.store.rig import Shelf

STORE = Path("/s")
ASKS = TrialConfig(predictions=10, serve_s=60, fleet=True)


def slot(state: SlotState = "trial", **more: Any) -> Slot:
    return Slot(model="tiny", digest="d", version="1.1.0", release=2, state=state, **more)


SERVES = slot(attempts=2, allowed=3, proved=True, reason="it was killed")
LOADS = slot(attempts=2, allowed=3)
WAITS = slot(attempts=3, allowed=3, waits="There is no memory.")


@pytest.mark.parametrize(
    ("found", "quiet_s", "agent_runs", "state", "words"),
    [
        (slot("staged"), 0, True, "ok", "tiny 1.1.0 is installed and waits to be tried."),
        (slot("staged"), 0, False, "warning", "waits to be tried. No agent runs on this store."),
        (slot("staged"), 5_000, True, "warning", "Nothing came of it for 83 minutes."),
        (slot("good"), 0, True, "ok", "waits to be tried."),
        (SERVES, 659, True, "ok", "on trial, 2 of 3 attempts left. The last attempt: it was killed."),
        (
            SERVES,
            660,
            True,
            "warning",
            "show 10 good predictions, 60 s of service, contact with the fleet.",
        ),
        (SERVES, -1e9, True, "ok", "on trial"),  # the clock went back
        (SERVES, 0, False, "warning", "No agent runs on this store."),
        (WAITS, 0, True, "warning", "3 of 3 attempts left. Why it waits: There is no memory."),
        (WAITS, 0, False, "warning", "Why it waits: There is no memory. No agent runs on this store."),
        (LOADS, 660, True, "warning", "attempts left. Nothing came of it for 11 minutes."),
    ],
)
def test_what_is_pending_is_judged_by_how_long_nothing_happened(
    found: Slot, quiet_s: float, agent_runs: bool, state: str, words: str
) -> None:
    finding = trials.judge(found, ASKS, STORE, quiet_s=quiet_s, agent_runs=agent_runs, why=found.waits)
    assert (finding.state, words in finding.what) == (state, True), finding.what
    assert bool(finding.advice) == (state != "ok")


def test_what_the_agent_says_of_it_is_told_at_once() -> None:
    said = "it is made for pi5."
    finding = trials.judge(slot("staged"), ASKS, STORE, quiet_s=0, agent_runs=True, why=said)
    assert finding.state == "warning"
    assert finding.what.endswith("waits to be tried. Why it waits: it is made for pi5.")


def test_a_reason_that_ended_the_last_attempt_and_holds_is_told_once() -> None:
    finding = trials.judge(SERVES, ASKS, STORE, quiet_s=0, agent_runs=True, why="it was killed")
    assert finding.what.endswith("2 of 3 attempts left. Why it waits: it was killed.")


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (Told({"tiny": ""}, {"tiny": "1.0.0 is gone."}), "There is no memory."),
        (
            Told({"tiny": ""}, {"tiny": "1.0.0 is gone."}, {"tiny": "It is made for pi5."}),
            "It is made for pi5.",
        ),
        (Told({"tiny": "1.0.0"}, {}, {"tiny": "It is made for pi5."}), "It is made for pi5."),
    ],
)
def test_of_what_waits_its_own_reason_is_told_and_not_that_of_the_active_version(
    shelf: Shelf, says: Told, why: str
) -> None:
    shelf.run("1.0.0")
    waits = shelf.install("1.1.0")
    shelf.store.tried("tiny", waits.digest)
    shelf.store.judged("tiny", waits.digest, "wait", "There is no memory.")
    with shelf.store.agent_lock() as lock:
        lock.say(says.line())
        (found,) = trials.look(Device(store=shelf.store.root))
    assert found.what == f"tiny 1.1.0 is on trial, 3 of 3 attempts left. Why it waits: {why}"


def test_who_waits_too_long_is_told_how_to_vouch_for_it_and_how_to_give_it_up() -> None:
    finding = trials.judge(SERVES, None, STORE, quiet_s=1_000, agent_runs=True)
    assert f"edge-runtime confirm {SERVES.model} --store /s;" in finding.advice
    assert f"edge-runtime rollback {SERVES.model} --store /s" in finding.advice


def test_only_what_a_trial_really_asks_for_is_named() -> None:
    asks = TrialConfig(predictions=0, serve_s=0, fleet=True)
    finding = trials.judge(SERVES, asks, STORE, quiet_s=1_000, agent_runs=True)
    assert "It has to show contact with the fleet." in finding.what


def test_what_it_lacks_is_told_where_its_agent_says_it(shelf: Shelf) -> None:
    slot = shelf.install("1.1.0")
    shelf.store.tried("tiny", slot.digest)
    shelf.store.proved("tiny", slot.digest)
    long_ago = time.time() - 7_200
    os.utime(shelf.store.root / "state.json", (long_ago, long_ago))
    with shelf.store.agent_lock() as lock:
        lock.say(Told({"tiny": "1.1.0"}, lacks={"tiny": "3 of 10 good predictions"}).line())
        (found,) = trials.look(Device(store=shelf.store.root))
    assert found.what.endswith("It has to show 3 of 10 good predictions.")


def test_the_store_is_looked_at(shelf: Shelf) -> None:
    device = Device(store=shelf.store.root)
    assert list(trials.look(device)) == [], "there is no store yet"
    shelf.run("1.0.0")
    assert list(trials.look(device)) == []
    shelf.install("1.1.0")
    long_ago = time.time() - 7_200
    os.utime(shelf.store.root / "state.json", (long_ago, long_ago))
    with shelf.store.agent_lock():
        (found,) = trials.look(device)
    assert found.what.startswith("tiny 1.1.0 is installed and waits to be tried. Nothing came of it for")
    (found,) = trials.look(device)
    assert found.what.endswith("No agent runs on this store.")
