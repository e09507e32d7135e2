"""What a configuration asks for that this machine does not have; the device may be another one.

`config check` warns of it, and the doctor, who runs on the device, calls it a problem.
"""

from collections.abc import Collection
from functools import partial

from edge_runtime.agent.patience import Asking
from edge_runtime.config import Config, ModelConfig, TemperatureConfig
from edge_runtime.telemetry import health


def lacking(config: Config) -> dict[str, str]:
    """A sentence for each, by its key.

    A sensor has a second to answer; of providers it is looked what is installed.
    """
    found = {}
    asked = config.device.temperature
    if asked:
        asking = Asking(partial(health.hottest, asked.sensor))
        if asking.ask() is None:
            found["device.temperature.sensor"] = no_temperature(asked, hangs=asking.hangs)
    for index, model in enumerate(config.models):
        if told := _no_provider(model):
            found[f"models[{index}].provider"] = told
    return found


def no_temperature(asked: TemperatureConfig, *, hangs: bool) -> str:
    """Of a sensor that tells nothing, or does not answer at all."""
    if hangs:
        return (
            f"{asked.sensor} does not answer here: its driver hangs, and as long as it does the models "
            "are not eased."
        )
    return f"{asked.sensor} tells no temperature here, so the models are never eased."


def no_provider(subject: str, provider: str, here: Collection[str]) -> str:
    """Of a provider that is none of those that are `here`."""
    return (
        f"{subject}: is to run on {provider}, but the providers here are: {', '.join(here) or 'none'}."
    )


def nobodys_provider(model: ModelConfig) -> str:
    """Of a provider that no engine knows, on whatever device; '' where one does, or may."""
    from edge_runtime.engine.onnxruntime.providers import PROVIDERS

    if not model.provider or model.provider in ("cpu", *PROVIDERS) or _engines_of_others():
        return ""
    return (
        f"{model.name}: expected one of cpu, {', '.join(sorted(PROVIDERS))}; found {model.provider!r}. "
        "Name one of these, or none: the fastest is taken then."
    )


def _no_provider(model: ModelConfig) -> str:
    """Whose a name is that is none of ours, engines of other packages would tell; none is imported."""
    from edge_runtime.engine.onnxruntime.looking import is_installed
    from edge_runtime.engine.onnxruntime.providers import PROVIDERS

    here = ("cpu", *filter(is_installed, PROVIDERS))
    if not model.provider or model.provider in here or nobodys_provider(model):
        return ""
    told = no_provider(model.name, model.provider, here)
    if model.provider in PROVIDERS:
        return told
    theirs = _engines_of_others()
    return (
        f"{told} It may be a way of another package's engine, {', '.join(theirs)}: once a bundle for "
        "that is installed, `edge-runtime doctor` tells."
    )


def _engines_of_others() -> list[str]:
    from importlib.metadata import entry_points

    from edge_runtime.engine.registry import GROUP

    return sorted({entry.name for entry in entry_points(group=GROUP)})
