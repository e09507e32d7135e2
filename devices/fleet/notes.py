"""What a person is told of the models and the root file of a device, beside what runs. Pure."""

from collections.abc import Iterator
from datetime import datetime, timezone

from edge_runtime.bundle.layout import table
from edge_runtime.telemetry.messages import ModelReport, RootReport, SlotReport

SOON_S = 30 * 86_400.0


def on_trial(model: ModelReport) -> bool:
    """Whether what runs has still to prove itself."""
    slot = _slot(model, model.pending)
    return slot is not None and slot.state == "trial" and model.active == model.pending


def runs(model: ModelReport) -> str:
    """What runs, and how: `motion 1.1.0 as int8 on cuda (on trial, runs 1 of 4 windows)`."""
    variant = f" as {model.variant}" if model.variant else ""
    provider = f" on {model.provider}" if model.provider else ""
    marks = ["on trial"] if on_trial(model) else []
    marks += [f"runs 1 of {model.every:,} windows"] if model.every > 1 else []
    marked = f" ({', '.join(marks)})" if marks else ""
    return f"{model.name} {model.version}{variant}{provider}{marked}"


def measured(model: ModelReport) -> Iterator[str]:
    """The ways to run it that its device has compared, as a table; nothing where it has not."""
    if not model.measured:
        return
    rows = [("variant", "on", "p50 µs", "p99.9 µs", "peak MB")]
    ends = [""]
    for way in model.measured:
        numbers = (_number(way.p50_us), _number(way.p99_9_us), _number(way.memory_mb))
        rows.append((way.variant, way.provider or "-", *numbers))
        serves = (way.variant, way.provider) == (model.variant, model.provider) and model.active
        ends.append(way.why_not or ("runs" if serves else ""))
    for line, end in zip(table(rows), ends, strict=True):
        yield f"{line}  {end}".rstrip()


def of_model(model: ModelReport) -> Iterator[str]:
    """Its error, why no better variant runs, what is pending, rejected, given up or also installed."""
    if model.error:
        yield model.error
    if model.note:
        yield model.note
    if pending := _slot(model, model.pending):
        yield _of_pending(pending)
    confirmed, previous = _slot(model, model.confirmed), _slot(model, model.previous)
    rejected = _slot(model, model.rejected)
    if rejected and (confirmed is None or rejected.release >= confirmed.release):  # else it is history
        yield f"{rejected.version} rejected: {rejected.reason}"
    if confirmed and previous and not pending and previous.release > confirmed.release:
        yield f"rolled back to {confirmed.version}, from {previous.version}"
    told = (model.active, model.pending, model.rejected)
    others = [slot for slot in model.slots if slot.digest not in told]
    if model.rejected:  # of what failed the last one is enough; some agents do not tell which that is
        others = [slot for slot in others if slot.state != "bad"]
    if others:
        yield "also installed: " + ", ".join(f"{slot.version} ({slot.state})" for slot in others)


def of_root(root: RootReport | None, now: float) -> Iterator[str]:
    """That a root file has ended or soon will. `now`: Unix time, s."""
    if root is not None and root.expires <= now + SOON_S:
        word = "expired" if root.expires <= now else "expires"
        yield (
            f"its root file, version {root.version}, {word} on {_day(root.expires)}. Bring it the next "
            "one: edge-runtime trust update"
        )


def _of_pending(slot: SlotReport) -> str:
    if slot.state == "good":
        return f"goes back to {slot.version}"
    if slot.state != "trial":
        return f"{slot.version} is installed and waits for its first attempt"
    proved = "" if slot.proved else ", its golden outputs not given yet"
    last = f", last: {slot.reason}" if slot.reason else ""
    return f"{slot.version} on trial{proved}, {slot.attempts} of {slot.allowed} attempts left{last}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _slot(model: ModelReport, digest: str) -> SlotReport | None:
    return next((slot for slot in model.slots if digest and slot.digest == digest), None)


def _day(seconds: float) -> str:
    """A date in UTC; devices may send any number."""
    try:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "no date"
