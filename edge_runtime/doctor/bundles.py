"""Whether what the agent installs where a model has nothing can be read, is trusted, and fits."""

from collections.abc import Iterator

from edge_runtime.agent.check import brought, fits, trusts
from edge_runtime.doctor.findings import Device, Finding, ok, problem
from edge_runtime.doctor.store import installed, opened

LIMIT_S = 60.0  # every byte is read, from what may be a slow card
_ADVICE = {
    "bundle": "Bring the file again, or name another.",
    "variant": "Name another one, or convert the model for this device.",
}


def look(device: Device) -> Iterator[Finding]:
    """As `config check` looks at it."""
    config = device.config
    assert config is not None
    store = opened(device)
    here = installed(store) if store else {}
    knows = trusts(config)  # else the check of the root file says why
    for index, model in enumerate(config.models):
        now = here.get(model.name)
        if model.bundle is None or (now is not None and (now.active or now.pending)):
            continue
        version, key, why = brought(config, model, model.bundle, trusts=knows)
        if why:
            what, _, advice = why.partition(". ")
            yield problem(f"`models[{index}].{key}`: {what.rstrip('.')}.", advice or _ADVICE[key])
            continue
        told = f"{version} in {model.bundle.name} is installed first"
        yield ok(f"{model.name}: {told if knows else fits(version, model.bundle)}.")
