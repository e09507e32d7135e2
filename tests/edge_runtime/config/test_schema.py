"""The published schema says what the code does, and the example is one that it takes."""

import copy
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import structs

from edge_runtime import config
from edge_runtime.config.reading import tomllib
from edge_runtime.errors import ConfigError
from tests.edge_runtime.config.test_reading import FULL, SMALL

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "config.json").read_text("utf-8"))
EXAMPLE = resources.files("edge_runtime.config").joinpath("example.toml").read_text("utf-8")
# Every setting of the example: what begins with "#" alone is one. Certificates need TLS.
WHOLE_EXAMPLE = re.sub(r"^#(?! )", "", EXAMPLE, flags=re.MULTILINE).replace("mqtt://127", "mqtts://127")
FULL_TABLE = tomllib.loads(FULL)

jsonschema.Draft202012Validator.check_schema(SCHEMA)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def keys(schema: dict[str, Any], where: str = "") -> set[str]:
    """Every key there is, as `models.source.topic`."""
    found = set()
    for name, value in schema.get("properties", {}).items():
        found.add(where + name)
        for part in (value, value.get("items", {}), *value.get("anyOf", [])):
            if "$ref" in part:
                kind = part["$ref"].rsplit("/", 1)[-1]
                found |= keys(SCHEMA["$defs"][kind], f"{where}{name}.")
    return found


def used(table: dict[str, Any], where: str = "") -> set[str]:
    found = set()
    for name, value in table.items():
        found.add(where + name)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                found |= used(part, f"{where}{name}.")
    return found


ALL_KEYS = keys(SCHEMA["$defs"]["Config"])


def test_the_example_has_every_setting() -> None:
    assert len(ALL_KEYS) > 30
    assert used(tomllib.loads(WHOLE_EXAMPLE)) == ALL_KEYS


@pytest.mark.parametrize("text", [EXAMPLE, WHOLE_EXAMPLE, FULL, SMALL])
def test_files_that_are_right_are_right_for_both(tmp_path: Path, text: str) -> None:
    table = tomllib.loads(text)
    VALIDATOR.validate(table)
    config.parse(table, tmp_path)


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    shown = config.parse(tomllib.loads(WHOLE_EXAMPLE), tmp_path)
    plain = config.parse(tomllib.loads(SMALL + "[fleet]\nurl = 'mqtts://fleet'\n"), tmp_path)
    assert shown.telemetry == plain.telemetry
    assert shown.device.temperature is not None
    default = config.TemperatureConfig()
    assert shown.device.temperature == structs.replace(default, resume_c=default.resume_below_c)
    assert (shown.models[0].load_timeout_s, shown.models[0].run_timeout_s) == (60, 10)
    assert shown.models[0].source.redelivery_s == plain.models[0].source.redelivery_s
    assert shown.models[0].source.wait_s == plain.models[0].source.wait_s
    assert shown.fleet is not None
    assert plain.fleet is not None
    assert shown.fleet.acknowledge == plain.fleet.acknowledge


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spare", 1),
        ("device.id", "Watch 1"),
        ("device.trust", ""),
        ("device.trust", 5),
        ("device.board", "pi9"),
        ("device.board", ""),
        ("device.temperature", {"ceiling_c": 5}),
        ("device.temperature", {"sensor": 5}),
        ("device.temperature", {"ceiling": 80}),
        ("telemetry.interval_s", 0),
        ("telemetry.interval_s", "5"),
        ("telemetry.max_outbox_bytes", 2),
        ("fleet.acknowledge", "nobody"),
        ("fleet.url", "http://fleet"),
        ("fleet.url", "mqtt://me:secret@fleet"),
        ("models.0.spare", 1),
        ("models.0.run_timeout_s", 1e9),
        ("models.0.memory_mb", 0),
        ("models.0.memory_mb", 1.5),
        ("models.0.cpu", 0),
        ("models.0.variant", ""),
        ("models.0.variant", 5),
        ("models.0.provider", ""),
        ("models.0.prefer", "author's"),
        ("models.0.realtime", True),
        ("models.0.realtime", {"priority": 0}),
        ("models.0.realtime", {"priority": 100}),
        ("models.0.realtime", {"prio": 10}),
        ("models.0.source.stride", 0),
        ("models.0.source.topic", "a/#"),
        ("models.0.source.topic", None),
    ],
)
def test_files_that_are_wrong_are_wrong_for_both(tmp_path: Path, path: str, value: object) -> None:
    table: Any = copy.deepcopy(FULL_TABLE)
    *parents, last = path.split(".")
    part = table
    for name in parents:
        part = part[int(name) if name.isdigit() else name]
    if value is None:
        del part[last]
    else:
        part[last] = value
    assert not VALIDATOR.is_valid(table)
    with pytest.raises(ConfigError):
        config.parse(table, tmp_path)


def test_the_page_of_the_agent_names_every_setting() -> None:
    page = (ROOT / "docs" / "agent.md").read_text("utf-8")
    said = {word.split(".")[-1] for word in re.findall(r"`([\w.\[\]]+)`", page)}
    assert {key.split(".")[-1] for key in ALL_KEYS} - {
        "device",
        "models",
        "telemetry",
        "source",
        "trial",
    } <= said
