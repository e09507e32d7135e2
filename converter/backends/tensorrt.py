"""TensorRT-RTX, which parses graphs and builds plans for other GPUs without having one.

Its wheels (the extra `tensorrt`) are native code with crashes of its own, so every build runs in a child
process with a time limit. What it proves is that TensorRT takes the graph: a plan runs on the GPUs it
was built for only, and a device builds its own. See docs/adr/0016.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edge_runtime.bundle.manifest import Profile

MODULE = "tensorrt_rtx_bindings"
TIMEOUT_S = 600.0
# As ComputeCapability of TensorRT-RTX 1.7 has them.
CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
_MAX_TOLD = 300


@dataclass(frozen=True)
class Trial:
    """One build of a plan, for GPUs of one compute capability. `why`: '' when it was built."""

    capability: str
    why: str = ""
    plan_bytes: int = 0
    seconds: float = 0.0


def why_unavailable() -> str:
    """Why no plan can be built on this machine, in a sentence; '' when one can."""
    if find_spec(MODULE) is None:
        return 'TensorRT-RTX is not installed. Run: pip install "edge-runtime[tensorrt]"'
    return ""


def try_builds(
    onnx: bytes, profile: Profile, capabilities: Sequence[str], *, timeout_s: float = TIMEOUT_S
) -> tuple[Trial, ...]:
    """Build a plan of an ONNX file for each compute capability; a failure is an answer too.

    The graph is strongly typed: it says in which precision it computes, and no builder flag does.
    """
    missing = why_unavailable()
    if missing:
        return tuple(Trial(each, missing) for each in capabilities)
    asked = {
        "capabilities": list(capabilities),
        "profile": [profile.min_rows, profile.opt_rows, profile.max_rows],
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, json.dumps(asked)],
            input=onnx,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = f"TensorRT-RTX had not built it after {timeout_s:g} s"
        return tuple(Trial(each, why) for each in capabilities)
    try:
        return tuple(Trial(**each) for each in json.loads(done.stdout))
    except (json.JSONDecodeError, TypeError):
        said = _told(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
        why = f"TensorRT-RTX is broken here: it ended with status {done.returncode}; {said or 'silent'}"
        return tuple(Trial(each, why) for each in capabilities)


class _Builder:
    """The only code that touches TensorRT's own types. Runs in the child process."""

    def __init__(self) -> None:
        trt: Any = import_module(MODULE)
        heard: list[str] = []

        class Logger(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity <= trt.ILogger.ERROR:
                    heard.append(message)

        self._trt, self._heard, self._logger = trt, heard, Logger()

    def build(self, onnx: bytes, capability: str, profile: Sequence[int]) -> Trial:
        import time

        trt, started = self._trt, time.perf_counter()
        self._heard.clear()
        builder = trt.Builder(self._logger)
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, self._logger)
        if not parser.parse(onnx):
            return Trial(capability, f"its parser refuses the graph: {self._refusal(parser)}")
        config = builder.create_builder_config()
        # Multiplying float32 with ten bits of mantissa, as it does unless told not to, is not what was
        # proved; and x - x is not 0 where x is missing.
        config.clear_flag(trt.BuilderFlag.TF32)
        config.set_flag(trt.BuilderFlag.STRICT_NANS)
        config.num_compute_capabilities = 1
        name = f"SM{capability.replace('.', '')}"
        config.set_compute_capability(getattr(trt.ComputeCapability, name), 0)
        self._add_profile(builder, config, network, profile)
        plan = builder.build_serialized_network(network, config)
        if plan is None:  # as it says of every failure
            return Trial(capability, f"it builds no plan: {_told(' '.join(self._heard[-1:]))}")
        return Trial(capability, "", plan.nbytes, time.perf_counter() - started)

    def _add_profile(self, builder: Any, config: Any, network: Any, profile: Sequence[int]) -> None:
        ranges = builder.create_optimization_profile()
        inputs = [network.get_input(at) for at in range(network.num_inputs)]
        open_inputs = [each for each in inputs if -1 in tuple(each.shape)]
        for each in open_inputs:
            shapes = [[rows if size == -1 else size for size in each.shape] for rows in profile]
            ranges.set_shape(each.name, *shapes)
        if open_inputs:
            config.add_optimization_profile(ranges)

    def _refusal(self, parser: Any) -> str:
        if not parser.num_errors:
            return _told(" ".join(self._heard[-1:]))
        error = parser.get_error(0)
        return _told(f"{error.node_operator()} ({error.node_name()}): {error.desc()}")


def _told(text: str) -> str:
    """What a foreign program says, on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TOLD else f"{line[:_MAX_TOLD]}..."


def _main() -> None:
    asked = json.loads(sys.argv[1])
    onnx, builder = sys.stdin.buffer.read(), _Builder()
    trials = [builder.build(onnx, each, asked["profile"]) for each in asked["capabilities"]]
    json.dump([vars(trial) for trial in trials], sys.stdout)


if __name__ == "__main__":
    _main()
