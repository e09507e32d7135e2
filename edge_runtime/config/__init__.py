"""The agent's configuration file: TOML in, frozen values out (docs/agent.md, docs/schemas/config.json).

Unknown keys are refused with the nearest known name, relative paths count from the file's own folder,
and every complaint names the key by its path, such as `models[0].source.topic`.
"""

from edge_runtime.config.faults import Fault
from edge_runtime.config.reading import MAX_CONFIG_BYTES, load, parse, read
from edge_runtime.config.tables import (
    BrokerConfig,
    Config,
    DeviceConfig,
    FleetConfig,
    ModelConfig,
    RealtimeConfig,
    SourceConfig,
    TelemetryConfig,
    TemperatureConfig,
    TrialConfig,
    files,
    folders,
)

__all__ = [
    "MAX_CONFIG_BYTES",
    "BrokerConfig",
    "Config",
    "DeviceConfig",
    "Fault",
    "FleetConfig",
    "ModelConfig",
    "RealtimeConfig",
    "SourceConfig",
    "TelemetryConfig",
    "TemperatureConfig",
    "TrialConfig",
    "files",
    "folders",
    "load",
    "parse",
    "read",
]
