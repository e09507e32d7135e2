"""From a broker's settings to a broker."""

from edge_runtime.config import BrokerConfig
from edge_runtime.mqtt import Broker


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
