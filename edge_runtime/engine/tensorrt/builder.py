"""The process that builds one plan: `python -m edge_runtime.engine.tensorrt.builder REQUEST`.

A builder is native code that takes minutes, may take all memory there is and may crash: none of that is
to happen in the process that asks. It reads the ONNX file from one descriptor and writes the plan into
another; what it says in between goes to its standard output, a line of JSON each.
"""

import json
import resource
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from edge_runtime.process import stay_tied_to

if TYPE_CHECKING:
    from edge_runtime.engine.tensorrt.building import Request

_EVERY_S = 1.0


def main() -> None:
    """Build what the command line asks for; ends with 0 also where the answer is no."""
    import msgspec

    from edge_runtime.engine.tensorrt.building import Request
    from edge_runtime.engine.words import told
    from edge_runtime.errors import EngineError, UnavailableError

    asked = msgspec.json.decode(sys.argv[1], type=Request)
    stay_tied_to(asked.parent)  # nobody else wants the plan
    try:
        with open(asked.onnx, "rb") as given, open(asked.plan, "wb") as made:
            made.write(build(given.read(), asked))
    except EngineError as error:
        _say(why=str(error), here=isinstance(error, UnavailableError))
    except Exception as error:  # noqa: BLE001 (whatever the library raises has to reach the parent)
        _say(why=f"its builder fails: {type(error).__name__}: {told(error)}", here=True)
    else:
        _say(built=True)


def build(onnx: bytes, asked: "Request") -> Any:
    """The plan, a buffer. Raises EngineError with what TensorRT says."""
    from edge_runtime.engine.tensorrt import library
    from edge_runtime.errors import EngineError, UnavailableError

    trt: Any = library.imported(library.named(asked.module))
    logger = library.listener(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(_bit(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        raise EngineError(f"its parser refuses the graph: {_refusal(parser, logger)}")
    config = builder.create_builder_config()
    config.progress_monitor = _monitor(trt)
    _set_flags(trt, config, asked)
    _aim_at(trt, config, asked.capability)
    _add_profile(builder, config, network, asked)
    plan = builder.build_serialized_network(network, config)
    if plan is None:  # as it says of every failure
        said = logger.said()
        if "bad_alloc" in said or "OutOfMemory" in said or "out of memory" in said:
            limit, _ = resource.getrlimit(resource.RLIMIT_DATA)  # of the worker that asked
            size = "" if limit == resource.RLIM_INFINITY else f" ({limit >> 20} MiB)"
            raise UnavailableError(f"building takes more memory than it may have{size}: {said}")
        raise EngineError(f"it builds no plan: {said}")
    return plan


def _set_flags(trt: Any, config: Any, asked: "Request") -> None:
    for sign, name in ((flag[0], flag[1:]) for flag in asked.flags):
        flag = getattr(trt.BuilderFlag, name, None)
        if flag is not None:
            (config.set_flag if sign == "+" else config.clear_flag)(flag)


def _aim_at(trt: Any, config: Any, capability: str) -> None:
    """TensorRT-RTX builds for any GPU, so it is told which; TensorRT takes the one that is here."""
    known = getattr(trt, "ComputeCapability", None)
    wanted = getattr(known, f"SM{capability.replace('.', '')}", None)
    if wanted is not None:
        config.num_compute_capabilities = 1
        config.set_compute_capability(wanted, 0)


def _add_profile(builder: Any, config: Any, network: Any, asked: "Request") -> None:
    """Open axes are rows: TensorRT is told how many there are at least, mostly and at most."""
    from edge_runtime.errors import EngineError

    ranges = builder.create_optimization_profile()
    rows = (asked.profile.min_rows, asked.profile.opt_rows, asked.profile.max_rows)
    is_open = False
    for each in (network.get_input(at) for at in range(network.num_inputs)):
        sizes = tuple(each.shape)
        if -1 in sizes[1:]:
            raise EngineError(
                f"input {each.name!r}: expected fixed sizes behind the batch, found {sizes}; convert "
                "the model with inputs of one size"
            )
        if sizes[:1] == (-1,):
            ranges.set_shape(each.name, *((count, *sizes[1:]) for count in rows))
            is_open = True
    if is_open:
        config.add_optimization_profile(ranges)


def _refusal(parser: Any, logger: Any) -> str:
    from edge_runtime.engine.words import told

    if not parser.num_errors:
        return str(logger.said())
    error = parser.get_error(0)
    return told(f"{error.node_operator()} ({error.node_name()}): {error.desc()}")


def _bit(flags: Any, name: str) -> int:
    """TensorRT 11 knows nothing but strongly typed networks, whether there is a flag for it or not."""
    flag = getattr(flags, name, None)
    return 0 if flag is None else 1 << int(flag)


def _monitor(trt: Any) -> Any:
    """Tells the share that is done, once a second at most. Phases have steps, which hold phases."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._phases: dict[str, list[Any]] = {}  # by name: the one around it, steps, steps done
            self._lock = threading.Lock()  # TensorRT tells from several threads
            self._told_at = 0.0

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self._lock:
                self._phases[phase_name] = [parent_phase, max(1, num_steps), 0]
                self._tell(phase_name)

        def phase_finish(self, phase_name: str) -> None:
            with self._lock:
                self._phases.pop(phase_name, None)

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self._lock:
                if phase := self._phases.get(phase_name):
                    phase[2] = min(step + 1, phase[1])
                    self._tell(phase_name)
            return True

        def _tell(self, name: str) -> None:
            now = time.monotonic()
            if now - self._told_at < _EVERY_S:
                return
            self._told_at = now
            share, place = 0.0, self._phases.get(name)
            while place:
                share = min(1.0, (place[2] + share) / place[1])
                place = self._phases.get(place[0])
            _say(percent=round(100 * share), phase=name)

    return Monitor()


def _say(**words: Any) -> None:
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
