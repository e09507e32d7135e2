"""The published JSON Schemas are those of the code, and what is really sent is valid under them."""

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from edge_runtime.mqtt import Broker
from edge_runtime.telemetry.messages import (
    Ack,
    CandidateReport,
    ModelReport,
    Reported,
    RootReport,
    SlotReport,
    Topics,
)
from edge_runtime.telemetry.outbox import Outbox
from edge_runtime.telemetry.publisher import Publisher
from tests.edge_runtime.telemetry.rows import event, metrics, prediction

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "schemas"
UNKNOWN_STATE = (
    b'{"time": 1, "boot": 1, "models": [{"name": "m", "active": "", "version": "", "slots": '
    b'[{"version": "1.0.0", "release": 1, "digest": "d", "state": "fine"}]}]}'
)


def schema(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def check(name: str, payload: bytes) -> None:
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    jsonschema.validate(json.loads(payload), found, jsonschema.Draft202012Validator)


def test_the_files_are_what_the_code_says() -> None:
    """After a change of a payload run scripts/schemas."""
    expected: dict[str, str] = runpy.run_path(str(ROOT / "scripts" / "schemas"))["schemas"]()
    written = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert {name: written.get(name) for name in expected} == expected


def test_batches_are_valid(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.db") as outbox:
        outbox.append([prediction(1), metrics(cpu_percent=3.5), event()])
        chunk = outbox.read(0)
        assert chunk is not None
        assert len(chunk.batches) == 2
        for _, payload in chunk.batches:
            check("batch", payload)


def test_status_reported_and_ack_are_valid(tmp_path: Path) -> None:
    slot = SlotReport(version="1.0.0", release=1, digest="d", state="trial", attempts=1, allowed=3)
    measured = (
        CandidateReport(variant="fp32", provider="cpu", p50_us=12.5, p99_9_us=31.0, memory_mb=88.0),
        CandidateReport(variant="int8", why_not="it gave other outputs than the golden ones."),
    )
    model = ModelReport(
        name="motion",
        active="d",
        version="1.0.0",
        slots=(slot,),
        pending="d",
        variant="fp32",
        measured=measured,
    )
    for root in (None, RootReport(version=1, expires=2.0)):
        check("reported", msgspec.json.encode(Reported(time=1.0, boot=1, models=(model,), root=root)))
    check("ack", msgspec.json.encode(Ack(stream="s", seq=1)))
    with Outbox(tmp_path / "outbox.db") as outbox:
        publisher = Publisher(outbox, Broker("127.0.0.1", 1), Topics("dev1"))
        check("status", publisher._status(online=True))
        publisher.close()


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("ack", b'{"stream": "s"}'),
        ("ack", b'{"stream": "s", "seq": "1"}'),
        ("reported", b'{"time": 1, "boot": 1, "models": [], "root": {"version": "1", "expires": 1}}'),
        ("reported", UNKNOWN_STATE),
        ("batch", b'{"stream": "s", "oldest": 1, "rows": [{"type": "riddle", "seq": 1, "time": 1}]}'),
    ],
)
def test_what_is_not_of_the_schema_is_not_valid(name: str, payload: bytes) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(name, payload)
