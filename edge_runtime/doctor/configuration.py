"""Whether the configuration file can be used."""

from collections.abc import Iterator

from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning


def look(device: Device) -> Iterator[Finding]:
    file = device.config_file
    if file is None:
        looked_at = "the machine and the store are" if device.store else "the machine is"
        yield warning(
            f"No configuration was given, so only {looked_at} looked at.",
            "Name the agent's file with --config.",
        )
        return
    if device.config is not None:
        names = ", ".join(model.name for model in device.config.models) or "none"
        yield ok(f"{file} is the configuration of {device.config.device.id}; its models: {names}.")
    for fault in device.faults:
        yield problem(f"{file}: {fault}", f"Mend it, and run: edge-runtime config check {file}")
