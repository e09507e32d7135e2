"""One model in a process of its own: it may hang, crash or be killed, and nobody else does.

The parent's side is imported when it is first used: the process is of this package too, and starts
without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.worker.process import Answer, Info, Worker

__all__ = ["Answer", "Info", "Worker"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edge_runtime.worker import process

    return getattr(process, name)
