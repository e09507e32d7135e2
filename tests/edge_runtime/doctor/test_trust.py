"""The root file that a store trusts, judged by the device's clock, and found on its disk."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge_runtime.bundle import Root, decode_root, make_root
from edge_runtime.clock import Clock
from edge_runtime.doctor import trust
from edge_runtime.doctor.findings import Device, Finding
from edge_runtime.store.disk import Store
from tests.edge_runtime.store.rig import Shelf
from tests.support.tiny_bundle import KEY

ENDS = datetime(2030, 6, 1, tzinfo=timezone.utc)
ROOT = decode_root(make_root([KEY.public_key()], KEY, expires=ENDS))
UPDATE = "edge-runtime trust update --store S FILE"
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("root", "now", "believed", "state", "words"),
    [
        (None, ENDS, True, "warning", "trusts no root file"),
        (ROOT, ENDS - 31 * DAY, True, "ok", "is good until 2030-06-01."),
        (ROOT, ENDS - 30 * DAY, True, "warning", "expires on 2030-06-01; from then on nothing new"),
        (ROOT, ENDS - 1 * DAY, False, "ok", "is good until 2030-06-01."),
        (ROOT, ENDS, True, "problem", "expired on 2030-06-01: what runs runs on, but nothing new"),
        (ROOT, ENDS, False, "warning", "if the clock were right; but it was never set"),
    ],
)
def test_a_root_file_is_judged_by_a_clock_that_is_believed(
    root: Root | None, now: datetime, believed: bool, state: str, words: str
) -> None:
    found = trust.judge(root, Clock(now, believed, "was never set"), UPDATE)
    assert (found.state, words in found.what) == (state, True)
    assert (UPDATE in found.advice) == (root is not None and state != "ok")


def looked(store: Store) -> Sequence[Finding]:
    return list(trust.look(Device(store=store.root)))


def test_the_root_file_and_the_release_that_installs_need_are_told(shelf: Shelf) -> None:
    assert looked(shelf.store) == [], "there is no store yet"
    shelf.run("1.2.3")
    root, floor = looked(shelf.store)
    assert (root.state, "version 1, is good until" in root.what) == ("ok", True)
    assert floor.what == "tiny: takes bundles with a release of 1002003 or more."


def test_a_floor_that_a_bundle_declared_is_told_with_its_version(shelf: Shelf) -> None:
    shelf.run("1.2.3", floor=1_000_000)
    _, floor = looked(shelf.store)
    assert floor.what.endswith(" or more. 1.2.3 declared that none below 1000000 may run again.")


def test_one_that_is_damaged_is_a_problem_with_its_remedy(shelf: Shelf) -> None:
    shelf.run("1.2.3")
    path: Path = shelf.store.root / "trust" / "root.json"
    path.write_bytes(path.read_bytes()[:100])
    found, floor = looked(shelf.store)
    assert found.state == "problem"
    assert str(path) in found.what
    assert found.what.endswith(" Nothing new is accepted.")
    assert "put a copy of the fleet's root file there" in found.advice
    assert floor.state == "ok"


def test_a_damaged_state_does_not_hide_the_root_file(shelf: Shelf) -> None:
    shelf.run("1.2.3")
    (shelf.store.root / "state.json").write_text("{")
    (found,) = looked(shelf.store)
    assert "is good until" in found.what
