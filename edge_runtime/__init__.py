"""The part that runs on a device: bundles, store, engines, streams, telemetry.

`load` opens a signed bundle for prediction; everything else is used through the command
`edge-runtime` or by importing the subpackage. Importing this package loads no library.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.model import Model, load

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("load", "Model"):
        from edge_runtime import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
