"""Power goes at any instant of each path that writes a store, in a strict model of a disk.

Then the same with faults put into the store on purpose: each must be found, or the model proves nothing.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.edge_runtime.store import plants
from tests.edge_runtime.store.cuts import Walk
from tests.edge_runtime.store.paths import PATHS
from tests.support.power_loss import crash_states

Record = Callable[[str, object], None]


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory: the model decides what is lost, the file system below it does not matter."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", PATHS)
def test_a_power_cut_leaves_the_old_or_the_new_and_success_is_for_good(
    folder: Path, name: str, record_property: Record
) -> None:
    walk = Walk(PATHS[name], folder)
    recorder = walk.record()
    assert walk.after != walk.before

    assert walk.first_fault(crash_states(recorder)) == ""

    record_property("power: path", name)
    record_property("power: crash states", walk.states)


def first_fault_after_a_kill(walk: Walk, *, whole: bool = False) -> str:
    """A process is killed at some event, an agent starts, the same is asked for again, power goes.

    At the end, that is; with `whole` at every event since the kill.
    """
    walk.record()
    for stop in range(1000):
        killed = walk.killed(stop)
        if killed is None:
            return ""
        recorder, returned = killed
        crashes = crash_states(recorder, start=stop if whole else len(recorder.log), samples=0)
        if fault := walk.first_fault(crashes, returned=returned):
            return f"killed after event {stop}: {fault}"
    raise AssertionError("it never ends")


@pytest.mark.parametrize("name", PATHS)
def test_what_is_said_to_be_done_after_a_kill_is_for_good_too(
    folder: Path, name: str, record_property: Record
) -> None:
    """The one that was killed may have come as far as the rename, and flushed nothing."""
    walk = Walk(PATHS[name], folder)

    assert first_fault_after_a_kill(walk) == ""

    record_property("power: crash states", walk.states)


def test_a_power_cut_while_a_kill_is_being_recovered_from(folder: Path, record_property: Record) -> None:
    walk = Walk(PATHS["confirmed"], folder)

    assert first_fault_after_a_kill(walk, whole=True) == ""

    record_property("power: crash states", walk.states)


@pytest.mark.parametrize(
    ("plant", "name"), plants.IN_ONE_RUN, ids=lambda one: getattr(one, "__name__", one)
)
def test_a_planted_fault_is_found(
    folder: Path,
    plant: plants.Plant,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Record,
) -> None:
    walk = Walk(PATHS[name], folder)
    plant(monkeypatch)

    assert walk.first_fault(crash_states(walk.record())) != ""

    record_property("power: planted fault", plant.__name__)


@pytest.mark.parametrize(
    ("plant", "name"), plants.AFTER_A_KILL, ids=lambda one: getattr(one, "__name__", one)
)
def test_a_fault_that_only_a_kill_before_the_power_cut_shows_is_found(
    folder: Path,
    plant: plants.Plant,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Record,
) -> None:
    walk = Walk(PATHS[name], folder)
    plant(monkeypatch)

    assert first_fault_after_a_kill(walk) != ""

    record_property("power: planted fault", plant.__name__)
