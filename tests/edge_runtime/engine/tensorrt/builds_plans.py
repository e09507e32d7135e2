"""Runs on an emulated device: builds a plan of each ONNX file and says what became of it.

python builds_plans.py WHEELS BUNDLE FILE ...

The plan of the bundle's variant is kept, found again and looked at by the cache, in a folder beside it.
"""

import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

BOARD, CUDA, CAPABILITY = "Emulated, 8 multiprocessors", "13.0", "8.6"


def main() -> None:
    wheels, bundle, *files = sys.argv[1:]
    sys.path.insert(0, wheels)
    os.environ["PYTHONPATH"] = wheels  # of the process that builds
    from edge_runtime.bundle.manifest import Profile
    from edge_runtime.engine.tensorrt import library
    from edge_runtime.engine.tensorrt.building import Request, build
    from edge_runtime.engine.tensorrt.engine import TensorRTEngine

    (found,) = library.installed()
    asked = Request(
        module=found.module,
        capability=CAPABILITY,
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
        "cache": kept(Path(bundle)),
    }
    sys.stdout.write(json.dumps(told))


def kept(path: Path) -> dict[str, Any]:
    """What two starts tell, the file that is kept, and why it does not count when something is wrong."""
    from msgspec.structs import replace

    from edge_runtime.bundle import open_bundle
    from edge_runtime.engine.tensorrt import library, plans
    from edge_runtime.engine.tensorrt.cache import PlanCache
    from edge_runtime.engine.tensorrt.cuda import Gpu
    from edge_runtime.engine.tensorrt.engine import TensorRTEngine
    from edge_runtime.engine.tensorrt.machine import Machine

    (found,) = library.installed()
    no_gpu: Any = None
    here = Machine(found, library.imported(found), no_gpu, Gpu(BOARD, CAPABILITY, CUDA))
    cache = PlanCache(path.parent / "plans")
    starts = []
    with open_bundle(path, root=None, allow_unsigned=True) as bundle:
        variant = next(each for each in bundle.manifest.variants if each.engine == "tensorrt")
        key = plans._key(bundle, variant, here)
        for _ in range(2):
            heard: list[str] = []
            engine = TensorRTEngine(plans.Plans(cache.folder, progress=heard.append), here)
            notes = engine.prepare(bundle, variant)
            starts.append((heard[:1], notes))
    (file,) = cache.folder.iterdir()
    told = {"starts": starts, "name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    told["another"] = cache.read(replace(key, cuda="12.6")).why
    cache.folder.chmod(0o777)
    told["writable"] = cache.read(key).why
    cache.folder.chmod(0o700)
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    told["damaged"] = cache.read(key).why
    return told


if __name__ == "__main__":
    main()
