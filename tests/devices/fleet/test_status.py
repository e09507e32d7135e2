import json
from pathlib import Path

import msgspec

from devices.fleet.database import Arrival, Database, Refusal
from devices.fleet.status import as_json, as_text, read
from edge_runtime.telemetry.messages import Batch, CandidateReport, Event, Reported, RootReport
from tests.devices.fleet.rows import STREAM, batch, birth, model, reported, slot


def test_what_deserves_attention_has_a_line_of_its_own(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.store(
            [
                Arrival("arm-7", birth(), 1.0),
                Arrival("arm-7", reported("1.0.0", error="the worker died"), 1.0),
                Arrival("arm-7", batch([5], oldest=5), 1.0),
                Refusal("arm-7", "telemetry: JSON is malformed"),
            ]
        )
    _, _, head, line, *notes = as_text(read(tmp_path, None, with_history=False)).splitlines()
    assert head.split()[:2] == ["DEVICE", "PRESENCE"]
    assert line.split()[:2] == ["arm-7", "silent"]  # last heard of in 1970
    assert line.split()[-4:] == ["nothing", "1", "4", "0"]
    assert notes == [
        "  arm-7: motion: the worker died",
        "  arm-7: motion: also installed: 1.0.0 (good)",
        "  arm-7: 1 payloads refused, the last one: telemetry: JSON is malformed",
    ]


def test_a_time_from_before_the_clock_was_put_right_is_called_one_in_the_future(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.store([Arrival("arm-7", birth(), 4_070_908_800.0)])
    assert "arm-7   silent    in the future" in as_text(read(tmp_path, None, with_history=False))


def test_a_devices_words_do_not_drive_the_terminal(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        database.store([Arrival("arm-7", reported("1.0.0", error="\x1b[2J\r\n\u202egone"), 1.0)])
    text = as_text(read(tmp_path, "arm-7", with_history=True))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.count("gone") == 2


def test_a_devices_long_words_push_no_other_devices_line_aside(tmp_path: Path) -> None:
    long = msgspec.structs.replace(model(slot("1.1.0", 2), active="1.1.0"), name="x" * 200)
    with Database(tmp_path) as database:
        database.store([Arrival("arm-7", Reported(time=1.0, boot=1, models=(long,)), 1.0)])
        database.store([Arrival("arm-8", birth(), 1.0)])
    lines = as_text(read(tmp_path, None, with_history=False)).splitlines()
    assert any("x" * 200 in line for line in lines)
    (other,) = (line for line in lines if line.startswith("arm-8 "))
    assert len(other) < 150


def test_a_trial_is_shown_with_its_attempts_and_the_root_file_with_its_end(tmp_path: Path) -> None:
    trial = slot("1.2.0", 3, "trial", attempts=2, allowed=3, proved=True, reason="it was killed")
    known = model(slot("1.1.0", 2), trial, active="1.2.0", confirmed="1.1.0", pending="1.2.0", floor=2)
    root = RootReport(version=2, expires=1_000.0)
    with Database(tmp_path) as database:
        database.store([Arrival("arm-7", Reported(time=1.0, boot=1, models=(known,), root=root), 1.0)])
    found = read(tmp_path, "arm-7", with_history=False)
    _, _, _, line, *notes = as_text(found).splitlines()
    assert "motion 1.2.0 (on trial)" in line
    assert notes[0] == "  arm-7: motion: 1.2.0 on trial, 2 of 3 attempts left, last: it was killed"
    assert notes[-1].startswith("  arm-7: its root file, version 2, expired on 1970-01-01.")

    (device,) = json.loads(as_json(found))["devices"]
    assert device["root"] == {"version": 2, "expires": 1_000.0}
    (told,) = device["models"]
    assert (told["pending"], told["floor"]) == (trial.digest, 2)
    assert told["slots"][1]["attempts"] == 2


def test_of_one_device_what_it_has_measured_is_shown_of_many_what_runs(tmp_path: Path) -> None:
    ways = (CandidateReport(variant="int8", provider="cpu", p50_us=12.5),)
    known = msgspec.structs.replace(
        model(slot("1.1.0", 2), active="1.1.0", confirmed="1.1.0"),
        variant="int8",
        provider="cpu",
        note="fp16 does not run.",
        measured=ways,
    )
    with Database(tmp_path) as database:
        for device in ("arm-7", "arm-8"):
            database.store([Arrival(device, Reported(time=1.0, boot=1, models=(known,)), 1.0)])
    many = as_text(read(tmp_path, None, with_history=False))
    assert many.count("motion 1.1.0 as int8 on cpu") == 2
    assert many.count("motion: fp16 does not run.") == 2
    assert "µs" not in many

    one = read(tmp_path, "arm-7", with_history=False)
    head, _, way = as_text(one).splitlines()[-3:]
    assert head == "arm-7, measured there for motion 1.1.0:"
    assert way.split() == ["int8", "cpu", "12.5", "-", "-", "runs"]
    (told,) = json.loads(as_json(one))["devices"][0]["models"]
    assert (told["variant"], told["measured"][0]["p50_us"]) == ("int8", 12.5)


def test_a_time_that_no_clock_shows_is_no_reason_to_fail(tmp_path: Path) -> None:
    event = Event(seq=1, time=1e300, event="confirmed")
    with Database(tmp_path) as database:
        database.store([Arrival("arm-7", Batch(stream=STREAM, oldest=1, rows=(event,)), 1.0)])
    assert "  at no time  confirmed" in as_text(read(tmp_path, None, with_history=True))
