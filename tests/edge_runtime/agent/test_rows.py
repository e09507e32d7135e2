"""Rows for the fleet, made of values."""

from typing import Any, get_args

import msgspec
import numpy as np

from edge_runtime.agent.rows import (
    MAX_WORDS,
    Known,
    Losses,
    measured,
    predictions,
    report,
    root_report,
)
from edge_runtime.store.slots import ModelState, Slot, SlotState, State
from edge_runtime.stream.window import Cursor, Span
from edge_runtime.telemetry.messages import CandidateReport, RootReport, SlotReport
from edge_runtime.telemetry.row_json import encode_row
from edge_runtime.worker import Answer, Info
from tests.edge_runtime.choice.rows import recorded, row
from tests.support.tiny_bundle import root as tiny_root

INFO = Info(
    name="tiny",
    version="1.0.0",
    release=1,
    digest="d" * 64,
    task="classification",
    classes=("still", "moving"),
    variant="fp32",
    provider="cpu",
    engine="onnxruntime",
    golden_count=1,
    golden_max_abs_error=0.0,
    golden_label_disagreements=0,
    load_ms=1.0,
)


def span(first: int) -> Span:
    return Span("run", first, first, first + 3, Cursor(0, first + 2))


def test_a_classification_gives_a_label_and_probabilities_as_written() -> None:
    probabilities = np.array([[0.1, 0.9], [0.25, 0.75]], np.float32)
    answer = Answer(("moving", "moving"), probabilities, None, latency_us=30.0)
    rows = predictions("tiny", INFO, [span(0), span(2)], answer, 5.0)
    assert [(row.first, row.last, row.label) for row in rows] == [(0, 3, "moving"), (2, 5, "moving")]
    assert rows[0].probabilities == (0.1, 0.9)
    assert rows[0].latency_us == 15.0
    assert (rows[0].variant, rows[0].provider) == ("fp32", "cpu")
    assert (rows[0].version, rows[0].digest, rows[0].segment, rows[0].time) == (
        "1.0.0",
        "d" * 64,
        "run",
        5.0,
    )


def test_a_regression_gives_values_one_or_several_a_window() -> None:
    one = Answer(None, None, np.array([1.5, 2.5]), 1.0)
    several = Answer(None, None, np.array([[1.0, 2.0], [3.0, 4.0]]), 1.0)
    spans = [span(0), span(2)]
    assert [row.values for row in predictions("tiny", INFO, spans, one, 0.0)] == [(1.5,), (2.5,)]
    assert [row.values for row in predictions("tiny", INFO, spans, several, 0.0)] == [(1, 2), (3, 4)]
    assert predictions("tiny", INFO, spans, one, 0.0)[0].label is None


def test_an_anomaly_has_its_score_beside_the_label_and_can_be_sent() -> None:
    answer = Answer(("anomaly", "normal"), None, np.array([-0.5, 1.25]), 1.0)
    rows = predictions("tiny", INFO, [span(0), span(2)], answer, 0.0)

    assert [(row.label, row.values) for row in rows] == [("anomaly", (-0.5,)), ("normal", (1.25,))]
    sent = msgspec.json.decode(encode_row(rows[0], 1))
    assert (sent["label"], sent["values"], sent["probabilities"]) == ("anomaly", [-0.5], [])


def test_a_loss_is_told_at_once_and_more_of_it_at_most_every_ten_seconds() -> None:
    losses = Losses("tiny", {"missing": 5})
    assert losses.events({"missing": 5}, {}, 0, 0) == []
    assert [event.count for event in losses.events({"missing": 8}, {}, 1, 0)] == [3]
    assert losses.events({"missing": 9}, {}, 5, 0) == []
    (event,) = losses.events({"missing": 12}, {}, 11, 7.0)
    assert (event.event, event.count, event.time, event.model) == ("samples missing", 4, 7.0, "tiny")


def test_reasons_are_kept_until_they_are_told() -> None:
    losses = Losses("tiny", {})
    losses.events({"rejected": 1}, {"rejected": {"not JSON": 1}}, 0, 0)
    assert losses.events({"rejected": 3}, {"rejected": {"not JSON": 2}}, 1, 0) == []
    (event,) = losses.events({"rejected": 4}, {"rejected": {"wrong count": 1}}, 20, 0)
    assert event.detail == "2 x not JSON, 1 x wrong count"


def test_an_absurd_count_is_still_one_that_json_carries() -> None:
    (event,) = Losses("tiny", {}).events({"missing": 1 << 60}, {}, 0, 0)
    assert event.count == 1 << 53


def slot(version: str, release: int, state: SlotState = "good", **more: Any) -> Slot:
    """Its digest is its version."""
    return Slot(model="tiny", digest=version, version=version, release=release, state=state, **more)


def running(digest: str, *notes: str) -> Info:
    return msgspec.structs.replace(INFO, digest=digest, notes=notes)


def by_digest(*slots: Slot) -> dict[str, Slot]:
    return {one.digest: one for one in slots}


def test_the_report_tells_what_answers_what_is_kept_and_what_went_wrong() -> None:
    model = ModelState(
        active="1.1.0",
        previous="1.0.0",
        floor=2,
        declared=1,
        slots=by_digest(slot("1.0.0", 1), slot("1.1.0", 2)),
        bad=by_digest(slot("1.2.0", 3, "bad", reason="wrong answers")),
    )
    known = Known(running("1.1.0"), error="1.2.0 was rejected")
    (told,) = report(State(models={"tiny": model}), {"tiny": known})
    assert (told.name, told.active, told.version) == ("tiny", "1.1.0", "1.1.0")
    assert (told.confirmed, told.pending, told.previous) == ("1.1.0", "", "1.0.0")
    assert (told.rejected, told.error) == ("1.2.0", "1.2.0 was rejected")
    assert (told.floor, told.declared) == (2, 1)
    assert [(one.version, one.state, one.reason) for one in told.slots] == [
        ("1.0.0", "good", ""),
        ("1.1.0", "good", ""),
        ("1.2.0", "bad", "wrong answers"),
    ]


def test_what_is_on_trial_runs_and_is_pending_with_its_attempts() -> None:
    trial = slot("1.1.0", 2, "trial", attempts=1, allowed=3, proved=True, reason="it crashed")
    model = ModelState(active="1.0.0", pending="1.1.0", slots=by_digest(slot("1.0.0", 1), trial))
    (told,) = report(State(models={"tiny": model}), {"tiny": Known(running("1.1.0"))})
    assert (told.active, told.pending, told.confirmed) == ("1.1.0", "1.1.0", "1.0.0")
    found = told.slots[-1]
    assert (found.state, found.attempts, found.allowed, found.proved) == ("trial", 1, 3, True)
    assert found.reason == "it crashed"


def test_of_many_slots_those_with_a_part_and_the_latest_rejections_are_told() -> None:
    kept = [slot(f"1.{number}.0", number) for number in range(16)]
    bad = [slot(f"2.{number}.0", 100 + number, "bad") for number in range(256)]
    model = ModelState(
        active="1.0.0",
        previous="1.1.0",
        older=tuple(one.digest for one in kept[2:]),
        pending="3.0.0",
        slots=by_digest(*kept, slot("3.0.0", 1_000, "staged")),
        bad=by_digest(*bad),
    )
    known = Known(running("1.0.0"), error="x" * 10_000)
    (told,) = report(State(models={"tiny": model}), {"tiny": known})
    assert len(told.slots) == 16
    digests = {one.digest for one in told.slots}
    assert {told.confirmed, told.previous, told.pending, told.rejected} <= digests
    assert told.rejected == "2.255.0"
    assert len(told.error) == MAX_WORDS


def test_every_state_of_a_slot_can_be_told() -> None:
    assert get_args(SlotReport.__annotations__["state"]) == get_args(SlotState)


def test_a_root_file_is_told_by_its_version_and_its_end() -> None:
    assert root_report(None) is None
    root = tiny_root()
    assert root_report(root) == RootReport(version=1, expires=root.expires.timestamp())


def test_a_model_that_is_configured_but_not_installed_is_in_the_report() -> None:
    (model,) = report(State(), {"tiny": Known(None)})
    assert (model.name, model.active, model.slots) == ("tiny", "", ())
    assert (model.variant, model.note, model.every) == ("", "", 1)


def test_a_model_that_is_installed_and_not_configured_is_in_the_report_too() -> None:
    model = ModelState(active="1.0.0", slots=by_digest(slot("1.0.0", 1)))
    (told,) = report(State(models={"tiny": model}), {})
    assert (told.name, told.active, told.confirmed) == ("tiny", "", "1.0.0")


def test_the_report_tells_how_a_model_runs_and_why_not_in_a_better_way() -> None:
    notes = "int8 does not run, fp32 does: it needs tensorrt.", "x" * 10_000
    ways = (CandidateReport(variant="fp32", provider="cpu"),)
    (told,) = report(State(), {"tiny": Known(running("1.1.0", *notes), every=4, ways=ways)})
    assert (told.variant, told.provider, told.measured, told.every) == ("fp32", "cpu", ways, 4)
    assert told.note.startswith(f"{notes[0]} xxx")
    assert len(told.note) == MAX_WORDS


def test_an_engines_own_way_is_told_by_its_name_in_the_table() -> None:
    own = msgspec.structs.replace(running("1.1.0"), provider="")
    ways = tuple(CandidateReport(variant="fp32", provider=name) for name in ("cpu", "xnnpack"))
    assert report(State(), {"tiny": Known(own, ways=ways)})[0].provider == "cpu"
    assert report(State(), {"tiny": Known(own)})[0].provider == ""


def test_a_table_is_told_with_its_first_rows_and_the_beginnings_of_its_reasons() -> None:
    rows = (row("int8", 12.5), *(row(f"{n}", why_not="x" * 1_000) for n in range(40)))
    told = measured(recorded(*rows))
    assert told[0] == CandidateReport(
        variant="int8", provider="cpu", p50_us=12.5, p99_9_us=25.0, memory_mb=40.0
    )
    assert [len(each.why_not) for each in told] == [0] + 15 * [200]
