"""Whether there is memory for what the models were measured to take, and for what they may."""

from collections.abc import Iterator
from contextlib import suppress

from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
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
        if store is not None and not store.agent_running():  # else they have it already
            found = choices(store.root, State(models=dict(installed(store))))
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
    needed_mb, left_mb = sum(took.values()), left / 1e6
    told = f"{', '.join(sorted(took))} took {needed_mb:,.0f} MB when measured here"
    if needed_mb > left_mb:
        return problem(f"{told}, and {left_mb:,.0f} MB are left.", _ADVICE)
    return ok(f"{told}; {left_mb:,.0f} MB are left.")


def judge_limits(limits: dict[str, float], total: int) -> Finding:
    """`limits`: megabytes that each model may take; `total`: bytes of the machine."""
    allowed_mb, total_mb = sum(limits.values()), total / 1e6
    told = f"{', '.join(sorted(limits))} may take {allowed_mb:,.0f} MB (`models[].memory_mb`)"
    if allowed_mb > total_mb:
        return warning(
            f"{told}, more than this machine's {total_mb:,.0f} MB: before a model meets its limit the "
            "kernel may end another process.",
            "Lower the limits.",
        )
    return ok(f"{told} of this machine's {total_mb:,.0f} MB.")
