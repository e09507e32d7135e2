"""The checks there are. A new one is a function from a Device to findings, and a line here."""

from edge_runtime.config import BrokerConfig
from edge_runtime.doctor import (
    board,
    bundles,
    clock,
    configuration,
    disk,
    engines,
    files,
    hardware,
    needs,
    network,
    realtime,
    service,
    slots,
    software,
    store,
    trials,
    trust,
)
from edge_runtime.doctor.checkup import Check
from edge_runtime.doctor.findings import Device

_ALWAYS = (
    Check("configuration", configuration.look),
    Check("python", software.python),
    Check("onnxruntime", software.onnxruntime, 60),
    Check("clock", clock.look),
    Check("memory", hardware.memory),
    Check("temperature", hardware.temperature),
    Check("power", hardware.power),
)
_WITH_DATA = (
    Check("folders", files.folders),
    Check("disk", disk.look),
    Check("store", store.look),
    Check("slots", slots.look, slots.LIMIT_S),
    Check("engines", engines.look, engines.LIMIT_S),
    Check("models' memory", needs.look),
    Check("trust", trust.look),
    Check("trials", trials.look),
)
_WITH_CONFIG = (
    Check("board", board.look),
    Check("bundles", bundles.look, bundles.LIMIT_S),
    Check("service", service.look),
    Check("files", files.named),
    Check("certificates", files.certificates),
)


def checks_for(device: Device) -> list[Check]:
    """Those that make sense with what is known of the device."""
    found = list(_ALWAYS)
    if device.data is not None:
        found += _WITH_DATA
    if device.config is not None:
        found += _WITH_CONFIG
        if realtime.asked(device.config):
            found.append(Check("real time", realtime.look))
        brokers: dict[str, BrokerConfig] = {}
        if device.config.fleet:
            brokers["fleet"] = device.config.fleet
        brokers |= {f"sensor of {model.name}": model.source for model in device.config.models}
        found += [network.check(name, broker) for name, broker in brokers.items()]
    return found
