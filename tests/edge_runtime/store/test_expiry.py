"""Expiry on a device: what is new is refused by a clock that is believed, and what runs runs on."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge_runtime import clock
from edge_runtime.bundle import decode_root, make_root
from edge_runtime.clock import Clock, Evidence
from edge_runtime.errors import TrustError
from edge_runtime.store import seen
from edge_runtime.store.disk import Store
from tests.edge_runtime.store.rig import Shelf, confirm
from tests.support.tiny_bundle import KEY

EXPIRES = datetime(2030, 6, 1, tzinfo=timezone.utc)
ROOT = decode_root(make_root([KEY.public_key()], KEY, expires=EXPIRES))
DAY = timedelta(days=1)


def store(shelf: Shelf, now: datetime, *, synchronized: bool, has_chip: bool = False) -> Store:
    """The shelf's store on a device whose clock is like this."""

    def read_clock(newest_seen: datetime | None) -> Clock:
        return clock.judged(Evidence(now, synchronized, newest_seen, has_chip))

    return Store(shelf.store.root, read_clock=read_clock)


def seen_at(shelf: Shelf) -> datetime | None:
    return seen.read(shelf.store.root / "trust" / "seen")


def test_a_first_install_with_an_expired_root_leaves_nothing(shelf: Shelf) -> None:
    with pytest.raises(TrustError, match="expired on 2030-06-01"):
        store(shelf, EXPIRES, synchronized=True).install(shelf.bundle("1.0.0"), root=ROOT)

    assert not shelf.store.root.exists()


def test_where_the_clock_is_not_believed_it_is_installed_and_warned_about(shelf: Shelf) -> None:
    device = store(shelf, EXPIRES, synchronized=False)

    assert device.install(shelf.bundle("1.0.0"), root=ROOT).state == "staged"
    assert "so the root file is still used" in device.expiry_warning()


def test_what_is_here_already_can_be_mended_and_activated(shelf: Shelf) -> None:
    bundle = shelf.bundle("1.0.0")
    slot = store(shelf, EXPIRES - DAY, synchronized=True).install(bundle, root=ROOT)
    later = store(shelf, EXPIRES + DAY, synchronized=True)
    confirm(later, slot)

    assert later.install(bundle).digest == slot.digest
    with pytest.raises(TrustError, match="nothing new is accepted"):
        later.install(shelf.bundle("1.1.0"))
    assert shelf.model().active == slot.digest


def test_a_clock_that_was_set_back_is_found_out_by_what_was_seen(shelf: Shelf) -> None:
    store(shelf, EXPIRES - 2 * DAY, synchronized=True).install(shelf.bundle("1.0.0"), root=ROOT)

    assert store(shelf, EXPIRES, synchronized=False, has_chip=True).clock().believed
    assert not store(shelf, EXPIRES - 3 * DAY, synchronized=True).clock().believed


def test_the_time_is_recorded_once_a_day_and_only_when_it_is_synchronized(shelf: Shelf) -> None:
    start, hour = EXPIRES - 30 * DAY, timedelta(hours=1)
    store(shelf, start, synchronized=False).install(shelf.bundle("1.0.0"), root=ROOT)
    assert seen_at(shelf) is None

    for now, expected in (
        (start, start),
        (start + 23 * hour, start),
        (start + 24 * hour, start + 24 * hour),
        (start, start + 24 * hour),
    ):
        store(shelf, now, synchronized=True).install(shelf.bundle("1.0.0"))
        assert seen_at(shelf) == expected


@pytest.mark.parametrize("text", ["", "tomorrow", "2031-01-01T00:00:00Z" * 9, "\x80"])
def test_a_damaged_record_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "seen").write_bytes(text.encode("latin-1"))

    assert seen.read(tmp_path / "seen") is None


def test_a_record_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    seen.record(tmp_path / "gone" / "seen", Clock(EXPIRES, True, "", synchronized=True))
