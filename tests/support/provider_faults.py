"""FILE, an ONNX graph, run in an environment with OpenVINO: what is said of options that are wrong.

A line of JSON: of the options as they are; of one for which ONNX Runtime drops the provider without a
word; of a name that OpenVINO does not know, in the place of its precision's.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from edge_runtime.engine.onnxruntime.library import SILENT, library
from edge_runtime.engine.onnxruntime.providers import PROVIDERS, Provider, session_with
from edge_runtime.errors import UnavailableError

NAME = "openvino"


def told(raw: bytes, provider: Provider) -> str:
    """Why no session is made, '' where one is."""
    PROVIDERS[NAME] = provider
    options = library().SessionOptions()
    options.log_severity_level = SILENT
    try:
        session_with(NAME, raw, options, 1)
    except UnavailableError as error:
        return str(error)
    return ""


def misspelt(options: Callable[[int], dict[str, str]]) -> Callable[[int], dict[str, str]]:
    return lambda threads: {
        name: value.replace("INFERENCE_PRECISION", "NO_SUCH") for name, value in options(threads).items()
    }


if __name__ == "__main__":
    raw, known = Path(sys.argv[1]).read_bytes(), PROVIDERS[NAME]
    found = {
        "right": told(raw, known),
        "dropped": told(raw, replace(known, built_in={"precision": "nosuch"})),
        "unknown": told(raw, replace(known, options=misspelt(known.options))),
    }
    print(json.dumps(found), flush=True)
