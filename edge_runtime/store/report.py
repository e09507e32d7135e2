"""What `status` shows of a store, for people and for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.bundle import Root
from edge_runtime.choice import record
from edge_runtime.choice.decision import able
from edge_runtime.choice.record import Record
from edge_runtime.starting import worded
from edge_runtime.store.beside_agent import Told, bare, why_it_waits
from edge_runtime.store.locks import Holder
from edge_runtime.store.slots import ModelState, Slot, State, refused, short

_ALWAYS = ("samples_taken", "windows", "predictions")


def choices(store: Path, state: State) -> dict[str, Record]:
    """What was measured and chosen, by model, of the active versions that have a record."""
    active = ((name, now.active) for name, now in state.models.items() if now.active)
    found = ((name, record.read(record.path_of(store, name, digest))) for name, digest in active)
    return {name: each for name, each in found if each is not None}


@dataclass(frozen=True)
class Seen:
    """What there is to show; `told` by the agent, None where it is not known, and `silent`: why that is
    so; `busy`: a command that has its turn to activate where no agent runs."""

    state: State
    root: Root | None
    agent_running: bool
    busy: Holder | None
    told: Told | None
    choices: Mapping[str, Record]
    silent: str = ""


def as_document(seen: Seen) -> dict[str, Any]:
    """One JSON value: the state as it is stored, whom the store trusts, whether an agent runs."""
    root = seen.root
    trust = root and {
        "version": root.version,
        "expires": root.expires.isoformat(),
        "bundle_keys": list(root.bundle.key_ids),
        "bundle_threshold": root.bundle.threshold,
    }
    return {
        "agent_running": seen.agent_running,
        "agent": msgspec.to_builtins(seen.told),
        "trust": trust,
        "models": msgspec.to_builtins(seen.state.models),
        "choices": msgspec.to_builtins(seen.choices),
    }


def as_text(seen: Seen) -> str:
    """A few lines a model."""
    return "\n".join(_lines(seen))


def _lines(seen: Seen) -> Iterator[str]:
    root, told, models = seen.root, seen.told, seen.state.models
    yield f"agent  {_agent(seen)}"
    if told and told.in_memory:
        yield f"rows   in memory only: {told.in_memory}"
    if root:
        keys = ", ".join(key[:12] for key in root.bundle.key_ids)
        yield f"trust  root version {root.version}, bundles signed by {root.bundle.threshold} of: {keys}"
    else:
        yield "trust  no root file; anybody's bundles are taken with --allow-unsigned"
    if not models:
        yield "no models are installed"
    for model in sorted({*models, *(told.runs if told else ())}):
        yield ""
        if model in models:
            yield from _of_model(model, models[model], seen)
        else:
            yield model
            yield f"  {not_running(told, model)}"
        if told and (counts := told.counts.get(model)):
            yield f"  {_counts(counts, told.counted)}"


def _agent(seen: Seen) -> str:
    """Whether it runs, and, where nothing runs beside it, where to look."""
    if not seen.agent_running:
        busy = f"; a command, process {seen.busy.pid}, measures or tries a version" if seen.busy else ""
        return f"not running{busy}"
    if seen.told is None:
        effect = "it can neither install nor tell what runs. Make room there."
        return f"running, but {seen.silent}: {effect}" if seen.silent else "running"
    if any(seen.told.runs.values()):
        return "running"
    if not seen.told.runs:
        return "running; its configuration names no model"
    return worded(
        "running, but no model runs; why, `edge-runtime doctor` tells, and journalctl -u edge-runtime"
    )


def not_running(told: Told | None, model: str) -> str:
    """Why an agent runs no version of a model, as far as it says; '' where it does, or is not known."""
    if told is None or told.runs.get(model):
        return ""
    if model not in told.runs:
        return "does not run: the agent's configuration does not name it"
    why = told.waits.get(model)
    return f"does not run: {why}" if why else "does not run yet"


def _of_model(model: str, now: ModelState, seen: Seen) -> Iterator[str]:
    yield f"{model}  (new bundles need a release of {now.floor} or more)"
    if now.declared:
        yield f"  {now.declared_by} declared that no release below {now.declared} may run again"
    if not now.active and not now.pending:
        yield "  nothing runs: install a bundle"
    if told := not_running(seen.told, model):
        yield f"  {told}"
    for role, slot in _rows(now):
        why = why_it_waits(seen.told, slot) if role == "pending" else slot.waits
        why = bare(slot, why or slot.reason)
        reason = f"  {why}" if why else ""
        if role == "pending" and (lacks := seen.told.lacks.get(model) if seen.told else ""):
            reason = f"  it lacks {lacks}{reason}"
        if slot.declares and role == "pending":
            reason = f"  its confirm forbids releases below {slot.declares}{reason}"
        if slot.state == "trial":
            reason = f"  {slot.attempts} of {slot.allowed} attempts left{reason}"
        yield (
            f"  {role:<9} {slot.version:<12} {slot.state:<8} release {slot.release:<12} "
            f"{short(slot.digest)}{reason}"
        )
        if slot is refused(now):
            yield "            install another one; or this one with --retry, once that is mended"
        if role == "active":
            yield from (f"            {line}" for line in _ways(model, seen))


def _counts(counts: Mapping[str, int], until: float) -> str:
    """What there was of it; what there always is even where it is none."""
    shown = (
        f"{name.replace('_', ' ')} {count:,}"
        for name, count in counts.items()
        if count or name in _ALWAYS
    )
    when = datetime.fromtimestamp(until).astimezone()
    return f"counted until {when:%H:%M:%S}: {', '.join(shown)}"


def _ways(model: str, seen: Seen) -> Iterator[str]:
    """How the active version is to run here, and how it runs now where that is not the same."""
    found = seen.choices.get(model)
    if found:
        yield _choice(found)
    now = seen.told.ways.get(model) if seen.told else None
    if now and not (found and now == str(found.chosen)):
        yield f"now: {now}"


def _choice(found: Record) -> str:
    """How it is to run on this device, and out of how many ways."""
    took = next(each.p50_us for each in found.rows if each.candidate == found.chosen)
    if took is None:
        return f"chosen: {found.chosen}, {_why_alone(found)}"
    usable = len(able(found.rows))
    failed = f"; {len(found.rows) - usable} more cannot serve" if usable < len(found.rows) else ""
    return f"chosen: {found.chosen}, {took:,.1f} µs a row here, of {usable} that were timed{failed}"


def _why_alone(found: Record) -> str:
    """Why nothing was timed."""
    if found.key.variant or found.key.provider:
        return "as no other is wanted"
    return "as no other can serve here" if len(found.rows) > 1 else "its only variant"


def _rows(now: ModelState) -> Iterator[tuple[str, Slot]]:
    roles: dict[str | None, str] = dict.fromkeys(now.older, "older")
    roles |= {now.previous: "previous", now.pending: "pending", now.active: "active"}
    order = ["active", "pending", "previous", "older", ""]
    slots = [(roles.get(digest, ""), slot) for digest, slot in now.slots.items()]
    yield from sorted(slots, key=lambda row: order.index(row[0]))
    for slot in now.bad.values():
        yield "rejected", slot
