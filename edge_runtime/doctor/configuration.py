"""Whether the configuration file can be used."""

from collections.abc import Iterator

from edge_runtime import config as settings
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning


def look(device: Device) -> Iterator[Finding]:
    file = device.config_file
    if file is None:
        yield warning(
            "No configuration was given, so only the machine is looked at.",
            "Name the agent's file with --config.",
        )
        return
    found = settings.read(file)
    if isinstance(found, settings.Config):
        names = ", ".join(model.name for model in found.models) or "none"
        yield ok(f"{file} is the configuration of {found.device.id}; its models: {names}.")
        return
    for fault in found:
        yield problem(f"{file}: {fault}", f"Mend it, and run: edge-runtime config check {file}")
