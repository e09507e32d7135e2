"""Whether the service's unit is the one that the configuration asks for."""

from collections.abc import Iterator
from pathlib import Path

from edge_runtime.doctor.findings import Device, Finding, ok, warning
from edge_runtime.service.configured import unit_of
from edge_runtime.service.unit import NAME
from edge_runtime.telemetry import health

UNITS = "etc/systemd/system"
THEN = (
    "then systemctl daemon-reload && systemctl restart edge-runtime. Changes of your own belong beside "
    "it: systemctl edit edge-runtime"
)


def look(device: Device) -> Iterator[Finding]:
    """Raises ConfigError for a path that a service could not see."""
    file = device.root / UNITS / NAME
    if device.config is None or device.config_file is None or not file.is_file():
        return
    written = _settings(health.read(file))
    users = [line.removeprefix("User=") for line in written if line.startswith("User=")]
    user = users[-1] if users else "root"
    gpu = "PrivateDevices=yes" not in written
    wanted = _settings(unit_of(device.config, device.config_file, user, gpu).text())
    install = f"edge-runtime service install --config {device.config_file.absolute()} --user {user}"
    yield judge(file, written, wanted, f"{install}{' --gpu' if gpu else ''}")


def judge(file: Path, written: list[str], wanted: list[str], install: str) -> Finding:
    """`written`, `wanted`: settings, comments left out; `install`: the command that writes it."""
    missing = [line for line in wanted if line not in written]
    more = [line for line in written if line not in wanted]
    if not missing and not more:
        return ok(f"{file} is what this configuration asks for.")
    told = [f"it lacks {missing[0]}"] if missing else []
    told += [f"it has {more[0]}"] if more else []
    return warning(
        f"{file} is not what this configuration and release ask for: {', and '.join(told)}.",
        f"Write it again: {install}; {THEN}",
    )


def _settings(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("#", ";"))]
