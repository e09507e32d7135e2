"""Power goes at any instant of each change of a store, in a strict model of a disk.

Then the same with faults put into the store on purpose: each must be found, or the model proves nothing.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_runtime import durable
from edge_runtime.errors import EdgeError
from edge_runtime.store import state_file
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import State
from tests.edge_runtime.store.rig import ROOT, Shelf, confirm, damage
from tests.support.disk_recorder import PowerCut, Recorder
from tests.support.power_loss import Crash, crash_states

Action = Callable[[Store], object]


def running(store: Store) -> str | None:
    """The version that is active, None for none."""
    if not store.root.exists():
        return None
    now = store.state().models.get("tiny")
    return now.slots[now.active].version if now and now.active else None


@dataclass(frozen=True)
class Scenario:
    """An action on a prepared store: `before` runs when it starts, `after` when it has returned."""

    shelf: Shelf
    action: Action
    before: str | None
    after: str | None
    shown: Callable[[Store], str | None] = running

    def record(self, stop_after: int | None = None) -> Recorder:
        """Run the action on this disk; if stopped, as by SIGKILL, start again as an agent would."""
        with Recorder(self.shelf.store.root.parent, stop_after) as recorder:
            try:
                self.action(self.shelf.store)
            except PowerCut:
                recorder.stop_after = None
                restart(self.shelf.store)
        return recorder

    def first_fault(self, crashes: Iterable[Crash], *, returned: bool = True) -> str:
        """What is wrong on the first disk that is not as promised; '' when all are.

        `returned`: the action had said that it is done before the last of these crashes.
        """
        checked = 0
        for crash in crashes:
            checked += 1
            fine = {self.after} | (set() if crash.is_last and returned else {self.before})
            if fault := self._fault(crash, fine):
                return f"{fault}\n{crash.story}"
        assert checked, "no disk was looked at"
        return ""

    def _fault(self, crash: Crash, fine: set[str | None]) -> str:
        folder = self.shelf.folder / "crashed"
        shutil.rmtree(folder, ignore_errors=True)
        crash.materialise(folder)
        store = Store(folder / "store")
        try:
            restart(store)
            found = self.shown(store)
            if found not in fine:
                return f"found: {found}"
            if found != self.after:
                self.action(store)
            restart(store)
            return damage(store) or ("" if self.shown(store) == self.after else "repeated in vain")
        except EdgeError as error:
            return str(error)


def restart(store: Store) -> None:
    """What an agent does first."""
    if store.root.exists():
        store.recover()
        if found := damage(store):
            raise EdgeError(found)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """In memory: the model decides what is lost, the file system below it does not matter."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        (Path(folder) / "disk").mkdir()
        yield Shelf(Path(folder), "disk/store")


def installing(shelf: Shelf, version: str) -> Action:
    bundle = shelf.bundle(version)

    def action(store: Store) -> None:
        confirm(store, store.install(bundle, root=ROOT))

    return action


def first_install(shelf: Shelf) -> Scenario:
    return Scenario(shelf, installing(shelf, "1.0.0"), None, "1.0.0")


def update(shelf: Shelf) -> Scenario:
    """One that also removes the oldest slot."""
    shelf.run("1.0.0"), shelf.run("1.1.0")
    return Scenario(shelf, installing(shelf, "1.2.0"), "1.1.0", "1.2.0")


def rollback(shelf: Shelf) -> Scenario:
    shelf.run("1.0.0"), shelf.run("1.1.0")
    return Scenario(shelf, lambda store: confirm(store, store.rollback()), "1.1.0", "1.0.0")


@pytest.mark.parametrize("prepare", [first_install, update, rollback])
def test_a_power_cut_leaves_the_old_or_the_new_and_success_is_for_good(
    shelf: Shelf, prepare: Callable[[Shelf], Scenario]
) -> None:
    scenario = prepare(shelf)

    assert scenario.first_fault(crash_states(scenario.record())) == ""


def activation(shelf: Shelf) -> Scenario:
    """The last step of an update alone: it commits, and removes the oldest slot."""
    shelf.run("1.0.0"), shelf.run("1.1.0")
    slot = shelf.install("1.2.0")
    return Scenario(shelf, lambda store: confirm(store, slot), "1.1.0", "1.2.0")


def first_fault_after_a_kill(shelf: Shelf) -> str:
    """A process is killed at some event, the agent starts again and cleans up, and then power goes."""
    scenario, prepared, disk = activation(shelf), shelf.folder / "prepared", shelf.store.root.parent
    shutil.copytree(disk, prepared)
    for stop in range(1000):
        shutil.rmtree(disk)
        shutil.copytree(prepared, disk)
        recorder = scenario.record(stop)
        if recorder.stop_after is not None:  # it had ended before
            return ""
        crashes = crash_states(recorder, start=stop, samples=0)
        if fault := scenario.first_fault(crashes, returned=False):
            return f"killed after event {stop}: {fault}"
    raise AssertionError("it never ends")


def test_a_power_cut_while_a_kill_is_being_recovered_from(shelf: Shelf) -> None:
    assert first_fault_after_a_kill(shelf) == ""


def everything(store: Store) -> str:
    """All that the store says of the model."""
    now = store.state().models["tiny"]
    told = [f"active {now.active}, pending {now.pending}, previous {now.previous}, floor {now.floor}"]
    for slot in [*now.slots.values(), *now.bad.values()]:
        told.append(f"{slot.version}: {slot.state}, {slot.attempts} left, proved {slot.proved}")
    return "; ".join(told)


@pytest.mark.parametrize(
    "step", ["tried", "proved", "refunded", "confirmed", "rejected", "rollback", "prune"]
)
def test_a_power_cut_in_a_step_of_a_trial_counts_it_or_not_and_never_gives_back(
    shelf: Shelf, step: str
) -> None:
    """Before or after, whole: attempts do not rise, the floor does not move but by a confirm."""
    shelf.run("1.0.0"), shelf.run("1.1.0")
    new = shelf.install("1.2.0")
    shelf.store.tried("tiny", new.digest)
    if step == "confirmed":
        shelf.store.proved("tiny", new.digest)
    steps: dict[str, Action] = {
        "tried": lambda store: store.tried("tiny", new.digest),
        "proved": lambda store: store.proved("tiny", new.digest),
        "refunded": lambda store: store.refunded("tiny", new.digest),
        "confirmed": lambda store: store.confirmed("tiny", new.digest),
        "rejected": lambda store: store.rejected("tiny", new.digest, "It hung."),
        "rollback": lambda store: store.rollback(),
        "prune": lambda store: store.prune(1),
    }
    before = everything(shelf.store)
    recorder = Recorder(shelf.store.root.parent)
    with recorder:
        steps[step](shelf.store)
    after = everything(shelf.store)
    assert after != before
    scenario = Scenario(shelf, steps[step], before, after, everything)

    assert scenario.first_fault(crash_states(recorder)) == ""


def no_folder_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "sync_folder", lambda path: None)


def no_file_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_file(path: Path, chunks: Iterable[bytes], *, mode: int = 0o644) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        for chunk in chunks:
            os.write(descriptor, chunk)
        os.close(descriptor)

    monkeypatch.setattr(durable, "create_file", create_file)


def inner_folders_are_not_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = durable.sync_folder
    monkeypatch.setattr(
        durable, "sync_folder", lambda path: real(path) if ".new/" not in str(path) else None
    )


def a_slot_is_renamed_without_flushing_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "rename_folder", os.rename)


def the_state_is_written_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def replace_file(path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)
        durable.sync_folder(path.parent)

    monkeypatch.setattr(durable, "replace_file", replace_file)


def the_old_slot_goes_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    real = state_file.write

    def write(path: Path, state: State) -> None:
        for folder in (path.parent / "slots" / "tiny").glob("?" * 64):
            if folder.name not in state.models["tiny"].slots:
                durable.remove_folder(folder)
        real(path, state)

    monkeypatch.setattr(state_file, "write", write)


@pytest.mark.parametrize(
    "plant",
    [
        no_folder_is_flushed,
        no_file_is_flushed,
        inner_folders_are_not_flushed,
        a_slot_is_renamed_without_flushing_its_name,
        the_state_is_written_in_place,
        the_old_slot_goes_before_the_commit,
    ],
)
def test_a_planted_fault_is_found(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    scenario = update(shelf)
    with monkeypatch.context() as patch:
        plant(patch)
        recorder = scenario.record()

    assert scenario.first_fault(crash_states(recorder))


def test_a_sweep_that_trusts_a_state_not_flushed_yet_is_found(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, real_sweep, sweeping = durable.sync_folder, Store._sweep, False

    def sync_folder(path: Path) -> None:
        if path.name != "store" or not sweeping:
            real(path)

    def sweep(store: Store, state: State, *, nobody_installs: bool) -> None:
        nonlocal sweeping
        sweeping = True
        real_sweep(store, state, nobody_installs=nobody_installs)
        sweeping = False

    monkeypatch.setattr(durable, "sync_folder", sync_folder)
    monkeypatch.setattr(Store, "_sweep", sweep)

    assert first_fault_after_a_kill(shelf)
