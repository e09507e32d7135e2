"""Whether what the agent installs where a model has nothing installed can be read, and fits."""

from collections.abc import Iterator
from pathlib import Path

from edge_runtime.agent.streamable import unfit
from edge_runtime.bundle import open_bundle
from edge_runtime.config import ModelConfig
from edge_runtime.doctor.findings import Device, Finding, ok, problem
from edge_runtime.doctor.store import installed, opened, told
from edge_runtime.errors import EdgeError

_ADVICE = "Name another file, or convert the model for this device."


def look(device: Device) -> Iterator[Finding]:
    """Whom the bundle is of the install itself finds out."""
    assert device.config is not None
    store = opened(device)
    here = installed(store) if store else {}
    for index, model in enumerate(device.config.models):
        now = here.get(model.name)
        if model.bundle is not None and (now is None or not (now.active or now.pending)):
            yield judge(f"models[{index}]", model, model.bundle, device.config.board)


def judge(where: str, model: ModelConfig, file: Path, board: str) -> Finding:
    """`where`: the key of the model's table, whose `file` is to be installed."""
    try:
        with open_bundle(file, root=None, allow_unsigned=True) as bundle:
            manifest = bundle.manifest
    except EdgeError as error:
        what, advice = told(error, "Bring the file again.")
        return problem(f"`{where}.bundle`: {what}", advice)
    key, why = unfit(model, manifest, board)
    if why:
        what, _, advice = why.partition(". ")
        return problem(f"`{where}.{key}`: {what.rstrip('.')}.", advice or _ADVICE)
    return ok(f"{model.name}: {manifest.version} in {file.name} is installed first.")
