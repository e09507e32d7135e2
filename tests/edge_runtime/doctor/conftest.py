from tests.edge_runtime.engine.onnxruntime.conftest import install
from tests.edge_runtime.store.conftest import shelf

__all__ = ["install", "shelf"]
