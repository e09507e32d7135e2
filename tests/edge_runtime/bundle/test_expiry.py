"""An expired root: refused where the clock is believed, warned about where it is not."""

from datetime import datetime, timedelta, timezone

import pytest

from edge_runtime.bundle import decode_root, make_root
from edge_runtime.bundle.expiry import demand_current, judged
from edge_runtime.clock import Clock
from edge_runtime.errors import TrustError
from tests.support.tiny_bundle import KEY

EXPIRES = datetime(2030, 6, 1, tzinfo=timezone.utc)
ROOT = decode_root(make_root([KEY.public_key()], KEY, expires=EXPIRES))


def believed(now: datetime) -> Clock:
    return Clock(now, True, "is kept right, as the kernel says")


def doubted(now: datetime) -> Clock:
    return Clock(now, False, "is not synchronized, and nothing else says that it is right")


def test_an_expired_root_accepts_nothing_new_where_the_clock_is_believed() -> None:
    with pytest.raises(
        TrustError, match=r"version 1 expired on 2030-06-01, .* `edge-runtime trust update`"
    ):
        demand_current(ROOT, believed(EXPIRES))


def test_it_is_a_warning_where_the_clock_is_not() -> None:
    found = demand_current(ROOT, doubted(EXPIRES))

    assert found.expired
    assert "if the clock were right; but it is not synchronized" in found.warning


def test_before_its_time_there_is_nothing_to_say() -> None:
    for clock in (believed, doubted):
        found = judged(ROOT, clock(EXPIRES - timedelta(seconds=1)))
        assert (found.expired, found.refusal, found.warning) == (False, "", "")
