"""The JSON Schema of the configuration file, for editors: docs/schemas/config.json."""

from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.config.tables import Config


def schema() -> dict[str, Any]:
    """What a file may say, as JSON Schema 2020-12; rules between two keys are only in the checks."""
    return msgspec.json.schema(Config, schema_hook=_of_path)


def _of_path(kind: type) -> dict[str, Any]:
    if kind is Path:
        return {"type": "string", "minLength": 1}
    raise NotImplementedError(kind)
