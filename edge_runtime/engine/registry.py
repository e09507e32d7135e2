"""The engines there are: ours, and those of other packages by entry point.

    [project.entry-points."edge_runtime.engines"]
    myengine = "mypackage.engine:MyEngine"

An entry point's name is the engine's name in manifests; its object is called without arguments and gives
an `edge_runtime.engine.base.Engine`. It is imported when a variant for it is reached. Ours cannot
be replaced, and one that is broken is unavailable, with a reason.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.bundle.manifest import Variant
from edge_runtime.engine.base import Engine
from edge_runtime.engine.words import one_line, told
from edge_runtime.errors import UnavailableError
from edge_runtime.memory import TOO_LITTLE, says_refused
from edge_runtime.signals import raise_if_a_handlers

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "edge_runtime.engines"
PROBE = "edge_runtime.engine.registry_probe"
TIMEOUT_S = 20.0  # for an adapter to be imported and to say whether it can be used
_METHODS = ("why_unavailable", "load")


class Found(msgspec.Struct, frozen=True):
    """engines: those that exist, by name. unavailable: why each cannot be used, '' where it can."""

    engines: Mapping[str, Engine]
    unavailable: Mapping[str, str]


class Ways(msgspec.Struct, frozen=True):
    """usable: the ways an engine has for a variant, '' for its own. unusable: why others cannot be used.
    broken: what its adapter raised in place of an answer, '' for nothing; its own way may run then."""

    usable: Sequence[str]
    unusable: Mapping[str, str] = {}
    broken: str = ""


def find(names: Iterable[str]) -> Found:
    """The engines of these names; a name that nobody has is in neither. What they raise is a reason."""
    engines: dict[str, Engine] = {}
    unavailable: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            if (engine := _engine(name)) is None:
                continue
            unavailable[name] = _cut(name, _said(engine))
            engines[name] = engine
        except Exception as error:  # noqa: BLE001 (other people's code: whatever it raises is a reason)
            raise_if_a_handlers(error)
            is_said = isinstance(error, UnavailableError)
            unavailable[name] = _cut(name, str(error)) if is_said else _reason(error)
    return Found(engines, unavailable)


def providers(engine: Any, variant: Variant, board: str) -> Ways:
    """An engine's ways for a variant; see `ProvidingEngine`. One that has a single way has its own."""
    if not hasattr(engine, "providers"):
        return Ways(("",))
    try:
        usable = tuple(engine.providers(variant, board))
        said = dict(engine.unusable_providers(variant, board))
        unusable = {name: _cut(variant.engine, str(why)) for name, why in said.items()}
    except Exception as error:  # noqa: BLE001 (other people's code: whatever it raises is a reason)
        raise_if_a_handlers(error)
        return Ways(("",), broken=f"its {broken(error)}")
    return Ways(usable, unusable)


def broken(error: Exception) -> str:
    """What is said of an adapter that raised what none should: one line of bounded length."""
    return f"adapter is broken: {type(error).__name__}: {one_line(str(error))}"


def is_ours(name: str) -> bool:
    """Whether an engine comes with edge-runtime."""
    return name in _OURS


def package_of(name: str) -> str:
    """The other package that brings an engine, with its version; '' for none, and for ours."""
    if is_ours(name):
        return ""
    try:
        entry = _entry(name)
    except UnavailableError:  # several do: none of them is tried
        return ""
    return _package(entry) if entry else ""


def _onnxruntime() -> Engine:
    from edge_runtime.engine.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine()


def _tensorrt() -> Engine:
    from edge_runtime.engine.tensorrt.engine import TensorRTEngine

    return TensorRTEngine()


_OURS: dict[str, Callable[[], Engine]] = {"onnxruntime": _onnxruntime, "tensorrt": _tensorrt}


@cache
def _engine(name: str) -> Engine | None:
    """The engine of this name, made once; None where nobody has it. Raises UnavailableError."""
    if name in _OURS:
        return _OURS[name]()
    if (entry := _entry(name)) is None:
        return None
    from edge_runtime.engine.trying import tried

    # First in a process of its own: one that ends or holds the process must not take the others along.
    if why := tried(PROBE, (name,), TIMEOUT_S)[name]:
        raise UnavailableError(f"package {_package(entry)}: {why}")
    return _made(entry)


def why_unusable(name: str) -> str:
    """Why an engine of another package cannot be used, '' where it can; it may end this process."""
    try:
        entry = _entry(name)
        return _said(_made(entry)) if entry else ""
    except UnavailableError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (other people's code: whatever it raises is a reason)
        return _reason(error)


def _said(engine: Engine) -> str:
    """Why an engine says that it cannot be used; raises UnavailableError for what is no words."""
    why: Any = engine.why_unavailable()
    if isinstance(why, str):
        return why
    raise UnavailableError(
        "its adapter is broken: expected why_unavailable() to return a sentence, or '' where it can be "
        f"used; found {one_line(repr(why))}"
    )


def _cut(name: str, why: str) -> str:
    """What an engine says; of another package's on one line of bounded length."""
    return why if is_ours(name) else one_line(why)


def _reason(error: Exception) -> str:
    """Why an engine cannot be used that raised what none should; for want of memory any does."""
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"{TOO_LITTLE}: {told(words)}" if says_refused(words) else f"its {broken(error)}"


def _entry(name: str) -> "EntryPoint | None":
    from importlib.metadata import entry_points  # 20 ms that a bundle for our engines need not wait

    entries = tuple(entry_points(group=GROUP, name=name))
    packages = sorted({entry.dist.name for entry in entries if entry.dist})
    if len(packages) > 1:
        raise UnavailableError(
            f"several packages bring it: {', '.join(packages)}; uninstall all but one"
        )
    return entries[0] if entries else None


def _package(entry: "EntryPoint") -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _made(entry: "EntryPoint") -> Engine:
    # Its adapter may import ONNX Runtime before we do, whose wheels report use to their vendor.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    made: Any = entry.load()()
    if missing := [each for each in _METHODS if not callable(getattr(made, each, None))]:
        raise UnavailableError(f"its adapter {entry.value} has no {' and no '.join(missing)}")
    engine: Engine = made
    return engine
