"""Whether the models that ask for real-time mode can have it (docs/realtime.md)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edge_runtime.config import Config
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.doctor.service import UNITS
from edge_runtime.realtime import HIGHEST_PRIORITY
from edge_runtime.service.unit import NAME
from edge_runtime.starting import has_systemd
from edge_runtime.store.locks import holder
from edge_runtime.telemetry import health

_RUNTIME = "proc/sys/kernel/sched_rt_runtime_us"
_LIMIT = "Max realtime priority"
_CAP_SYS_NICE = 1 << 23
SERVICE = (
    "Write the service's unit again: edge-runtime service install; then systemctl daemon-reload && "
    "systemctl restart edge-runtime."
)


def asked(config: Config) -> int:
    """The highest priority that a model asks for, 0 where none does."""
    return max((one.realtime.priority for one in config.models if one.realtime), default=0)


def look(device: Device) -> Iterator[Finding]:
    """By what the agent has that runs; else by its unit; else by what we have ourselves."""
    assert device.config is not None
    wanted, store = asked(device.config), device.store_folder
    agent = holder(store / "agent.lock") if store else None
    if agent is not None:
        advice = SERVICE if has_systemd(device.root) else _given_by_hand(wanted)
        yield judge(wanted, _allowed(device.root, str(agent.pid)), "the agent that runs", advice)
    elif (given := _unit(device.root)) is not None:
        yield judge(wanted, given, "the service by its unit")
    elif _allowed(device.root, "self") < wanted:
        yield warning(
            f"A model asks for real-time priority {wanted}, which this user may not have, and there is "
            "no service that gives it.",
            f"Install the service. Or: {_given_by_hand(wanted)}",
        )
    else:
        yield judge(wanted, wanted, "this user")
    with suppress(OSError, ValueError):
        yield judge_runtime(int(health.read(device.root / _RUNTIME)))


def _given_by_hand(wanted: int) -> str:
    return f"Let what starts the agent give it: prlimit --rtprio={wanted} edge-runtime run --config FILE"


def judge(wanted: int, allowed: int, who: str, advice: str = SERVICE) -> Finding:
    """`wanted`, `allowed`: priorities; 0 for none."""
    told = f"A model asks for real-time priority {wanted}"
    if allowed >= wanted:
        return ok(f"{told}, and {who} may have it.")
    most = f"{allowed} at most" if allowed else "none"
    return problem(f"{told}, but {who} may have {most}: it runs at ordinary priority.", advice)


def judge_runtime(microseconds: int) -> Finding:
    """`microseconds`: how long real-time threads may run of each second, -1 for all of it."""
    advice = "Set it as the kernel has it: sysctl kernel.sched_rt_runtime_us=950000"
    if microseconds == 0:
        return problem("The kernel gives real-time threads no time (sched_rt_runtime_us is 0).", advice)
    if microseconds < 0:
        return warning(
            "The kernel never stops a real-time thread (sched_rt_runtime_us is -1): a model that hangs "
            "takes its core for good.",
            advice,
        )
    return ok(f"Real-time threads may run for {microseconds / 1e6:g} s of each second.")


def _allowed(root: Path, process: str) -> int:
    """The highest priority that a process may give its threads, 0 for none or where nothing tells."""
    with suppress(OSError, ValueError):
        status = health.read(root / "proc" / process / "status").splitlines()
        capabilities = next((line for line in status if line.startswith("CapEff:")), "CapEff: 0")
        if int(capabilities.split()[1], 16) & _CAP_SYS_NICE:
            return HIGHEST_PRIORITY
        for line in health.read(root / "proc" / process / "limits").splitlines():
            if line.startswith(_LIMIT):
                soft = line.removeprefix(_LIMIT).split()[0]
                return HIGHEST_PRIORITY if soft == "unlimited" else int(soft)
    return 0


def _unit(root: Path) -> int | None:
    """The highest priority that the service's unit gives, drop-ins included; None without one."""
    folder = root / UNITS
    if not (folder / NAME).is_file():
        return None
    values = {"LimitRTPRIO": "0", "RestrictRealtime": "no"}
    for file in (folder / NAME, *sorted((folder / f"{NAME}.d").glob("*.conf"))):
        lines = (line.partition("=") for line in health.read(file).splitlines())
        values |= {name.strip(): value.strip() for name, _, value in lines if name.strip() in values}
    limit = values["LimitRTPRIO"]
    return int(limit) if limit.isdecimal() and values["RestrictRealtime"] == "no" else 0
