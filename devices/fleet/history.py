"""What happened on a device, told from its events and from what it reported to run. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge_runtime.telemetry.messages import Event, ModelReport

SILENT_AFTER_S = 300.0


@dataclass(frozen=True)
class Report:
    """What a device said it runs. `time`: its clock; `received`: ours; Unix time, s."""

    time: float
    received: float
    boot: int
    models: tuple[ModelReport, ...]


@dataclass(frozen=True)
class Entry:
    """One line of a device's history. `what` is an event's name, or `runs` or `reports an error`."""

    time: float
    received: float
    what: str
    model: str
    version: str
    detail: str
    count: int = 0


def presence(online: bool, last_seen: float, now: float) -> str:
    """`online`, `offline`, or `silent`: it never said goodbye, but was not heard for SILENT_AFTER_S.

    A broker that is killed takes the wills it holds with it, so `online` alone would stand for ever. So
    would a time far in the future, from before our clock was put right: that says nothing of now.
    """
    if not online:
        return "offline"
    return "online" if abs(now - last_seen) <= SILENT_AFTER_S else "silent"


def tell(reports: Iterable[Report], events: Iterable[tuple[float, Event]]) -> tuple[Entry, ...]:
    """One story, in the order of the device's clock. `events`: (received, event)."""
    entries = [*_changes(reports), *(_of_event(received, event) for received, event in events)]
    return tuple(sorted(entries, key=lambda entry: (entry.time, entry.received)))


def _of_event(received: float, event: Event) -> Entry:
    return Entry(
        time=event.time,
        received=received,
        what=event.event,
        model=event.model,
        version=event.version,
        detail=event.detail,
        count=event.count,
    )


def _changes(reports: Iterable[Report]) -> Iterable[Entry]:
    """Where the running model, or its error, differs from the report before."""
    before: dict[str, ModelReport] = {}
    for report in reports:
        for model in report.models:
            old = before.get(model.name)
            if model.active != (old.active if old else ""):
                yield _entry(report, "runs", model, _moved(old, model))
            if model.error and model.error != (old.error if old else ""):
                yield _entry(report, "reports an error", model, model.error)
        before = {model.name: model for model in report.models}


def _moved(old: ModelReport | None, new: ModelReport) -> str:
    if not new.active:
        return "nothing"
    return f"before: {old.version}" if old and old.active else ""


def _entry(report: Report, what: str, model: ModelReport, detail: str) -> Entry:
    return Entry(
        time=report.time,
        received=report.received,
        what=what,
        model=model.name,
        version=model.version if model.active else "",
        detail=detail,
    )
