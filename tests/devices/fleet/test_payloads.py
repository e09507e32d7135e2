import msgspec
import pytest

from devices.fleet.payloads import (
    MAX_MEASURED,
    MAX_NAME,
    MAX_PAYLOAD_BYTES,
    MAX_ROWS,
    MAX_WORDS,
    PayloadError,
    decode,
)
from edge_runtime.telemetry.messages import Batch, Reported, Uplink
from tests.devices.fleet.rows import batch, birth, encode, prediction, reported


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("status", birth()),
        ("telemetry", batch(range(1, 30))),
        ("prediction", batch([])),
        ("reported", reported("1.0.0", active="1.0.0")),
    ],
)
def test_what_a_device_sends_is_read_back_as_it_was(kind: Uplink, message: object) -> None:
    assert decode(kind, encode(message)) == message


def test_rows_of_older_and_of_newer_agents_are_read() -> None:
    older = msgspec.to_builtins(prediction(1))
    del older["variant"], older["provider"]
    newer = msgspec.to_builtins(prediction(2)) | {"colour": "red"}
    read = decode("prediction", _changed(batch([]), rows=[older, newer]))
    assert isinstance(read, Batch)
    assert read.rows == (prediction(1), prediction(2))


def _changed(message: object, **fields: object) -> bytes:
    return encode(msgspec.to_builtins(message) | fields)


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("telemetry", b"", "truncated"),
        ("telemetry", b"\xff\xfe", "malformed"),
        ("telemetry", b"[]", "Expected `object`"),
        ("telemetry", b"[" * 100_000, "Expected `object`"),
        ("telemetry", b'{"stream": "s", "oldest": 1, "rows": [' + b"[" * 100_000, "Expected"),
        ("telemetry", b" " * (MAX_PAYLOAD_BYTES + 1), "at most"),
        ("status", _changed(birth(), software="x" * (MAX_NAME + 1)), "software: expected at most 256"),
        ("telemetry", encode(batch([1], stream="")), "stream"),
        ("telemetry", encode(batch([1], stream="x" * 65)), "stream"),
        ("telemetry", encode(batch([1], stream="a/b")), "stream"),
        ("telemetry", encode(batch([1], oldest=0)), "oldest"),
        ("telemetry", encode(batch([], oldest=2**53 + 1)), "oldest"),
        (
            "telemetry",
            _changed(batch([]), rows=[{"type": "nothing"}]),
            "Invalid value",
        ),
        ("telemetry", _changed(batch([]), rows=[msgspec.to_builtins(prediction(0))]), "seq"),
        (
            "telemetry",
            _changed(batch([]), rows=[msgspec.to_builtins(prediction(1)) | {"first": 10**30}]),
            "first",
        ),
        (
            "telemetry",
            _changed(batch([]), rows=[msgspec.to_builtins(prediction(1))] * (MAX_ROWS + 1)),
            "at most",
        ),
        ("status", encode(birth(boot=-1)), "boot"),
        ("status", encode(batch([1])), "missing required field"),
        ("reported", b'{"time": 1e999, "boot": 1, "models": []}', "out of range"),
        ("reported", b'{"time": NaN, "boot": 1, "models": []}', "malformed"),
    ],
)
def test_what_is_not_a_message_is_refused_with_its_reason(
    kind: Uplink, payload: bytes, reason: str
) -> None:
    with pytest.raises(PayloadError, match=reason):
        decode(kind, payload)


def _report(**changes: object) -> bytes:
    """A report of one model on trial, with other members of the model, its slot or the report itself."""
    document = msgspec.to_builtins(reported("1.0.0", active="1.0.0"))
    (model,) = document["models"]
    (slot,) = model["slots"]
    slot |= {"state": "trial", "attempts": 2, "allowed": 3}
    for where in (document, model, slot):
        where |= {name: value for name, value in changes.items() if name in where}
    return encode(document)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "fine"}, "Invalid enum value 'fine'"),
        ({"state": 3}, "Expected `str`"),
        ({"attempts": 4}, "attempts: expected 0 to as many as are allowed"),
        ({"attempts": -1}, "attempts"),
        ({"attempts": 10**30}, "attempts|out of range"),
        ({"allowed": 2**53 + 1}, "allowed"),
        ({"proved": "yes"}, "Expected `bool`"),
        ({"reason": "x" * (MAX_WORDS + 1)}, "reason: expected at most 4,096 characters"),
        ({"error": "x" * (MAX_WORDS + 1)}, "error: expected at most"),
        ({"digest": "x" * (MAX_NAME + 1)}, "names: expected at most 256"),
        ({"pending": "x" * (MAX_NAME + 1)}, "names"),
        ({"rejected": None}, "Expected `str`"),
        ({"every": 0}, "every: expected 1 to"),
        ({"variant": "x" * (MAX_NAME + 1)}, "names"),
        ({"note": "x" * (MAX_WORDS + 1)}, "note: expected at most"),
        ({"measured": [{"variant": "x"}] * (MAX_MEASURED + 1)}, "65 ways measured; at most 64"),
        ({"measured": [{"variant": "x" * (MAX_NAME + 1)}]}, "names"),
        ({"measured": [{"variant": "x", "why_not": "x" * (MAX_WORDS + 1)}]}, "why_not"),
        ({"measured": [{"variant": "x", "p50_us": "fast"}]}, "Expected `float"),
        ({"floor": -1}, "floors"),
        ({"declared": 2**53 + 1}, "floors"),
        ({"root": {"version": 1}}, "missing required field `expires`"),
        ({"root": {"version": -1, "expires": 1.0}}, "root version"),
        ({"root": 7}, "Expected `object"),
    ],
)
def test_a_trial_that_cannot_be_is_refused_with_its_reason(
    changes: dict[str, object], reason: str
) -> None:
    assert isinstance(decode("reported", _report()), Reported)
    with pytest.raises(PayloadError, match=reason):
        decode("reported", _report(**changes))


def test_reports_without_end_are_refused() -> None:
    model = msgspec.to_builtins(reported("1.0.0").models[0])
    with pytest.raises(PayloadError, match="models"):
        decode("reported", encode({"time": 1.0, "boot": 1, "models": [model] * 1_000}))
    slots = [model["slots"][0]] * 1_000
    with pytest.raises(PayloadError, match="slots"):
        decode("reported", encode({"time": 1.0, "boot": 1, "models": [model | {"slots": slots}]}))
