"""Whom an agent talks to: the brokers of its configuration, and nobody else (docs/data.md)."""

import pytest

from tests.edge_runtime.service.conftest import TracedRun

pytestmark = pytest.mark.end_to_end


def test_it_connects_to_its_brokers_and_to_nobody_else(traced_run: TracedRun) -> None:
    """Workers included: the libraries they load would tell their vendors, too, if we let them."""
    ours = set(traced_run.ports.values())
    found = traced_run.trace.destinations()
    assert {port for _, port in found} >= ours
    # The C library connects datagram sockets, which sends nothing, to sort a name's addresses.
    assert {(host, port) for host, port in found if port not in ours | {0}} == set()
    assert {host for host, _ in found} <= {"127.0.0.1", "::1"}


def test_it_listens_to_nobody(traced_run: TracedRun) -> None:
    assert list(traced_run.trace.of("listen")) == []
