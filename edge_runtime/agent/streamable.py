"""Whether a stream of samples can feed a model, and its predictions be told: a pure decision."""

import msgspec

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.config import ModelConfig
from edge_runtime.engine.requirements import demand_met
from edge_runtime.errors import ConfigError, EdgeError


def check_fits(model: ModelConfig, manifest: Manifest, board: str) -> None:
    """Refuse a bundle that a configuration names, before anything of it is written.

    Raises ConfigError for another model, or one that no stream can feed, and UnavailableError for one
    that this machine cannot run.
    """
    if manifest.name != model.name:
        raise ConfigError(f"{model.bundle}: expected the model {model.name!r}, found {manifest.name!r}.")
    if why := why_not(manifest):
        raise ConfigError(f"{model.bundle}: {why}")
    demand_met(manifest, board=board, pinned=model.variant or "")


def unfit(model: ModelConfig, manifest: Manifest, board: str) -> tuple[str, str]:
    """What `check_fits` refuses: the key of the model's table to blame, and why; '' for nothing."""
    try:
        check_fits(msgspec.structs.replace(model, variant=None), manifest, board)
    except EdgeError as error:
        return "bundle", str(error)
    try:
        check_fits(model, manifest, board)
    except EdgeError as error:
        return "variant", str(error)
    return "", ""


def why_not(manifest: Manifest) -> str:
    """Why an agent cannot run a model, in a sentence and what to do; '' when it can."""
    if len(manifest.inputs) > 1 and not manifest.is_table:
        return (
            f"it takes {len(manifest.inputs)} inputs, where a stream of samples feeds one. Convert a "
            "model of one window, or call it from Python."
        )
    if manifest.window is None:
        kind = "takes a table and has" if len(manifest.inputs) > 1 else "has"
        return (
            f"the manifest {kind} no window, so no stream of samples can feed it. Convert it with one, "
            "or call it from Python."
        )
    if manifest.labels:
        return (
            f"it gives {len(manifest.labels)} labels for each window, where a prediction of the agent "
            "has room for one. Convert a model for each label, or call it from Python."
        )
    values = [output for output in manifest.outputs if output.meaning == "value"]
    if len(values) > 1:
        return (
            f"it gives {len(values)} outputs for each window, where a prediction of the agent has room "
            "for one. Convert a model of one output, or call it from Python."
        )
    return ""
