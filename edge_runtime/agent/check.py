"""What can be said of a configuration without starting the agent."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from edge_runtime import config as settings
from edge_runtime.agent.brokers import broker
from edge_runtime.agent.lacking import lacking, nobodys_provider
from edge_runtime.agent.streamable import unfit
from edge_runtime.boards import board
from edge_runtime.bundle import Root, load_root, open_bundle, open_folder
from edge_runtime.bundle.rotation import decides
from edge_runtime.config import BrokerConfig, Config, ModelConfig, TemperatureConfig
from edge_runtime.engine.requirements import only
from edge_runtime.errors import ConfigError, EdgeError
from edge_runtime.mqtt import check as try_out
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import Slot, State

CONNECT_TIMEOUT_S = 5.0


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; `problem` is '' when it is as it should be.

    `warning`: what this machine lacks for it, which is no fault of the file.
    """

    subject: str
    text: str
    problem: str = ""
    warning: str = ""


def check_file(file: Path, *, connect: bool) -> list[Finding]:
    """`check` of a file; where it is no configuration, its faults."""
    found = settings.read(file)
    if isinstance(found, Config):
        return check(found, connect=connect)
    return [Finding(fault.key, "", fault.text) for fault in found]


def check(config: Config, *, connect: bool) -> list[Finding]:
    """Look at every file the configuration names, and with `connect` at every broker."""
    data, state = _stored(config)
    trust = _looked("device.trust", partial(_trust, config))
    findings = [data, trust, _looked("device.board", partial(_board, config.board))]
    if config.device.temperature:
        findings.append(Finding("device.temperature", _temperature(config.device.temperature)))
    if config.fleet is None:
        findings.append(Finding("fleet", "none: rows stay in the outbox of this device"))
    else:
        publishes = partial(_broker, "publishes to", config.fleet, connect=connect)
        findings.append(_looked("fleet", publishes))
    active = {name: now.slots[now.active] for name, now in state.models.items() if now.active}
    for index, model in enumerate(config.models):
        where = f"models[{index}]"
        findings += _bundle(where, config, model, active.get(model.name), trusts=not trust.problem)
        if unknown := nobodys_provider(model):
            findings.append(Finding(f"{where}.provider", "", unknown))
        findings.append(_looked(f"{where}.source", partial(_source, config, model, connect=connect)))
    if not config.models:
        findings.append(Finding("models", "none: only the device's health is measured"))
    findings += [Finding(key, "", warning=told) for key, told in lacking(config).items()]
    return findings


def _looked(subject: str, say: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, say())
    except EdgeError as error:
        return Finding(subject, "", str(error))


def _stored(config: Config) -> tuple[Finding, State]:
    """The data folder, and what is installed there: nothing where that cannot be read."""
    try:
        told = _data(config.device.data)
        there = os.path.isdir(config.store)  # else the first install makes it
        return Finding("device.data", told), Store(config.store).state() if there else State()
    except EdgeError as error:
        return Finding("device.data", "", str(error)), State()


def _data(folder: Path) -> str:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: expected a folder, found something else.")
    if folder.is_dir():
        return f"keeps store, outbox and journals in {folder}"
    return f"makes {folder} and keeps store, outbox and journals there"


def _trust(config: Config) -> str:
    file, (given, root) = config.device.trust, _roots(config)
    if root is None:
        return "names no root file: the first `edge-runtime install` has to, with --trust"
    if given is None:
        return f"trusts the root file version {root.version} that the store has pinned"
    if root.version > given.version:
        return f"trusts root file version {root.version}, which took the place of {file}"
    return f"trusts root file version {root.version}, {file}"


def _board(name: str) -> str:
    if not name:
        return "not told: variants are tried whatever board they were made for"
    return f"a {board(name).title}: variants that were made for other boards are passed over"


def _temperature(temperature: TemperatureConfig) -> str:
    return (
        f"eases the models from {temperature.ceiling_c:g} °C on, and less below "
        f"{temperature.resume_below_c:g} °C, by {temperature.sensor}"
    )


def _roots(config: Config) -> tuple[Root | None, Root | None]:
    """The root that the configuration names, and the one that an install verifies with."""
    pinned = Store(config.store).trusted_root()
    given = load_root(config.device.trust) if config.device.trust else None
    return given, decides(pinned, given)


def _bundle(
    where: str, config: Config, model: ModelConfig, active: Slot | None, *, trusts: bool
) -> Iterator[Finding]:
    """What a model runs, or installs first, and whether that has the variant that is to run.

    Without `trusts` nobody can tell whom to trust: all but the signature of a bundle is looked at.
    """
    key, why, told = "", "", "waits until a bundle is installed"
    if model.bundle is not None:
        version, key, why = brought(config, model, model.bundle, trusts=trusts)
        told = f"installs {version} from {model.bundle.name} and runs it{_how(model)}"
        if not trusts:
            told = fits(version, model.bundle)
    if key == "bundle":
        yield Finding(f"{where}.bundle", "", why)
        return
    if active:
        why = _lacks(config, active, model.variant)
        told = f"runs {active.version}, which is installed{_how(model)}"
    yield Finding(f"{where}.bundle", f"{model.name}: {told}")
    if why:
        yield Finding(f"{where}.variant", "", why)


def brought(config: Config, model: ModelConfig, file: Path, *, trusts: bool) -> tuple[str, str, str]:
    """The version in the bundle that a model is to install, the key of its table to blame, and why.

    All of it is looked at, and whose it is where that can be told: `trusts`. Both '' for nothing.
    """
    try:
        root = _roots(config)[1] if trusts else None
        with open_bundle(file, root=root, allow_unsigned=not trusts) as bundle:
            bundle.check()
            manifest = bundle.manifest
    except EdgeError as error:
        return "", "bundle", str(error)
    return manifest.version, *unfit(model, manifest, config.board)


def fits(version: str, file: Path) -> str:
    """What is told of a bundle where nobody can tell whom to trust."""
    return f"{version} in {file.name} fits; whose it is cannot be told yet"


def trusts(config: Config) -> bool:
    """Whether it can be told whom an install trusts, be it nobody."""
    try:
        _roots(config)
    except EdgeError:
        return False
    return True


def _lacks(config: Config, active: Slot, variant: str | None) -> str:
    """Why the variant that is to run cannot be taken from what is active; '' where it can."""
    if not variant:
        return ""
    try:
        folder = Store(config.store).slot_path(active.model, active.digest)
        with open_folder(folder, root=None, allow_unsigned=True) as bundle:
            only(bundle.manifest, variant)
    except EdgeError as error:
        return str(error)
    return ""


def _how(model: ModelConfig) -> str:
    variant = f", variant {model.variant} and no other" if model.variant else ""
    provider = f", on {model.provider} and nothing else" if model.provider else ""
    memory = f", within {model.memory_mb} MB" if model.memory_mb else ""
    cpu = f", with {model.cpu:g} cores at most" if model.cpu else ""
    return variant + provider + memory + cpu + (", in real-time mode" if model.realtime else "")


def _source(config: Config, model: ModelConfig, *, connect: bool) -> str:
    source = model.source
    heard = _broker(f"{model.name}: hears {source.topic!r} on", source, connect=connect)
    cut = f", a window every {source.stride} samples" if source.stride else ""
    return f"{heard}{cut}; recent samples in {config.journal(model)}"


def _broker(verb: str, config: BrokerConfig, *, connect: bool) -> str:
    found = broker(config)
    if connect:
        try_out(found, CONNECT_TIMEOUT_S)
    return f"{verb} {found.url}{' (it answers)' if connect else ''}"
