"""Bytes of an uplink topic become a checked message, or one short reason why not."""

import re

import msgspec

from edge_runtime.telemetry.messages import (
    Batch,
    Event,
    ModelReport,
    Prediction,
    Reported,
    Row,
    Status,
    Uplink,
)

MAX_PAYLOAD_BYTES = 1 << 20
MAX_ROWS = 10_000
MAX_MODELS = 256
MAX_SLOTS = 64
MAX_MEASURED = 64
MAX_NAME = 256
MAX_WORDS = 4_096
"""Characters of a name, version or digest, and of a sentence."""

_MAX_INTEGER = 1 << 53  # what JSON carries exactly everywhere, and far below SQLite's 64 bits
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

_STATUS = msgspec.json.Decoder(Status)
_BATCH = msgspec.json.Decoder(Batch)
_REPORTED = msgspec.json.Decoder(Reported)

Message = Status | Batch | Reported


class PayloadError(ValueError):
    """A payload was refused; the text is the reason. It is counted, and never reaches a user as is."""


def decode(kind: Uplink, payload: bytes) -> Message:
    """The message in `payload` of a topic of this `kind`.

    Raises PayloadError when it is too large, not JSON, not of the published schema or out of bounds.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadError(f"{len(payload):,} bytes; at most {MAX_PAYLOAD_BYTES:,} are read")
    try:
        if kind == "status":
            return _checked_status(_STATUS.decode(payload))
        if kind == "reported":
            return _checked_reported(_REPORTED.decode(payload))
        return _checked_batch(_BATCH.decode(payload))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PayloadError(str(error)) from error
    except RecursionError as error:
        raise PayloadError("nested too deeply") from error


def _checked_status(status: Status) -> Status:
    _check_stream(status.stream)
    _check_length("software", MAX_NAME, status.software)
    _check_integers("boot", status.boot)
    return status


def _checked_reported(reported: Reported) -> Reported:
    _check_integers("boot", reported.boot)
    if len(reported.models) > MAX_MODELS:
        raise PayloadError(f"{len(reported.models)} models; at most {MAX_MODELS} are read")
    if reported.root is not None:
        _check_integers("root version", reported.root.version)
    for model in reported.models:
        _check_model(model)
    return reported


def _check_model(model: ModelReport) -> None:
    if len(model.slots) > MAX_SLOTS:
        raise PayloadError(f"{len(model.slots)} slots; at most {MAX_SLOTS} are read")
    roles = (model.active, model.confirmed, model.pending, model.previous, model.rejected)
    names = (model.name, model.version, model.variant, model.provider)
    _check_length("names", MAX_NAME, *names, *roles)
    _check_length("error", MAX_WORDS, model.error)
    _check_length("note", MAX_WORDS, model.note)
    _check_integers("floors", model.floor, model.declared)
    _check_integers("every", model.every, least=1)
    for slot in model.slots:
        _check_length("names", MAX_NAME, slot.version, slot.digest)
        _check_length("reason", MAX_WORDS, slot.reason)
        _check_integers("release", slot.release)
        _check_integers("allowed", slot.allowed)
        if not 0 <= slot.attempts <= slot.allowed:
            raise PayloadError("attempts: expected 0 to as many as are allowed")
    if len(model.measured) > MAX_MEASURED:
        raise PayloadError(f"{len(model.measured)} ways measured; at most {MAX_MEASURED} are read")
    for way in model.measured:
        _check_length("names", MAX_NAME, way.variant, way.provider)
        _check_length("why_not", MAX_WORDS, way.why_not)


def _checked_batch(batch: Batch) -> Batch:
    _check_stream(batch.stream)
    if len(batch.rows) > MAX_ROWS:
        raise PayloadError(f"{len(batch.rows):,} rows; at most {MAX_ROWS:,} are read")
    _check_integers("oldest", batch.oldest, least=1)
    for row in batch.rows:
        _check_integers("seq", row.seq, least=1)
        _check_row(row)
    return batch


def _check_row(row: Row) -> None:
    if isinstance(row, Prediction):
        _check_integers("first and last", row.first, row.last)
    elif isinstance(row, Event):
        _check_integers("count", row.count)


def _check_stream(stream: str) -> None:
    if not _STREAM.match(stream):
        raise PayloadError("stream: expected 1 to 64 letters, digits, '-' or '_'")


def _check_length(name: str, most: int, *texts: str) -> None:
    if any(len(text) > most for text in texts):
        raise PayloadError(f"{name}: expected at most {most:,} characters")


def _check_integers(name: str, *values: int, least: int = 0) -> None:
    for value in values:
        if not least <= value <= _MAX_INTEGER:
            raise PayloadError(f"{name}: expected {least} to 2^53")
