"""Bundles with one thing changed: none is accepted, none ends in anything but a sentence."""

import tracemalloc

from tests.hostile.mutation import KINDS, counted, mutations

SEED, COUNT = 20261128, 500
MAX_BYTES = 64 << 20


def test_a_sample_of_changed_bundles_is_refused_in_bounded_memory() -> None:
    tracemalloc.start()
    found = counted(SEED, COUNT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    endings = {kind: {ending for of, ending in found if of == kind} for kind in KINDS}
    assert endings == {kind: {"refused"} for kind in KINDS} | {"manifest": {"refused", "harmless"}}
    assert found.total() == COUNT
    assert peak < MAX_BYTES


def test_one_seed_makes_the_same_mutations() -> None:
    assert list(mutations(1, 20)) == list(mutations(1, 20))
    assert list(mutations(1, 20)) != list(mutations(2, 20))
