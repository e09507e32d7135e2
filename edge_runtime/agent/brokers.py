"""From a configuration to its brokers."""

from collections.abc import Mapping
from typing import NamedTuple

from edge_runtime.config import BrokerConfig, Config
from edge_runtime.mqtt import Broker


class Brokers(NamedTuple):
    """The fleet's, None for a device alone, and each model's sensor's, by model."""

    fleet: Broker | None
    sensors: Mapping[str, Broker]


def brokers(config: Config) -> Brokers:
    """All of a configuration. Raises ConfigError when a file that one names cannot be used."""
    sensors = {model.name: broker(model.source) for model in config.models}
    return Brokers(broker(config.fleet) if config.fleet else None, sensors)


def broker(config: BrokerConfig) -> Broker:
    """The broker as a link wants it; raises ConfigError when a file it names cannot be used."""
    made = Broker.from_url(
        config.url,
        ca=config.ca,
        certificate=config.certificate,
        key=config.key,
        username=config.username,
        password_file=config.password_file,
    )
    made.check_files()
    return made
