"""An engine in TensorRT's place, for processes started with its environment: a GPU is not at hand."""

import os
from pathlib import Path

_ENGINE = """
import os, time
from edge_runtime.engine import registry

class Engine:
    name = "tensorrt"

    def why_unavailable(self):
        return ""

    def prepare(self, bundle, variant):
        print("building a plan", flush=True)
        time.sleep(float(os.environ.get("OTHER_ENGINE_PREPARES_S", "0")))

    def load(self, bundle, variant, *, threads):
        from edge_runtime.engine.onnxruntime.engine import OnnxRuntimeEngine
        exec(os.environ.get("OTHER_ENGINE_LOADS", ""))
        return OnnxRuntimeEngine().load(bundle, variant, threads=threads)

registry._OURS["tensorrt"] = Engine
"""


def other_engine(folder: Path, *, prepares_s: float = 0.0, loads: str = "") -> dict[str, str]:
    """The environment in which TensorRT's variants run in ONNX Runtime, by an engine that takes
    `prepares_s` to prepare and executes `loads` before each load."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_ENGINE)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    return {
        "PYTHONPATH": path,
        "OTHER_ENGINE_PREPARES_S": str(prepares_s),
        "OTHER_ENGINE_LOADS": loads,
    }
