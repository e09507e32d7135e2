"""A store that an earlier release wrote is read, and goes on in today's format."""

import subprocess
import sys
from pathlib import Path

import msgspec

from edge_runtime.store import slots, state_file, trials
from tests.edge_runtime.store.rig import Shelf

FORMAT_1 = Path(__file__).with_name("state_format_1.json")
FORMAT_2 = Path(__file__).with_name("state_format_2.json")


def test_format_1_keeps_its_slots_roles_floor_and_bad_ones() -> None:
    state = state_file.read(FORMAT_1)

    assert state is not None
    now = state.models["motion"]
    shown = [now.slots[one or ""].version for one in (now.active, now.pending, now.previous)]
    assert (shown, now.floor) == (["1.1.0", "1.3.0", "1.0.0"], 1_001_000)
    assert [slot.reason for slot in now.bad.values()] == ["golden row 2 differs by 0.4."]
    assert (state.keep, now.older) == (2, ())


def test_what_waited_in_format_1_begins_its_trial_and_today_s_format_is_written(tmp_path: Path) -> None:
    state = state_file.read(FORMAT_1)
    assert state is not None
    pending = state.models["motion"].pending
    assert pending is not None

    state = trials.proved(trials.tried(state, "motion", pending, 3), "motion", pending)
    state_file.write(tmp_path / "state.json", slots.confirmed(state, "motion", pending))

    found = msgspec.json.decode((tmp_path / "state.json").read_bytes())
    assert found["state"]["format"] == slots.FORMAT == 3
    assert found["state"]["models"]["motion"]["active"] == pending
    assert state_file.read(tmp_path / "state.json") == slots.confirmed(state, "motion", pending)


def test_format_2_keeps_its_trial_and_what_is_kept_and_declares_no_floor() -> None:
    state = state_file.read(FORMAT_2)

    assert state is not None
    now = state.models["motion"]
    roles = (now.active, now.pending, now.previous, *now.older)
    shown = [now.slots[one or ""].version for one in roles]
    assert (shown, state.keep, now.floor) == (["1.2.0", "1.4.0", "1.1.0", "1.0.0"], 3, 1_002_000)
    trial = now.slots[now.pending or ""]
    assert (trial.state, trial.attempts, trial.allowed, trial.reason) == ("trial", 1, 3, "It hung.")
    assert [slot.reason for slot in now.bad.values()] == ["golden row 2 differs by 0.4."]
    assert (now.declared, now.declared_by, trial.declares) == (0, "", 0)


_FIRST_DECODE = """
import contextlib, sys, pathlib
from edge_runtime.boards import board
from edge_runtime.bundle import open_folder, sketches
from edge_runtime.choice import record
from edge_runtime.store import beside_agent, disk
import edge_runtime.errors
built = []
def watch(frame, event, _):
    if frame.f_code.co_name == "get_class_annotations":
        built.append(event)
sys.setprofile(watch)
disk.Store(pathlib.Path(sys.argv[1])).state()
record.read(pathlib.Path(sys.argv[2]))
open_folder(pathlib.Path(sys.argv[3]), root=None, allow_unsigned=True).close()
board("pi5")
with contextlib.suppress(edge_runtime.errors.BundleError):
    sketches.decode(b"{}")
sys.setprofile(None)
print(len(built))
"""


def test_it_and_what_is_read_beside_it_are_of_types_known_before_a_thread_asks(shelf: Shelf) -> None:
    """msgspec crashes where two threads are the first to decode one, as in the doctor."""
    slot = shelf.run("1.0.0")
    kept = shelf.folder / "record.json"
    kept.write_text("{}")
    line = [sys.executable, "-c", _FIRST_DECODE, shelf.store.root, kept]
    line.append(shelf.store.slot_path("tiny", slot.digest))
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == "0\n"
