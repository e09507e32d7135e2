"""A store that an earlier release wrote is read, and goes on in today's format."""

from pathlib import Path

import msgspec

from edge_runtime.store import slots, state_file, trials

FORMAT_1 = Path(__file__).with_name("state_format_1.json")


def test_format_1_keeps_its_slots_roles_floor_and_bad_ones() -> None:
    state = state_file.read(FORMAT_1)

    assert state is not None
    now = state.models["motion"]
    shown = [now.slots[one or ""].version for one in (now.active, now.pending, now.previous)]
    assert (shown, now.floor) == (["1.1.0", "1.3.0", "1.0.0"], 1_001_000)
    assert [slot.reason for slot in now.bad.values()] == ["golden row 2 differs by 0.4."]
    assert (state.keep, now.older) == (2, ())


def test_what_waited_in_format_1_begins_its_trial_and_format_2_is_written(tmp_path: Path) -> None:
    state = state_file.read(FORMAT_1)
    assert state is not None
    pending = state.models["motion"].pending
    assert pending is not None

    state = trials.proved(trials.tried(state, "motion", pending, 3), "motion", pending)
    state_file.write(tmp_path / "state.json", slots.confirmed(state, "motion", pending))

    found = msgspec.json.decode((tmp_path / "state.json").read_bytes())
    assert found["state"]["format"] == 2
    assert found["state"]["models"]["motion"]["active"] == pending
    assert state_file.read(tmp_path / "state.json") == slots.confirmed(state, "motion", pending)
