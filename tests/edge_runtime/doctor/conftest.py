from tests.edge_runtime.store.conftest import shelf

__all__ = ["shelf"]
