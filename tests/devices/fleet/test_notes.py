"""What `fleet status` says of trials, rejections, ways back and root files, in words."""

import msgspec
import pytest

from devices.fleet.notes import SOON_S, measured, of_model, of_root, on_trial, runs
from edge_runtime.telemetry.messages import CandidateReport, ModelReport, RootReport
from tests.devices.fleet.rows import model, slot

OLD, GOOD = slot("1.0.0", 1), slot("1.1.0", 2)
TRIAL = slot("1.2.0", 3, "trial", attempts=2, allowed=3, proved=True)
CRASHED = slot("1.2.0", 3, "trial", attempts=1, allowed=3, proved=True, reason="it was killed")
UNPROVED = slot("1.2.0", 3, "trial", attempts=2, allowed=3)
BAD = slot("1.2.0", 3, "bad", reason="wrong answers")


@pytest.mark.parametrize(
    ("found", "notes"),
    [
        (model(GOOD, active="1.1.0", confirmed="1.1.0"), []),
        (
            model(GOOD, TRIAL, active="1.2.0", confirmed="1.1.0", pending="1.2.0"),
            ["1.2.0 on trial, 2 of 3 attempts left", "also installed: 1.1.0 (good)"],
        ),
        (
            model(CRASHED, active="1.2.0", pending="1.2.0"),
            ["1.2.0 on trial, 1 of 3 attempts left, last: it was killed"],
        ),
        (
            model(UNPROVED, pending="1.2.0"),
            ["1.2.0 on trial, its golden outputs not given yet, 2 of 3 attempts left"],
        ),
        (
            model(slot("1.2.0", 3, "staged"), pending="1.2.0"),
            ["1.2.0 is installed and waits for its first attempt"],
        ),
        (
            model(GOOD, BAD, active="1.1.0", confirmed="1.1.0", rejected="1.2.0"),
            ["1.2.0 rejected: wrong answers"],
        ),
        (
            model(slot("1.3.0", 4), BAD, active="1.3.0", confirmed="1.3.0", rejected="1.2.0"),
            [],  # a newer one runs by now
        ),
        (
            model(OLD, GOOD, active="1.1.0", confirmed="1.1.0", pending="1.0.0", previous="1.0.0"),
            ["goes back to 1.0.0"],
        ),
        (
            model(OLD, GOOD, active="1.0.0", confirmed="1.0.0", previous="1.1.0"),
            ["rolled back to 1.0.0, from 1.1.0", "also installed: 1.1.0 (good)"],
        ),
        (
            model(OLD, active="1.0.0", pending="9.9.9", rejected="8.8.8"),
            [],  # names of slots that are not told
        ),
    ],
)
def test_a_model_has_its_notes(found: ModelReport, notes: list[str]) -> None:
    assert list(of_model(found)) == notes


def test_only_what_runs_and_is_pending_is_on_trial() -> None:
    assert on_trial(model(TRIAL, active="1.2.0", pending="1.2.0"))
    assert not on_trial(model(GOOD, TRIAL, active="1.1.0", pending="1.2.0"))
    assert not on_trial(model(GOOD, active="1.1.0", confirmed="1.1.0"))


def test_an_agent_that_does_not_tell_which_one_failed_last_has_all_of_them_listed() -> None:
    (note,) = of_model(model(GOOD, BAD, active="1.1.0"))
    assert note == "also installed: 1.2.0 (bad)"


def test_a_root_file_is_told_of_a_month_before_its_end() -> None:
    root = RootReport(version=2, expires=1_893_456_000.0)
    assert list(of_root(None, 0)) == []
    assert list(of_root(root, root.expires - SOON_S - 1)) == []
    for now, words in ((root.expires - SOON_S, "expires on 2030-01-01"), (root.expires, "expired on")):
        (note,) = of_root(root, now)
        assert f"its root file, version 2, {words}" in note
    assert "no date" in next(of_root(RootReport(version=1, expires=-1e300), 0))


def test_what_runs_is_told_with_its_variant_and_what_that_runs_on() -> None:
    known = model(GOOD, TRIAL, active="1.2.0", confirmed="1.1.0", pending="1.2.0")
    assert runs(known) == "motion 1.2.0 (on trial)"  # an agent that knows no variants
    known = msgspec.structs.replace(known, variant="int8", provider="cuda")
    assert runs(known) == "motion 1.2.0 as int8 on cuda (on trial)"
    eased = msgspec.structs.replace(known, every=4)
    assert runs(eased) == "motion 1.2.0 as int8 on cuda (on trial, runs 1 of 4 windows)"


def test_why_no_better_variant_runs_is_told() -> None:
    note = "int8 does not run, fp32 does: needs tensorrt."
    known = msgspec.structs.replace(model(GOOD, active="1.1.0", confirmed="1.1.0"), note=note)
    assert list(of_model(known)) == [note]


def test_what_a_device_has_measured_is_a_table_that_marks_what_runs() -> None:
    ways = (
        CandidateReport(variant="fp32", provider="cpu", p50_us=1_021.44, p99_9_us=48, memory_mb=91),
        CandidateReport(variant="int8", provider="cpu", p50_us=12.5, p99_9_us=30.1, memory_mb=88),
        CandidateReport(variant="int8", provider="cuda", why_not="there is no driver."),
    )
    known = model(GOOD, active="1.1.0", confirmed="1.1.0")
    known = msgspec.structs.replace(known, variant="int8", provider="cpu", measured=ways)
    assert list(measured(known)) == [
        "variant    on   p50 µs  p99.9 µs  peak MB",
        "fp32      cpu  1,021.4      48.0     91.0",
        "int8      cpu     12.5      30.1     88.0  runs",
        "int8     cuda        -         -        -  there is no driver.",
    ]
    stopped = msgspec.structs.replace(known, active="")
    assert not any(line.endswith("runs") for line in measured(stopped))
    assert list(measured(model(GOOD, active="1.1.0"))) == []
