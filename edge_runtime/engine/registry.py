"""The engines there are: ours, and those of other packages by entry point.

    [project.entry-points."edge_runtime.engines"]
    myengine = "mypackage.engine:MyEngine"

An entry point's name is the engine's name in manifests; its object is called without arguments and gives
an `edge_runtime.engine.base.Engine`. It is imported only for a bundle that has a variant for it; ours
cannot be replaced. One that is broken is unavailable, with a reason.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import msgspec

from edge_runtime.engine.base import Engine
from edge_runtime.errors import UnavailableError

GROUP = "edge_runtime.engines"
_MAX_TOLD = 300
_METHODS = ("why_unavailable", "load")


class Found(msgspec.Struct, frozen=True):
    """engines: those that exist, by name. unavailable: why each cannot be used, '' where it can."""

    engines: Mapping[str, Engine]
    unavailable: Mapping[str, str]


def find(names: Iterable[str]) -> Found:
    """The engines of these names; a name that nobody has is in neither. Nothing is raised."""
    engines: dict[str, Engine] = {}
    unavailable: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            if (engine := _engine(name)) is None:
                continue
            unavailable[name] = engine.why_unavailable()
            engines[name] = engine
        except UnavailableError as error:
            unavailable[name] = str(error)
        except Exception as error:  # noqa: BLE001 (other people's code: whatever it raises is a reason)
            unavailable[name] = f"its {broken(error)}"
    return Found(engines, unavailable)


def broken(error: Exception) -> str:
    """What is said of an adapter that raised what none should: one line of bounded length."""
    text = " ".join(str(error).split())
    return f"adapter is broken: {type(error).__name__}: {text[:_MAX_TOLD]}"


def _onnxruntime() -> Engine:
    from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine()


def _tensorrt() -> Engine:
    from edge_runtime.engine.tensorrt.engine import TensorRTEngine

    return TensorRTEngine()


_OURS: dict[str, Callable[[], Engine]] = {"onnxruntime": _onnxruntime, "tensorrt": _tensorrt}


@cache
def _engine(name: str) -> Engine | None:
    """The engine of this name, made once; None where nobody has it."""
    if name in _OURS:
        return _OURS[name]()
    from importlib.metadata import entry_points  # 20 ms that a bundle for our engines need not wait

    entries = tuple(entry_points(group=GROUP, name=name))
    if not entries:
        return None
    packages = sorted({entry.dist.name for entry in entries if entry.dist})
    if len(packages) > 1:
        raise UnavailableError(
            f"several packages bring it: {', '.join(packages)}; uninstall all but one"
        )
    made: Any = entries[0].load()()
    if missing := [each for each in _METHODS if not callable(getattr(made, each, None))]:
        raise UnavailableError(f"its adapter {entries[0].value} has no {' and no '.join(missing)}")
    engine: Engine = made
    return engine
