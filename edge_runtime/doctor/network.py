"""Whether a broker takes us: name, TCP, TLS, then MQTT with the configured credentials."""

from collections.abc import Iterator

from edge_runtime.agent.brokers import broker
from edge_runtime.config import BrokerConfig
from edge_runtime.doctor.checkup import Check
from edge_runtime.doctor.findings import Device, Finding, ok, problem
from edge_runtime.errors import BrokerError, ConfigError
from edge_runtime.mqtt import check as try_out

TIMEOUT_S = 5.0
_LIMIT_S = 20.0  # a name may have several addresses, and its look-up has times of its own


def check(name: str, config: BrokerConfig) -> Check:
    return Check(name, lambda device: _look(device, config), _LIMIT_S)


def _look(_device: Device, config: BrokerConfig) -> Iterator[Finding]:
    try:
        found = broker(config)
        try_out(found, TIMEOUT_S)
    except (BrokerError, ConfigError) as error:
        # These sentences end with what to do: "… nothing listens there. Start the broker, or …".
        what, _, advice = str(error).rstrip(".").rpartition(". ")
        if not what:
            what, advice = advice, "Mend it, or what the configuration says of it"
        yield problem(f"{what}.", f"{advice}.")
        return
    user = f" as {found.username!r}" if found.username else ""
    shown = " with our certificate" if found.tls and found.tls.certificate else ""
    yield ok(f"{found.url} takes us{user}{shown}.")
