"""Trained models into signed bundles, with their preprocessing, proven to agree with their source.

    bundle = converter.convert(pipeline, inputs, labels, name="motion", version="1.0.0")
    bundle.save("motion-1.0.0.edge", signing_key="keys/signing.pem")

Importing this package loads no library; the first use of `convert` or `compare` needs the
extra `convert`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from converter.window import WindowSpec

if TYPE_CHECKING:
    from converter.comparison.compare import Comparison, compare
    from converter.conversion import convert
    from converter.converted import ConvertedBundle

__all__ = ["Comparison", "ConvertedBundle", "WindowSpec", "compare", "convert"]

_MODULES = {
    "Comparison": "converter.comparison.compare",
    "ConvertedBundle": "converter.converted",
    "compare": "converter.comparison.compare",
    "convert": "converter.conversion",
}
_EXTRA = {"joblib", "onnx", "scipy", "sklearn"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _EXTRA:
            raise
        from edge_runtime.errors import MissingExtraError

        raise MissingExtraError(
            f"converting models needs {error.name}, which is not installed. "
            'Run: pip install "edge-runtime[convert]"'
        ) from error
    return getattr(module, name)
