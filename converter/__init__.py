"""Trained models into signed bundles, with their preprocessing, proven to agree with their source.

    bundle = converter.convert(pipeline, inputs, labels, name="motion", version="1.0.0")
    bundle.save("motion-1.0.0.edge", signing_key="keys/signing.pem")

Importing this package loads no library; the first use of `convert` needs the extra `convert`.
"""

from typing import TYPE_CHECKING, Any

from converter.window import WindowSpec

if TYPE_CHECKING:
    from converter.conversion import convert
    from converter.converted import ConvertedBundle

__all__ = ["ConvertedBundle", "WindowSpec", "convert"]

_EXTRA = {"joblib", "onnx", "scipy", "sklearn"}


def __getattr__(name: str) -> Any:
    if name not in ("convert", "ConvertedBundle"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from converter import conversion
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _EXTRA:
            raise
        from edge_runtime.errors import MissingExtraError

        raise MissingExtraError(
            f"converting models needs {error.name}, which is not installed. "
            'Run: pip install "edge-runtime[convert]"'
        ) from error
    return getattr(conversion, name)
