"""Rows for the fleet, made of values: predictions, losses, what is installed. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from edge_runtime.bundle import Root
from edge_runtime.choice.decision import resolved
from edge_runtime.choice.record import Record
from edge_runtime.engine.candidate import Candidate
from edge_runtime.store.slots import ModelState, Slot, State
from edge_runtime.stream.window import Span
from edge_runtime.telemetry.messages import (
    CandidateReport,
    Event,
    ModelReport,
    Prediction,
    RootReport,
    SlotReport,
)
from edge_runtime.worker import Answer, Info

REPORT_EVERY_S = 10.0
MAX_WORDS = 2_000  # characters of one sentence
_MAX_SLOTS = 16
_MAX_MEASURED = 16
_MAX_WHY_NOT = 200  # characters
_LOSSES = {
    "missing": "samples missing",
    "late": "samples late",
    "rejected": "samples rejected",
    "dropped": "windows dropped",
    "failed": "windows failed",
}


def predictions(
    model: str, info: Info, spans: Sequence[Span], answer: Answer, time: float
) -> list[Prediction]:
    """One row a window; a batch's run time is shared equally. `seq` is the outbox's to give."""
    labels = answer.labels or (None,) * len(spans)
    probabilities = _rows(answer.probabilities, len(spans))
    values = _rows(answer.values, len(spans))
    return [
        Prediction(
            seq=0,
            time=time,
            model=model,
            version=info.version,
            digest=info.digest,
            segment=span.segment,
            first=span.first,
            last=span.last,
            label=labels[index],
            probabilities=probabilities[index],
            values=values[index],
            latency_us=round(answer.latency_us / len(spans), 1),
            variant=info.variant,
            provider=info.provider,
        )
        for index, span in enumerate(spans)
    ]


def _rows(
    array: "np.ndarray[tuple[int, ...], np.dtype[np.floating]] | None", count: int
) -> list[tuple[float, ...]]:
    if array is None:
        return [()] * count
    if array.dtype == np.float32:  # 7 digits are all it has
        return [tuple(float(f"{value:.7g}") for value in row) for row in array.reshape(count, -1)]
    return [tuple(map(float, row)) for row in array.reshape(count, -1)]


class Losses:
    """Turns growing counters into events: the first loss at once, more of its kind every 10 s."""

    def __init__(self, model: str, counters: Mapping[str, int]) -> None:
        self._model = model
        self._told = dict(counters)
        self._when: dict[str, float] = {}
        self._reasons: dict[str, Counter[str]] = {name: Counter() for name in _LOSSES}

    def events(
        self,
        counters: Mapping[str, int],
        reasons: Mapping[str, Mapping[str, int]],
        now_s: float,
        time: float,
    ) -> list[Event]:
        """Events due: `counters` as they stand, `reasons` of each kind since the last call."""
        events = []
        for name, what in _LOSSES.items():
            whys = self._reasons[name]
            whys.update(reasons.get(name, {}))
            more = counters.get(name, 0) - self._told.get(name, 0)
            if more <= 0 or now_s - self._when.get(name, -REPORT_EVERY_S) < REPORT_EVERY_S:
                continue
            detail = ", ".join(f"{count} x {why}" for why, count in whys.most_common(5))
            whys.clear()
            self._told[name] = counters[name]
            self._when[name] = now_s
            events.append(
                Event(
                    seq=0,
                    time=time,
                    event=what,
                    model=self._model,
                    detail=detail[:1000],
                    count=min(more, 1 << 53),
                )
            )
        return events


class Known(NamedTuple):
    """What the agent knows of a model, beside the store.

    `info`: what answers, None for nothing. `every`: of how many windows one is run. `ways`: those to run
    it that were measured. `error`: the last thing that went wrong, '' since something went right.
    """

    info: Info | None
    every: int = 1
    ways: tuple[CandidateReport, ...] = ()
    error: str = ""


def report(state: State, known: Mapping[str, Known]) -> tuple[ModelReport, ...]:
    """What the fleet is told to be here: what the store holds, and what the agent knows, by model."""
    names = sorted(state.models.keys() | known.keys())
    return tuple(
        _model_report(name, state.models.get(name, ModelState()), known.get(name, Known(None)))
        for name in names
    )


def measured(record: Record) -> tuple[CandidateReport, ...]:
    """What the fleet is told of a table; the first rows of a very long one."""
    return tuple(
        CandidateReport(
            variant=row.candidate.variant,
            provider=row.candidate.provider,
            p50_us=row.p50_us,
            p99_9_us=row.p99_9_us,
            memory_mb=row.memory_mb,
            why_not=row.why_not[:_MAX_WHY_NOT],
        )
        for row in record.rows[:_MAX_MEASURED]
    )


def _model_report(name: str, model: ModelState, known: Known) -> ModelReport:
    info = known.info
    active = info.digest if info else ""
    bad = list(model.bad.values())
    found = {slot.digest: slot for slot in (*model.slots.values(), *bad)}
    return ModelReport(
        name=name,
        active=active,
        version=found[active].version if active in found else "",
        slots=tuple(_slot_report(slot) for slot in _told(model)),
        error=known.error[:MAX_WORDS],
        confirmed=model.active or "",
        pending=model.pending or "",
        previous=model.previous or "",
        rejected=bad[-1].digest if bad else "",
        floor=model.floor,
        declared=model.declared,
        variant=info.variant if info else "",
        provider=_provider(info, known.ways) if info else "",
        note=" ".join(info.notes)[:MAX_WORDS] if info else "",
        measured=known.ways,
        every=known.every,
    )


def _provider(info: Info, ways: Sequence[CandidateReport]) -> str:
    known = (Candidate(way.variant, way.provider) for way in ways)
    return resolved(known, Candidate(info.variant, info.provider)).provider


def _told(model: ModelState) -> list[Slot]:
    """At most `_MAX_SLOTS`, by release: rather those with a part to play, and of bad ones the latest."""
    bad = list(reversed(model.bad.values()))
    parts = [model.slots[one] for one in (model.active, model.pending, model.previous) if one]
    rest = [slot for slot in model.slots.values() if slot not in parts]
    told = [*parts, *bad[:1], *rest, *bad[1:]][:_MAX_SLOTS]
    return sorted(told, key=lambda slot: (slot.release, slot.digest))


def _slot_report(slot: Slot) -> SlotReport:
    return SlotReport(
        version=slot.version,
        release=slot.release,
        digest=slot.digest,
        state=slot.state,
        attempts=slot.attempts,
        allowed=slot.allowed,
        proved=slot.proved,
        reason=slot.reason,
    )


def root_report(root: Root | None) -> RootReport | None:
    """Whom the fleet is told that this device trusts."""
    if root is None:
        return None
    return RootReport(version=root.version, expires=root.expires.timestamp())
