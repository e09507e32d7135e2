"""Whether there is memory for what the models were measured to take, and for what they may."""

from collections.abc import Iterator
from contextlib import suppress

from edge_runtime.doctor.findings import Device, Finding, megabytes, ok, problem, warning
from edge_runtime.doctor.store import installed, opened
from edge_runtime.store.report import choices
from edge_runtime.store.slots import State
from edge_runtime.telemetry import health

_ADVICE = "Stop other programs, use a lighter variant (`models[].variant`), or a board with more memory."


def look(device: Device) -> Iterator[Finding]:
    """What is not known, as nothing was measured or limited, is not told."""
    with suppress(OSError, ValueError, KeyError, IndexError):
        memory = health.memory(device.root)
        store = opened(device)
        here = installed(store) if store else {}  # none where it cannot be read, which `store` tells
        if store is not None and here and not store.agent_running():  # else they have it already
            found = choices(store.root, State(models=dict(here)))
            took = {
                name: row.memory_mb
                for name, record in found.items()
                for row in record.rows
                if row.candidate == record.chosen and row.memory_mb
            }
            if took:
                yield judge_measured(took, memory["MemAvailable"])
        models = device.config.models if device.config else ()
        limits = {model.name: float(model.memory_mb) for model in models if model.memory_mb}
        if limits:
            yield judge_limits(limits, memory["MemTotal"])


def judge_measured(took: dict[str, float], left: int) -> Finding:
    """`took`: megabytes of each model's process, by model; `left`: bytes of the machine."""
    needed = sum(took.values()) * 1e6
    told = f"{', '.join(sorted(took))} took {megabytes(needed)} when measured here"
    if needed > left:
        return problem(f"{told}, and {megabytes(left)} are left.", _ADVICE)
    return ok(f"{told}; {megabytes(left)} are left.")


def judge_limits(limits: dict[str, float], total: int) -> Finding:
    """`limits`: megabytes that each model may take; `total`: bytes of the machine."""
    allowed = sum(limits.values()) * 1e6
    told = f"{', '.join(sorted(limits))} may take {megabytes(allowed)} (`models[].memory_mb`)"
    if allowed > total:
        return warning(
            f"{told}, more than this machine's {megabytes(total)}: before a model meets its limit the "
            "kernel may end another process.",
            "Lower the limits.",
        )
    return ok(f"{told} of this machine's {megabytes(total)}.")
