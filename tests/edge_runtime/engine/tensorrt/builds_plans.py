"""Runs on an emulated device: builds a plan of each ONNX file and says what became of it.

python builds_plans.py WHEELS FILE ...
"""

import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    wheels, *files = sys.argv[1:]
    sys.path.insert(0, wheels)
    os.environ["PYTHONPATH"] = wheels  # of the process that builds
    from edge_runtime.bundle.manifest import Profile
    from edge_runtime.engine.tensorrt import library
    from edge_runtime.engine.tensorrt.building import Request, build
    from edge_runtime.engine.tensorrt.engine import TensorRTEngine

    (found,) = library.installed()
    asked = Request(
        module=found.module,
        capability="8.6",
        profile=Profile(min_rows=1, opt_rows=4, max_rows=64),
        flags=("-TF32", "+STRICT_NANS"),
    )
    plans = {Path(file).stem: build(Path(file).read_bytes(), asked) for file in files}
    trt: Any = library.imported(found)
    logger = library.listener(trt)
    engine = trt.Runtime(logger).deserialize_cuda_engine(next(iter(plans.values())))
    told = {
        "machine": platform.machine(),
        "plans": {name: hashlib.sha256(plan).hexdigest() for name, plan in plans.items()},
        "engine": engine is not None,
        "said": logger.said(),
        "unavailable": TensorRTEngine().why_unavailable(),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
